"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DataGrid, type GridColumn } from "@/components/ui/data-grid";
import { Protection } from "@/components/ui/marks";
import { Delta, Num } from "@/components/ui/num";
import { Empty, Loaded } from "@/components/ui/panel";
import { Shape } from "@/components/ui/shape";
import { Moment } from "@/components/ui/time";
import { instrumentsQuery, positionsQuery } from "@/lib/api/queries";
import type { Position } from "@/lib/api/types";
import { absolute, parse, signOf, toNumber, toText } from "@/lib/decimal";
import { precisionOf, precisionShowing } from "@/lib/format/number";
import { useLink } from "@/stream/link";

const directionOfPosition = (position: Position) => {
  const quantity = parse(position.quantity);
  return quantity ? signOf(quantity) : 0;
};

const size = (position: Position) => {
  const quantity = parse(position.quantity);
  return quantity ? toText(absolute(quantity)) : null;
};

function DirectionMark({ position }: { position: Position }) {
  const direction = directionOfPosition(position);
  if (direction === 0) return <span className="text-faint">flat</span>;
  return (
    <span className={`inline-flex items-center gap-1 ${direction > 0 ? "text-up" : "text-down"}`}>
      <Shape name={direction > 0 ? "up" : "down"} size={8} />
      {direction > 0 ? "Long" : "Short"}
    </span>
  );
}

/** The open positions of the account; flat ones are left out. */
export function useOpenPositions() {
  const account = useLink((state) => state.account);
  const query = useQuery(positionsQuery(account));
  const open = useMemo(() => query.data?.filter((position) => directionOfPosition(position) !== 0), [query.data]);
  return { ...query, data: open };
}

export function Positions({ onOpen }: { onOpen: (position: Position) => void }) {
  const positions = useOpenPositions();
  const instruments = useQuery(instrumentsQuery).data;

  const columns = useMemo<GridColumn<Position>[]>(() => {
    const of = (position: Position) => instruments?.find((each) => each.symbol === position.symbol && each.venue === position.venue);
    const price = (position: Position) => precisionOf(of(position)?.price_step);
    const quantity = (position: Position) => precisionOf(of(position)?.quantity_step);
    return [
      { id: "symbol", header: "Symbol", sortBy: (p) => p.symbol, cell: (p) => <span className="font-medium">{p.symbol}</span> },
      { id: "side", header: "Side", sortBy: (p) => directionOfPosition(p), cell: (p) => <DirectionMark position={p} /> },
      { id: "quantity", header: "Quantity", numeric: true, sortBy: (p) => toNumber(p.quantity), cell: (p) => <Num value={size(p)} precision={precisionShowing(p.quantity, quantity(p))} /> },
      { id: "entry", header: "Entry", numeric: true, sortBy: (p) => toNumber(p.average_price), cell: (p) => <Num value={p.average_price} precision={price(p)} /> },
      { id: "mark", header: "Mark", numeric: true, sortBy: (p) => toNumber(p.mark_price), cell: (p) => <Num value={p.mark_price} precision={price(p)} /> },
      { id: "open", header: "Open P&L", numeric: true, sortBy: (p) => toNumber(p.unrealised_pnl), cell: (p) => <Delta value={p.unrealised_pnl} /> },
      { id: "realised", header: "Realised", numeric: true, sortBy: (p) => toNumber(p.realised_pnl), cell: (p) => <Delta value={p.realised_pnl} /> },
      { id: "fees", header: "Fees", numeric: true, sortBy: (p) => toNumber(p.fees), cell: (p) => <Num value={p.fees} precision={2} />, className: "max-2xl:hidden" },
      { id: "protected", header: "Protection", sortBy: (p) => p.guard?.state ?? null, cell: (p) => <Protection guard={p.guard} /> },
      { id: "stop", header: "Stop", numeric: true, sortBy: (p) => toNumber(p.guard?.stop_price ?? null), cell: (p) => <Num value={p.guard?.stop_price ?? null} precision={price(p)} />, className: "max-2xl:hidden" },
      { id: "owner", header: "Owner", sortBy: (p) => p.strategies.join(), cell: (p) => <span className="text-muted">{p.strategies.join(", ") || "by hand"}</span> },
      { id: "updated", header: "Updated", numeric: true, sortBy: (p) => Date.parse(p.updated_at), cell: (p) => <Moment iso={p.updated_at} venue={p.mark_time} ours={p.updated_at} className="text-faint" /> },
    ];
  }, [instruments]);

  return (
    <Loaded query={positions} what="Positions" rows={3}>
      {(rows) => (
        <DataGrid
          label="Open positions"
          rows={rows}
          columns={columns}
          rowId={rowId}
          onOpen={onOpen}
          card={(position) => <PositionCard position={position} quantity={precisionOf(instruments?.find((each) => each.symbol === position.symbol)?.quantity_step)} />}
          empty={<Empty>No position is open. One appears when a strategy trades or an order of yours is filled.</Empty>}
        />
      )}
    </Loaded>
  );
}

const rowId = (position: Position) => `${position.venue} ${position.symbol}`;

function PositionCard({ position, quantity }: { position: Position; quantity: number | undefined }) {
  return (
    <span className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5">
      <span className="flex items-center gap-2 font-medium">
        {position.symbol} <DirectionMark position={position} />
        <Num value={size(position)} precision={precisionShowing(position.quantity, quantity)} className="font-normal" />
      </span>
      <Delta value={position.unrealised_pnl} className="text-right font-medium" />
      <span className="text-dense text-faint">
        entry <Num value={position.average_price} precision={2} /> · mark <Num value={position.mark_price} precision={2} />
      </span>
      <span className="text-right text-dense">
        <Protection guard={position.guard} />
      </span>
    </span>
  );
}
