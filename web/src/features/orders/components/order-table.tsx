"use client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { DataGrid, type GridColumn } from "@/components/ui/data-grid";
import { OrderState, SideMark } from "@/components/ui/marks";
import { Num } from "@/components/ui/num";
import { Loaded } from "@/components/ui/panel";
import { Moment } from "@/components/ui/time";
import { instrumentsQuery, ordersQuery } from "@/lib/api/queries";
import { toNumber } from "@/lib/decimal";
import { precisionOf } from "@/lib/format/number";
import { isOpen, sourceOf, typeWord } from "@/lib/order-status";
import { useLink } from "@/stream/link";
import { type OrderRow, orderRows, useAsked } from "../store";
import { CancelButton } from "./cancel";

/** Orders with what this page has just asked for; `undefined` data while loading. */
export function useOrderRows() {
  const account = useLink((state) => state.account);
  const query = useQuery(ordersQuery(account));
  const sent = useAsked((state) => state.sent);
  const cancels = useAsked((state) => state.cancels);
  const rows = useMemo(() => query.data && orderRows(query.data, { sent, cancels }), [query.data, sent, cancels]);
  return { ...query, data: rows };
}

export const isOpenRow = (row: OrderRow): boolean => row.status === "sending" || isOpen({ status: row.status });

const rowId = (row: OrderRow) => row.order_id;
const stateNote = (row: OrderRow) => (row.cancelAsked ? "cancel asked" : undefined);

/** Width of what is filled, behind the figure. */
function FilledBar({ row, precision }: { row: OrderRow; precision: number | undefined }) {
  const [quantity, filled] = [toNumber(row.quantity) ?? 0, toNumber(row.filled_quantity) ?? 0];
  const share = quantity > 0 ? Math.min(1, filled / quantity) : 0;
  return (
    <span className="inline-flex items-center justify-end gap-2">
      <span aria-hidden className="h-1 w-10 overflow-hidden rounded-full bg-s3">
        <span className="block h-full bg-muted" style={{ width: `${share * 100}%` }} />
      </span>
      <Num value={row.filled_quantity} precision={precision} />
    </span>
  );
}

function Reason({ row }: { row: OrderRow }) {
  if (!row.reason) return <span className="text-faint">—</span>;
  const { code, message, limit, observed } = row.reason;
  const proof = limit !== null && observed !== null ? `${message}\nlimit ${limit}, observed ${observed}` : message;
  return (
    <span title={proof} className="inline-block max-w-64 truncate align-bottom text-muted">
      {message || code}
    </span>
  );
}

