"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DataGrid, type GridColumn } from "@/components/ui/data-grid";
import { SideMark } from "@/components/ui/marks";
import { Num } from "@/components/ui/num";
import { Empty, Panel, Skeleton } from "@/components/ui/panel";
import { Shape, type ShapeName } from "@/components/ui/shape";
import { Moment, ZoneLabel } from "@/components/ui/time";
import { fillsQuery, instrumentsQuery, ordersQuery, signalsQuery } from "@/lib/api/queries";
import type { Instrument } from "@/lib/api/types";
import { precisionOf } from "@/lib/format/number";
import { meaningOf, sourceOf as orderSource } from "@/lib/order-status";
import { useLink } from "@/stream/link";
import { type Happening, happenings } from "../timeline";

const KINDS: Readonly<Record<Happening["kind"], { word: string; shape: ShapeName }>> = {
  fill: { word: "fill", shape: "dot" },
  refusal: { word: "refused", shape: "square" },
  signal: { word: "signal", shape: "diamond" },
};

const iso = (at: number) => new Date(at).toISOString();

const symbolOf = (item: Happening) => (item.kind === "fill" ? item.fill.symbol : item.kind === "refusal" ? item.order.symbol : item.signal.symbol);

function KindMark({ item }: { item: Happening }) {
  const { word, shape } = KINDS[item.kind];
  const tone = item.kind === "refusal" ? "text-critical" : "text-muted";
  return (
    <span className={`inline-flex items-center gap-1.5 ${tone}`}>
      <Shape name={shape} size={9} />
      {item.kind === "refusal" ? meaningOf(item.order.status).word : word}
    </span>
  );
}

function What({ item, instruments }: { item: Happening; instruments: readonly Instrument[] | undefined }) {
  const instrument = instruments?.find((each) => each.symbol === symbolOf(item));
  const [price, quantity] = [precisionOf(instrument?.price_step), precisionOf(instrument?.quantity_step)];
  if (item.kind === "fill") {
    const { side, quantity: amount, price: at } = item.fill;
    return (
      <span className="inline-flex items-baseline gap-1.5">
        <SideMark side={side} /> <Num value={amount} precision={quantity} /> <span className="text-faint">at</span> <Num value={at} precision={price} />
      </span>
    );
  }
  if (item.kind === "refusal") {
    const { side, quantity: amount, reason, status } = item.order;
    return (
      <span className="inline-flex items-baseline gap-1.5">
        <SideMark side={side} /> <Num value={amount} precision={quantity} /> <span className="max-w-96 truncate text-muted" title={reason?.message}>{reason?.message ?? meaningOf(status).explain}</span>
      </span>
    );
  }
  return (
    <span className="inline-flex items-baseline gap-1.5">
      <span className="text-muted">target</span> <Num value={item.signal.target} /> <span className="text-faint">·</span> <span className="max-w-96 truncate text-muted" title={item.signal.reason}>{item.signal.reason.replaceAll("_", " ")}</span>
    </span>
  );
}

const sourceOf = (item: Happening) => (item.kind === "signal" ? item.signal.strategy : item.kind === "fill" ? (item.fill.strategy ?? "by hand") : orderSource(item.order));

export function TimelinePanel({ onOrder, className }: { onOrder: (orderId: string) => void; className?: string }) {
  const account = useLink((state) => state.account);
  const instruments = useQuery(instrumentsQuery).data;
  const fills = useQuery(fillsQuery(account)).data;
  const orders = useQuery(ordersQuery(account)).data;
  const signals = useQuery(signalsQuery).data;
  const items = useMemo(() => fills && orders && signals && happenings(fills, orders, signals), [fills, orders, signals]);
  const columns = useMemo<GridColumn<Happening>[]>(
    () => [
      { id: "time", header: "Time", cell: (i) => <Moment iso={iso(i.at)} venue={i.kind === "fill" ? i.fill.event_time : i.kind === "signal" ? i.signal.event_time : i.order.signal_time} ours={iso(i.at)} className="text-muted" /> },
      { id: "kind", header: "Kind", cell: (i) => <KindMark item={i} /> },
      { id: "symbol", header: "Symbol", cell: (i) => <span className="font-medium">{symbolOf(i)}</span> },
      { id: "what", header: "What", cell: (i) => <What item={i} instruments={instruments} />, className: "w-full" },
      { id: "source", header: "Source", cell: (i) => <span className="text-muted">{sourceOf(i)}</span> },
    ],
    [instruments],
  );
  const open = (item: Happening) => {
    if (item.kind === "fill") onOrder(item.fill.order_id);
    if (item.kind === "refusal") onOrder(item.order.order_id);
  };
  return (
    <Panel title="Timeline" note={<>fills, refusals, signals · newest first · <ZoneLabel /></>} className={className} bodyClass="">
      {items ? (
        <DataGrid
          label="Timeline"
          rows={items}
          columns={columns}
          rowId={(item) => item.id}
          onOpen={open}
          holdNew
          empty={<Empty>Nothing has happened yet. The first signal, fill or refusal will be listed here.</Empty>}
          card={(item) => (
            <span className="grid grid-cols-[1fr_auto] gap-x-3 gap-y-0.5">
              <span className="flex items-center gap-2 font-medium">
                <KindMark item={item} /> {symbolOf(item)}
              </span>
              <Moment iso={iso(item.at)} className="text-right text-dense text-faint" />
              <span className="col-span-2 overflow-hidden text-dense">
                <What item={item} instruments={instruments} />
              </span>
            </span>
          )}
        />
      ) : (
        <Skeleton rows={4} className="p-3" />
      )}
    </Panel>
  );
}
