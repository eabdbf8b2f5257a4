"use client";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { tell } from "@/components/ui/toasts";
import { ordersQuery } from "@/lib/api/queries";
import { formatNumber } from "@/lib/format/number";
import { meaningOf } from "@/lib/order-status";
import { useLink } from "@/stream/link";
import { forgetSent, useAsked } from "../store";

/** Tells what became of orders placed from this page, one toast per order, and clears them from "sending" once an event came. */
export function OrderToasts() {
  const account = useLink((state) => state.account);
  const orders = useQuery(ordersQuery(account)).data;
  const mine = useAsked((state) => state.mine);
  const told = useRef(new Map<string, string>());
  useEffect(() => {
    for (const order of orders ?? []) {
      if (!mine.has(order.order_id) || told.current.get(order.order_id) === order.status) continue;
      told.current.set(order.order_id, order.status);
      forgetSent(order.order_id);
      const meaning = meaningOf(order.status);
      tell(order.order_id, `${order.side === "buy" ? "Buy" : "Sell"} ${formatNumber(order.quantity)} ${order.symbol}: ${meaning.word}`, order.reason?.message ?? meaning.explain);
    }
  }, [orders, mine]);
  return null;
}
