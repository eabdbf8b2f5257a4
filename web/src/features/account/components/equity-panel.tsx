"use client";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { Num } from "@/components/ui/num";
import { ZoneLabel } from "@/components/ui/time";
import { Empty, Loaded, Panel } from "@/components/ui/panel";
import { Shape } from "@/components/ui/shape";
import { Segmented } from "@/components/ui/segmented";
import { overviewQuery } from "@/lib/api/queries";
import type { Overview } from "@/lib/api/types";
import { readColours } from "@/lib/chart-colours";
import { formatNumber, formatPercent } from "@/lib/format/number";
import { usePreferences } from "@/lib/preferences";
import { useAccountLook } from "@/stream/fresh";
import { useLink } from "@/stream/link";
import { type EquitySample, equitySamples, RANGES, type Range, within } from "../equity";
import type { EquityView } from "../equity-view";

export function EquityPanel({ currency, className }: { currency: string | undefined; className?: string }) {
  const account = useLink((state) => state.account);
  const overview = useQuery(overviewQuery(account));
  const look = useAccountLook();
  const [range, setRange] = useState<Range>("all");
  return (
    <Panel
      title="Equity"
      note={<>{currency ?? "—"} · drawdown beneath · <ZoneLabel /></>}
      look={look}
      className={className}
      bodyClass="flex flex-col"
      actions={<Segmented label="Range" options={RANGES} value={range} onChange={setRange} />}
    >
      <Loaded query={overview} what="Equity" rows={6}>
        {(data) => <Body overview={data} range={range} />}
      </Loaded>
    </Panel>
  );
}

function Body({ overview, range }: { overview: Overview; range: Range }) {
  const samples = useMemo(() => equitySamples(overview.equity_curve), [overview.equity_curve]);
  const seconds = RANGES.find((each) => each.value === range)?.seconds ?? Infinity;
  const shown = useMemo(() => within(samples, seconds), [samples, seconds]);
  const worst = shown.reduce((least, sample) => Math.min(least, sample.drawdown), 0);
  return (
    <>
      <div className="flex flex-wrap items-baseline gap-x-6 gap-y-1 px-3 pt-3">
        <Num value={overview.equity} precision={2} className="text-hero font-semibold tracking-tight" />
        {overview.missing?.length > 0 && (
          <span className="inline-flex items-center gap-1.5 text-warning">
            <Shape name="triangle" /> without {overview.missing.join(", ")}
          </span>
        )}
        <Pair label="Cash" value={formatNumber(overview.cash, { precision: 2 })} />
        <Pair label="Exposure" value={formatNumber(overview.exposure_gross, { precision: 2 })} />
        <Pair label="Drawdown now" value={overview.drawdown_ratio == null ? "—" : `${formatPercent(overview.drawdown_ratio)} %`} />
        <Pair label="Worst in range" value={`${formatPercent((worst / 100).toFixed(6))} %`} />
      </div>
      {samples.length < 2 ? <Empty>The curve begins with the first minutes of trading.</Empty> : <Chart samples={shown} />}
    </>
  );
}

const Pair = ({ label, value }: { label: string; value: string }) => (
  <span className="inline-flex items-baseline gap-2 whitespace-nowrap">
    <span className="label">{label}</span>
    <span className="num">{value}</span>
  </span>
);

function Chart({ samples }: { samples: readonly EquitySample[] }) {
  const container = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<EquityView | null>(null);
  const { theme, direction, zone } = usePreferences();

  useEffect(() => {
    let made: EquityView | null = null;
    let gone = false;
    void import("../equity-view").then(({ EquityView: View }) => {
      if (gone || !container.current) return;
      made = new View(container.current, readColours());
      setView(made);
    });
    return () => {
      gone = true;
      made?.destroy();
      setView(null);
    };
  }, []);
  useEffect(() => view?.colour(readColours()), [view, theme, direction]);
  useEffect(() => view?.show(samples, zone), [view, samples, zone]);

  const last = samples.at(-1);
  return (
    <div className="relative min-h-0 flex-1">
      <div ref={container} className="absolute inset-0" role="figure" aria-label={`Equity with drawdown beneath, ${samples.length} points${last ? `, now ${last.equity.toFixed(2)}` : ""}`} />
    </div>
  );
}
