/** The typed filter: "symbol:btc state:refused side:buy source:sma words". Every word must match. */
import { meaningOf, sourceOf } from "@/lib/order-status";
import type { OrderRow } from "./store";

const FIELDS: Readonly<Record<string, (row: OrderRow) => string>> = {
  symbol: (row) => row.symbol,
  venue: (row) => row.venue,
  side: (row) => row.side,
  type: (row) => row.type,
  state: (row) => `${row.status} ${meaningOf(row.status).word}`,
  source: (row) => `${row.source} ${sourceOf(row)}`,
  reason: (row) => `${row.reason?.code ?? ""} ${row.reason?.message ?? ""}`,
  id: (row) => row.order_id,
};

export function orderFilter(text: string): (row: OrderRow) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (row) =>
    words.every((word) => {
      const [name = "", ...rest] = word.split(":");
      const field = rest.length ? FIELDS[name] : undefined;
      if (field) return field(row).toLowerCase().includes(rest.join(":"));
      return Object.values(FIELDS).some((read) => read(row).toLowerCase().includes(word));
    });
}
