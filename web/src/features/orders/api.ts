import { queryOptions } from "@tanstack/react-query";
import { get, post, remove } from "@/lib/api/client";
import type { NewOrder, OrderDetail } from "@/lib/api/types";

export const orderQuery = (orderId: string) =>
  queryOptions({ queryKey: ["order", orderId], queryFn: () => get<OrderDetail>(`/api/orders/${orderId}`), enabled: orderId !== "" });

/** The same id again is the same order: the gateway answers 202 twice and sends one. */
export const sendOrder = (order: NewOrder): Promise<{ order_id: string; status: string }> => post("/api/orders", order);

export const cancelOrder = (orderId: string): Promise<{ order_id: string; status: string }> => remove(`/api/orders/${orderId}`);
