"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DataGrid, type GridColumn } from "@/components/ui/data-grid";
import { StrategyState } from "@/components/ui/marks";
import { Delta, Num } from "@/components/ui/num";
import { Empty, Loaded } from "@/components/ui/panel";
import { Moment } from "@/components/ui/time";
import { instrumentsQuery, strategiesQuery } from "@/lib/api/queries";
import type { Strategy } from "@/lib/api/types";
import { toNumber } from "@/lib/decimal";
import { precisionOf, precisionShowing } from "@/lib/format/number";
import { StrategyActions } from "./actions";
import { RoutedAccount } from "./routed-account";

export function StrategyTable({ onOpen, brief = false }: { onOpen: (strategy: Strategy) => void; brief?: boolean }) {
  const strategies = useQuery(strategiesQuery);
  const instruments = useQuery(instrumentsQuery).data;
  const columns = useMemo<GridColumn<Strategy>[]>(() => {
    const step = (s: Strategy) => precisionOf(instruments?.find((each) => each.symbol === s.symbol)?.quantity_step);
    const all: (GridColumn<Strategy> & { full?: boolean })[] = [
      { id: "name", header: "Strategy", sortBy: (s) => s.strategy, cell: (s) => <span className="font-medium" title={s.name}>{s.strategy}</span> },
      { id: "state", header: "State", sortBy: (s) => s.status, cell: (s) => <StrategyState strategy={s} /> },
      { id: "kind", header: "Kind", full: true, sortBy: (s) => s.kind, cell: (s) => <span className="text-muted">{s.kind}</span> },
      { id: "symbol", header: "Symbol", full: true, sortBy: (s) => s.symbol, cell: (s) => s.symbol },
      { id: "timeframe", header: "Candles", full: true, sortBy: (s) => s.timeframe, cell: (s) => <span className="text-muted">{s.timeframe}</span> },
      { id: "account", header: "Account", full: true, sortBy: (s) => s.account, cell: (s) => <RoutedAccount strategy={s} /> },
      { id: "position", header: "Position", numeric: true, sortBy: (s) => toNumber(s.position_quantity), cell: (s) => <Num value={s.position_quantity} precision={precisionShowing(s.position_quantity, step(s))} /> },
      { id: "pnl", header: "Realised", numeric: true, sortBy: (s) => toNumber(s.realised_pnl), cell: (s) => <Delta value={s.realised_pnl} />, className: brief ? "w-full" : "" },
      { id: "signal", header: "Last signal", numeric: true, full: true, sortBy: (s) => (s.last_signal ? Date.parse(s.last_signal.time) : null), cell: (s) => <Moment iso={s.last_signal?.time} venue={s.last_signal?.time} className="text-muted" /> },
      { id: "target", header: "Target", numeric: true, full: true, sortBy: (s) => toNumber(s.last_signal?.target), cell: (s) => <Num value={s.last_signal?.target} /> },
      { id: "reason", header: "Why", full: true, cell: (s) => <span className="inline-block max-w-72 truncate align-bottom text-muted" title={s.last_signal?.reason}>{s.last_signal?.reason.replaceAll("_", " ") ?? "—"}</span>, className: "w-full" },
      { id: "act", header: "Actions", headerHidden: true, cell: (s) => <StrategyActions strategy={s} /> },
    ];
    return all.filter((column) => !(brief && column.full));
  }, [instruments, brief]);
  return (
    <Loaded query={strategies} what="Strategies" rows={3}>
      {(rows) => (
        <DataGrid
          label="Strategies"
          rows={rows}
          columns={columns}
          rowId={(s) => s.strategy}
          onOpen={onOpen}
          empty={<Empty>No strategy is configured. One is added in the settings of the agent service and then started here.</Empty>}
          card={(s) => (
            <span className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5">
              <span className="font-medium">{s.strategy}</span>
              <StrategyState strategy={s} />
              <span className="text-dense text-faint">
                {s.symbol} · {s.timeframe} · position <Num value={s.position_quantity} /> · <RoutedAccount strategy={s} />
              </span>
              <Delta value={s.realised_pnl} className="text-right" />
            </span>
          )}
        />
      )}
    </Loaded>
  );
}
