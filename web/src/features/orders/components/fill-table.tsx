"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DataGrid, type GridColumn } from "@/components/ui/data-grid";
import { SideMark } from "@/components/ui/marks";
import { Num } from "@/components/ui/num";
import { Empty, Loaded } from "@/components/ui/panel";
import { Moment } from "@/components/ui/time";
import { fillsQuery, instrumentsQuery } from "@/lib/api/queries";
import type { Fill } from "@/lib/api/types";
import { multiply, parse, toNumber, toText } from "@/lib/decimal";
import { precisionOf } from "@/lib/format/number";
import { useLink } from "@/stream/link";

const worth = (fill: Fill): string | null => {
  const [price, quantity] = [parse(fill.price), parse(fill.quantity)];
  return price && quantity ? toText(multiply(price, quantity)) : null;
};

export function FillTable({ onOpen, matching }: { onOpen: (orderId: string) => void; matching?: (fill: Fill) => boolean }) {
  const account = useLink((state) => state.account);
  const fills = useQuery(fillsQuery(account));
  const instruments = useQuery(instrumentsQuery).data;
  const columns = useMemo<GridColumn<Fill>[]>(() => {
    const of = (fill: Fill) => instruments?.find((each) => each.symbol === fill.symbol);
    return [
      { id: "time", header: "Received", sortBy: (f) => Date.parse(f.received_time), cell: (f) => <Moment iso={f.received_time} venue={f.event_time} ours={f.received_time} milliseconds className="text-muted" /> },
      { id: "venue_time", header: "Venue time", sortBy: (f) => Date.parse(f.event_time), cell: (f) => <Moment iso={f.event_time} venue={f.event_time} ours={f.received_time} className="text-faint" /> },
      { id: "symbol", header: "Symbol", sortBy: (f) => f.symbol, cell: (f) => <span className="font-medium">{f.symbol}</span> },
      { id: "side", header: "Side", sortBy: (f) => f.side, cell: (f) => <SideMark side={f.side} /> },
      { id: "price", header: "Price", numeric: true, sortBy: (f) => toNumber(f.price), cell: (f) => <Num value={f.price} precision={precisionOf(of(f)?.price_step)} /> },
      { id: "quantity", header: "Quantity", numeric: true, sortBy: (f) => toNumber(f.quantity), cell: (f) => <Num value={f.quantity} precision={precisionOf(of(f)?.quantity_step)} /> },
      { id: "worth", header: "Worth", numeric: true, sortBy: (f) => toNumber(worth(f)), cell: (f) => <Num value={worth(f)} precision={2} /> },
      { id: "fee", header: "Fee", numeric: true, sortBy: (f) => toNumber(f.fee), cell: (f) => <Num value={f.fee} precision={f.fee_currency?.startsWith("USD") ? 4 : 8} /> },
      { id: "fee_currency", header: "Currency", cell: (f) => <span className="text-faint">{f.fee_currency ?? "—"}</span> },
      { id: "liquidity", header: "Liquidity", sortBy: (f) => f.liquidity, cell: (f) => <span className="text-muted">{f.liquidity ?? "—"}</span> },
      { id: "source", header: "Source", sortBy: (f) => f.strategy ?? "", cell: (f) => <span className="text-muted">{f.strategy ?? "by hand"}</span>, className: "w-full" },
    ];
  }, [instruments]);
  const shown = useMemo(() => (matching ? fills.data?.filter(matching) : fills.data), [fills.data, matching]);
  return (
    <Loaded query={{ ...fills, data: shown }} what="Fills" rows={4}>
      {(rows) => (
        <DataGrid
          label="Fills"
          rows={rows}
          columns={columns}
          rowId={(fill) => fill.trade_id}
          onOpen={(fill) => onOpen(fill.order_id)}
          holdNew
          empty={<Empty>{matching ? "No fill matches the filter." : "Nothing has been filled yet. Fills of strategies and of your own orders are listed here."}</Empty>}
          card={(fill) => (
            <span className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5">
              <span className="flex items-center gap-2 font-medium">
                <SideMark side={fill.side} /> <Num value={fill.quantity} /> {fill.symbol}
              </span>
              <Num value={fill.price} precision={2} className="text-right font-medium" />
              <span className="text-dense text-faint">
                <Moment iso={fill.received_time} venue={fill.event_time} ours={fill.received_time} /> · {fill.strategy ?? "by hand"}
              </span>
              <span className="text-right text-dense text-muted">
                fee <Num value={fill.fee} precision={4} /> {fill.fee_currency}
              </span>
            </span>
          )}
        />
      )}
    </Loaded>
  );
}