export function OrderTable({ keep, onOpen, empty, brief = false }: { keep: (row: OrderRow) => boolean; onOpen: (row: OrderRow) => void; empty: ReactNode; brief?: boolean }) {
  const orders = useOrderRows();
  const instruments = useQuery(instrumentsQuery).data;
  const columns = useMemo<GridColumn<OrderRow>[]>(() => {
    const of = (row: OrderRow) => instruments?.find((each) => each.symbol === row.symbol);
    const price = (row: OrderRow) => precisionOf(of(row)?.price_step);
    const quantity = (row: OrderRow) => precisionOf(of(row)?.quantity_step);
    const all: (GridColumn<OrderRow> & { full?: boolean })[] = [
      { id: "time", header: "Time", sortBy: (r) => Date.parse(r.created_at), cell: (r) => <Moment iso={r.created_at} venue={r.signal_time} ours={r.created_at} milliseconds className="text-muted" /> },
      { id: "venue", header: "Venue", full: true, sortBy: (r) => r.venue, cell: (r) => <span className="text-muted">{r.venue}</span> },
      { id: "symbol", header: "Symbol", sortBy: (r) => r.symbol, cell: (r) => <span className="font-medium">{r.symbol}</span> },
      { id: "side", header: "Side", sortBy: (r) => r.side, cell: (r) => <SideMark side={r.side} /> },
      { id: "type", header: "Type", sortBy: (r) => r.type, cell: (r) => <span className="whitespace-nowrap text-muted">{typeWord(r.type)}</span> },
      { id: "trigger", header: "Trigger", numeric: true, full: true, sortBy: (r) => toNumber(r.trigger_price), cell: (r) => <Num value={r.trigger_price} precision={price(r)} />, className: "max-2xl:hidden" },
      { id: "price", header: "Limit price", numeric: true, sortBy: (r) => toNumber(r.limit_price), cell: (r) => (r.limit_price === null ? <span className="text-faint">{r.trigger_price === null ? "market" : "at trigger"}</span> : <Num value={r.limit_price} precision={price(r)} />) },
      { id: "quantity", header: "Quantity", numeric: true, sortBy: (r) => toNumber(r.quantity), cell: (r) => <Num value={r.quantity} precision={quantity(r)} /> },
      { id: "filled", header: "Filled", numeric: true, sortBy: (r) => toNumber(r.filled_quantity), cell: (r) => <FilledBar row={r} precision={quantity(r)} /> },
      { id: "average", header: "Average", numeric: true, full: true, sortBy: (r) => toNumber(r.average_price), cell: (r) => <Num value={r.average_price} precision={price(r)} /> },
      { id: "fee", header: "Fee", numeric: true, full: true, sortBy: (r) => toNumber(r.fee), cell: (r) => <Num value={r.fee_currency === null ? null : r.fee} precision={r.fee_currency?.startsWith("USD") ? 4 : 8} /> },
      { id: "fee_currency", header: "Currency", full: true, cell: (r) => <span className="text-faint">{r.fee_currency ?? "—"}</span> },
      { id: "state", header: "State", sortBy: (r) => r.status, cell: (r) => <OrderState status={r.status} note={stateNote(r)} /> },
      { id: "source", header: "Source", sortBy: sourceOf, cell: (r) => <span className="text-muted">{sourceOf(r)}</span> },
      { id: "reason", header: "Reason", sortBy: (r) => r.reason?.code ?? null, cell: (r) => <Reason row={r} />, className: "w-full" },
      { id: "act", header: "Actions", headerHidden: true, cell: (r) => <CancelButton row={r} /> },
    ];
    return all.filter((column) => !(brief && column.full));
  }, [instruments, brief]);
  const shown = useMemo(() => orders.data?.filter(keep), [orders.data, keep]);

  return (
    <Loaded query={{ ...orders, data: shown }} what="Orders" rows={6}>
      {(rows) => (
        <DataGrid
          label="Orders"
          rows={rows}
          columns={columns}
          rowId={rowId}
          onOpen={onOpen}
          empty={empty}
          holdNew
          rowClass={(row) => (row.status === "sending" || row.cancelAsked ? "hatched" : row.status === "outcome_unknown" ? "hatched-warning" : "")}
          card={(row) => <OrderCard row={row} precision={precisionOf(instruments?.find((each) => each.symbol === row.symbol)?.quantity_step)} />}
        />
      )}
    </Loaded>
  );
}

function OrderCard({ row, precision }: { row: OrderRow; precision: number | undefined }) {
  return (
    <span className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5">
      <span className="flex items-center gap-2 font-medium">
        <SideMark side={row.side} /> <Num value={row.quantity} precision={precision} /> {row.symbol}
      </span>
      <OrderState status={row.status} note={stateNote(row)} />
      <span className="text-dense text-faint">
        <Moment iso={row.created_at} /> · {sourceOf(row)}
      </span>
      <span className="text-right text-dense text-muted">{row.average_price ? <Num value={row.average_price} precision={2} /> : row.limit_price ? <Num value={row.limit_price} precision={2} /> : "market"}</span>
      {row.reason && <span className="col-span-2 text-dense text-muted">{row.reason.message}</span>}
    </span>
  );
}
