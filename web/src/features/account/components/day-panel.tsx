"use client";
import { useQuery } from "@tanstack/react-query";
import { LimitBar } from "@/components/ui/marks";
import { Delta, Num, Percent } from "@/components/ui/num";
import { Empty, Loaded, Panel } from "@/components/ui/panel";
import { overviewQuery } from "@/lib/api/queries";
import { BUDGET } from "@/lib/look";
import { useAccountLook } from "@/stream/fresh";
import { useLink } from "@/stream/link";

/** Fees lower the result, whichever sign they were sent with. */
const asCost = (fees: string | null): string | null => (fees === null || fees.startsWith("-") || !/[1-9]/.test(fees) ? fees : `-${fees}`);

/** What the day earned, and from what. */
export function DayPanel({ currency, className }: { currency: string | undefined; className?: string }) {
  const account = useLink((state) => state.account);
  const overview = useQuery(overviewQuery(account));
  const look = useAccountLook();
  return (
    <Panel title="Day P&L" note={currency} look={look} className={className} bodyClass="">
      <Loaded query={overview} what="Day P&L" rows={4}>
        {(data) => (
          <div className="flex flex-col gap-2 p-3">
            <div className="flex items-baseline justify-between">
              <span className="text-muted">Total</span>
              <span className="flex items-baseline gap-3">
                <Percent ratio={data.day_pnl_ratio} sign coloured className="text-dense" />
                <Delta value={data.day_pnl} shape className="text-page font-semibold" />
              </span>
            </div>
            <dl className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-1 border-t border-hairline pt-2">
              <dt className="text-muted">Realised</dt>
              <dd className="text-right">
                <Delta value={data.day_realised} />
              </dd>
              <dt className="text-muted">Open</dt>
              <dd className="text-right">
                <Delta value={data.day_unrealised} />
              </dd>
              <dt className="text-faint">of it fees, in realised</dt>
              <dd className="text-right">
                <Num value={asCost(data.day_fees)} precision={2} className="text-muted" />
              </dd>
            </dl>
          </div>
        )}
      </Loaded>
    </Panel>
  );
}

/** How near each limit is. */
export function RiskPanel({ className }: { className?: string }) {
  const account = useLink((state) => state.account);
  const overview = useQuery(overviewQuery(account));
  const look = useAccountLook(BUDGET.account);
  return (
    <Panel title="Risk use" note="of limit" look={look} className={className} bodyClass="overflow-y-auto">
      <Loaded query={overview} what="Risk" rows={4}>
        {(data) =>
          data.limits.length === 0 ? (
            <Empty>No limit is reported. Orders are still checked by the risk service.</Empty>
          ) : (
            <div className="grid gap-x-6 gap-y-2.5 p-3 sm:max-lg:grid-cols-2">
              {[...data.limits].sort((a, b) => Number(b.ratio ?? 0) - Number(a.ratio ?? 0)).map((limit) => (
                <LimitBar key={limit.name} limit={limit} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Panel>
  );
}
