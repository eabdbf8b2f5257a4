"use client";
import { useQuery } from "@tanstack/react-query";
import { Drawer } from "@/components/ui/drawer";
import { StrategyState } from "@/components/ui/marks";
import { Delta, Num } from "@/components/ui/num";
import { Empty } from "@/components/ui/panel";
import { Moment } from "@/components/ui/time";
import { signalsQuery, strategiesQuery } from "@/lib/api/queries";
import { StrategyActions } from "./actions";
import { RoutedAccount } from "./routed-account";

/** One strategy: what it does, with which parameters, and its latest decisions. */
export function StrategyDrawer({ strategyId, onClose }: { strategyId: string | null; onClose: () => void }) {
  const strategy = useQuery(strategiesQuery).data?.find((each) => each.strategy === strategyId);
  const signals = (useQuery(signalsQuery).data ?? []).filter((signal) => signal.strategy === strategyId).slice(0, 20);
  return (
    <Drawer open={strategy !== undefined} onClose={onClose} title={strategy?.name ?? ""}>
      {strategy && (
        <div className="flex flex-col gap-5">
          <div className="flex flex-wrap items-center justify-between gap-2">
            <StrategyState strategy={strategy} />
            <StrategyActions strategy={strategy} size="medium" />
          </div>
          {strategy.status_detail && <p className="text-muted">{strategy.status_detail}</p>}
          <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1">
            {[
              ["Trades", `${strategy.symbol} at ${strategy.venue}, ${strategy.timeframe} candles`],
              ["Account", <RoutedAccount key="account" strategy={strategy} />],
              ["Kind", strategy.kind],
              ...strategy.held_abroad.map((held) => [`Of its position at ${held.venue}`, `${held.quantity} on ${held.account}`] as const),
            ].map(([name, value]) => (
              <div key={String(name)} className="contents">
                <dt className="text-muted">{name}</dt>
                <dd className="text-right">{value}</dd>
              </div>
            ))}
            <dt className="text-muted">Position</dt>
            <dd className="text-right">
              <Num value={strategy.position_quantity} />
            </dd>
            <dt className="text-muted">Realised</dt>
            <dd className="text-right">
              <Delta value={strategy.realised_pnl} />
            </dd>
          </dl>
          <section>
            <h3 className="mb-2 font-semibold">Parameters</h3>
            <dl className="mono grid grid-cols-[auto_1fr] gap-x-6 gap-y-1">
              {Object.entries(strategy.parameters).map(([name, value]) => (
                <div key={name} className="contents">
                  <dt className="text-muted">{name}</dt>
                  <dd className="text-right break-all">{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
                </div>
              ))}
            </dl>
          </section>
          <section>
            <h3 className="mb-2 font-semibold">Latest signals</h3>
            {signals.length === 0 ? (
              <Empty>It has not decided anything yet.</Empty>
            ) : (
              <ol className="flex flex-col gap-2">
                {signals.map((signal) => (
                  <li key={signal.event_time} className="grid grid-cols-[auto_1fr_auto] gap-x-3 text-dense">
                    <Moment iso={signal.event_time} venue={signal.event_time} ours={signal.received_time} className="text-faint" />
                    <span className="text-muted">{signal.reason.replaceAll("_", " ")}</span>
                    <Num value={signal.target} className="text-right" />
                  </li>
                ))}
              </ol>
            )}
          </section>
        </div>
      )}
    </Drawer>
  );
}
