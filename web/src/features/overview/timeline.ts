/** One list of what happened: fills, refusals and rejections, signals; newest first by our own clock. Pure. */
import type { Fill, Order, Signal } from "@/lib/api/types";
import { parseTime } from "@/lib/format/time";

export type Happening =
  | { kind: "fill"; id: string; at: number; fill: Fill }
  | { kind: "refusal"; id: string; at: number; order: Order }
  | { kind: "signal"; id: string; at: number; signal: Signal };

const BAD = new Set(["refused", "rejected", "lost", "outcome_unknown"]);

/** At most `keep` of them. A signal without a time of arrival is placed by its venue time. */
export function happenings(fills: readonly Fill[], orders: readonly Order[], signals: readonly Signal[], keep = 200): Happening[] {
  const all: Happening[] = [];
  for (const fill of fills) all.push({ kind: "fill", id: `fill ${fill.trade_id}`, at: parseTime(fill.received_time) ?? 0, fill });
  for (const order of orders) if (BAD.has(order.status)) all.push({ kind: "refusal", id: `order ${order.order_id}`, at: parseTime(order.updated_at) ?? 0, order });
  for (const signal of signals) all.push({ kind: "signal", id: `signal ${signal.strategy} ${signal.symbol} ${signal.event_time}`, at: parseTime(signal.received_time) ?? parseTime(signal.event_time) ?? 0, signal });
  return all.sort((a, b) => b.at - a.at).slice(0, keep);
}
