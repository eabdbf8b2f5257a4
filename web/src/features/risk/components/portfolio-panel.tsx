"use client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useState } from "react";
import { Choice } from "@/components/ui/choice";
import { Delta, Num, Percent } from "@/components/ui/num";
import { Loaded, Panel } from "@/components/ui/panel";
import { strategiesQuery } from "@/lib/api/queries";
import type { Portfolio } from "@/lib/api/types";
import { formatNumber } from "@/lib/format/number";
import { useLink } from "@/stream/link";
import { portfolioQuery } from "../api";

/** What was earned, at what risk: of the account or of one strategy, from fills and marks alone. */
export function PortfolioPanel({ className }: { className?: string }) {
  const account = useLink((state) => state.account);
  const strategies = useQuery(strategiesQuery).data ?? [];
  const [of, setOf] = useState("");
  const portfolio = useQuery(portfolioQuery(account, of || null));
  return (
    <Panel title="Portfolio" note={portfolio.data?.quote_currency} className={className} bodyClass="">
      <div className="border-b border-hairline p-2">
        <Choice label="Of" value={of} onChange={setOf} options={[{ value: "", label: `Account ${account}` }, ...strategies.map(({ strategy }) => ({ value: strategy, label: `Strategy ${strategy}` }))]} />
      </div>
      <Loaded query={portfolio} what="The portfolio" rows={8}>
        {(data) => <Figures portfolio={data} />}
      </Loaded>
    </Panel>
  );
}

const ratio = (value: number | null): string => (value === null ? "—" : formatNumber(value.toFixed(2)));

function Figures({ portfolio }: { portfolio: Portfolio }) {
  const { statistics } = portfolio;
  return (
    <dl className="flex flex-col gap-1 p-3">
      <Fact name="Equity">
        <Num value={portfolio.equity} precision={2} className="font-medium" />
      </Fact>
      <Fact name="Realised">
        <Delta value={portfolio.realised_pnl} />
      </Fact>
      <Fact name="Open">
        <Delta value={portfolio.unrealised_pnl} />
      </Fact>
      <Fact name="Fees">
        <Num value={portfolio.fees} precision={2} />
      </Fact>
      <Fact name="Exposure, gross">
        <Num value={portfolio.exposure_gross} precision={2} />
      </Fact>
      <Fact name="Exposure, net">
        <Num value={portfolio.exposure_net} precision={2} />
      </Fact>
      <Fact name="Return">
        <Percent ratio={statistics.total_return?.toString()} sign coloured />
      </Fact>
      <Fact name="Deepest drawdown">
        <Percent ratio={statistics.max_drawdown?.toString()} />
      </Fact>
      <Fact name="Sharpe, annualised">{ratio(statistics.sharpe)}</Fact>
      <Fact name="Sortino, annualised">{ratio(statistics.sortino)}</Fact>
      <Fact name="Round trips">{statistics.trades}</Fact>
      <Fact name="Won">
        <Percent ratio={statistics.win_rate?.toString()} precision={0} />
      </Fact>
      <Fact name="Profit factor">{ratio(statistics.profit_factor)}</Fact>
    </dl>
  );
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div className="flex justify-between gap-4 border-b border-hairline py-0.5 last:border-b-0">
    <dt className="text-muted">{name}</dt>
    <dd className="num text-right">{children}</dd>
  </div>
);
