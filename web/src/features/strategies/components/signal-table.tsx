"use client";
import { useQuery } from "@tanstack/react-query";
import { DataGrid, type GridColumn } from "@/components/ui/data-grid";
import { Num } from "@/components/ui/num";
import { Empty, Loaded } from "@/components/ui/panel";
import { Moment } from "@/components/ui/time";
import { signalsQuery } from "@/lib/api/queries";
import type { Signal } from "@/lib/api/types";
import { toNumber } from "@/lib/decimal";

const COLUMNS: readonly GridColumn<Signal>[] = [
  { id: "time", header: "Venue time", sortBy: (s) => Date.parse(s.event_time), cell: (s) => <Moment iso={s.event_time} venue={s.event_time} ours={s.received_time} className="text-muted" /> },
  { id: "strategy", header: "Strategy", sortBy: (s) => s.strategy, cell: (s) => <span className="font-medium">{s.strategy}</span> },
  { id: "symbol", header: "Symbol", sortBy: (s) => s.symbol, cell: (s) => s.symbol },
  { id: "target", header: "Target", numeric: true, sortBy: (s) => toNumber(s.target), cell: (s) => <Num value={s.target} /> },
  { id: "price", header: "Price", numeric: true, sortBy: (s) => toNumber(s.price), cell: (s) => <Num value={s.price} precision={2} /> },
  { id: "reason", header: "Why", cell: (s) => <span className="text-muted">{s.reason.replaceAll("_", " ")}</span>, className: "w-full" },
];

export function SignalTable() {
  const signals = useQuery(signalsQuery);
  return (
    <Loaded query={signals} what="Signals" rows={4}>
      {(rows) => (
        <DataGrid
          label="Signals"
          rows={rows}
          columns={COLUMNS}
          rowId={(s) => `${s.strategy} ${s.symbol} ${s.event_time}`}
          holdNew
          empty={<Empty>No strategy has signalled yet.</Empty>}
          card={(s) => (
            <span className="grid grid-cols-[1fr_auto] gap-x-3">
              <span className="font-medium">{s.strategy}</span>
              <span className="text-right">
                target <Num value={s.target} />
              </span>
              <span className="text-dense text-muted">{s.reason.replaceAll("_", " ")}</span>
              <Moment iso={s.event_time} venue={s.event_time} ours={s.received_time} className="text-right text-dense text-faint" />
            </span>
          )}
        />
      )}
    </Loaded>
  );
}
