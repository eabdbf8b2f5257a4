/**
 * What this page has asked for and not yet seen confirmed.
 * Invariant: nothing here counts in any total; an order leaves it only when an event with its id has arrived, or it was refused at the door.
 */
import { create } from "zustand";
import type { NewOrder, Order, OrderStatus } from "@/lib/api/types";
import { isOpen } from "@/lib/order-status";

export interface Sent {
  order: NewOrder;
  at: string;
  venue: string;
}

interface Asked {
  sent: readonly Sent[];
  /** Orders placed from this page: their changes are told by toast. */
  mine: ReadonlySet<string>;
  cancels: ReadonlySet<string>;
}

export const useAsked = create<Asked>(() => ({ sent: [], mine: new Set(), cancels: new Set() }));

export const noteSent = (sent: Sent): void =>
  useAsked.setState((state) => ({ sent: [sent, ...state.sent.filter((each) => each.order.order_id !== sent.order.order_id)], mine: new Set(state.mine).add(sent.order.order_id) }));

export const forgetSent = (orderId: string): void => useAsked.setState((state) => ({ sent: state.sent.filter((each) => each.order.order_id !== orderId) }));

export const noteCancel = (orderId: string): void => useAsked.setState((state) => ({ cancels: new Set(state.cancels).add(orderId) }));

export type OrderRow = Omit<Order, "status"> & { status: OrderStatus | "sending"; cancelAsked: boolean };

const shown = (value: string | number | null | undefined): string | null => (value === null || value === undefined ? null : String(value));

const exitsOf = ({ protection }: NewOrder): Order["protection"] =>
  protection ? { stop_price: shown(protection.stop_price), take_profit_price: shown(protection.take_profit_price), trailing_ratio: shown(protection.trailing_ratio) } : null;

function sendingRow({ order, at, venue }: Sent): OrderRow {
  return {
    order_id: order.order_id,
    client_order_id: null,
    venue_order_id: null,
    account: order.account,
    venue,
    symbol: order.symbol,
    side: order.side,
    type: order.type,
    time_in_force: order.time_in_force,
    quantity: order.quantity,
    limit_price: order.limit_price ?? null,
    reduce_only: order.reduce_only,
    trigger_price: order.trigger_price ?? null,
    trailing_ratio: shown(order.trailing_ratio),
    good_until: order.good_until ?? null,
    protection: exitsOf(order),
    replaces: order.replaces ?? null,
    margin_mode: order.margin_mode,
    leverage: shown(order.leverage),
    parent: null,
    held_by: null,
    status: "sending",
    filled_quantity: "0",
    average_price: null,
    fee: "0",
    fee_currency: null,
    source: "trader",
    user: null,
    strategy: null,
    reason: null,
    created_at: at,
    updated_at: at,
    signal_time: null,
    cancelAsked: false,
  };
}

/** Orders for the eye: what is being sent first, then what the server has confirmed. */
export function orderRows(orders: readonly Order[], asked: Pick<Asked, "sent" | "cancels">): OrderRow[] {
  const known = new Set(orders.map((order) => order.order_id));
  const sending = asked.sent.filter((sent) => !known.has(sent.order.order_id)).map(sendingRow);
  return [...sending, ...orders.map((order) => ({ ...order, cancelAsked: asked.cancels.has(order.order_id) && isOpen(order) }))];
}
