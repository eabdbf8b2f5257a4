/** Keys and readers of server data that more than one feature shows: one source for each. */
import { queryOptions } from "@tanstack/react-query";
import { get, query } from "./client";
import type { Account, Alert, Approval, Balance, Fill, Halt, Instrument, Order, Overview, Position, Quote, Signal, Status, Strategy } from "./types";

export const KEEP = { orders: 500, fills: 500, signals: 200, alerts: 200, equity: 5_000 } as const;

export const accountsQuery = queryOptions({ queryKey: ["accounts"], queryFn: () => get<Account[]>("/api/accounts"), refetchInterval: 15_000 });

export const statusQuery = queryOptions({ queryKey: ["status"], queryFn: () => get<Status>("/api/public/status") });

export const instrumentsQuery = queryOptions({ queryKey: ["instruments"], queryFn: () => get<Instrument[]>("/api/instruments") });

export const quotesQuery = queryOptions({ queryKey: ["quotes"], queryFn: () => get<Quote[]>("/api/quotes") });

export const overviewQuery = (account: string) =>
  queryOptions({ queryKey: ["overview", account], queryFn: () => get<Overview>(query("/api/overview", { account })), enabled: account !== "" });

export const positionsQuery = (account: string) =>
  queryOptions({ queryKey: ["positions", account], queryFn: () => get<Position[]>(query("/api/positions", { account })), enabled: account !== "" });

export const balancesQuery = (account: string) =>
  queryOptions({ queryKey: ["balances", account], queryFn: () => get<Balance[]>(query("/api/balances", { account })), enabled: account !== "" });

/** Every order, newest first. Open ones are picked from it, so the two lists cannot disagree. */
export const ordersQuery = (account: string) =>
  queryOptions({
    queryKey: ["orders", account],
    queryFn: async () => {
      const [all, open] = await Promise.all([
        get<Order[]>(query("/api/orders", { account, status: "all", limit: KEEP.orders })),
        get<Order[]>(query("/api/orders", { account, status: "open" })),
      ]);
      const listed = new Set(all.map((order) => order.order_id));
      return [...all, ...open.filter((order) => !listed.has(order.order_id))];
    },
    enabled: account !== "",
  });

export const fillsQuery = (account: string) =>
  queryOptions({ queryKey: ["fills", account], queryFn: () => get<Fill[]>(query("/api/fills", { account, limit: KEEP.fills })), enabled: account !== "" });

export const strategiesQuery = queryOptions({ queryKey: ["strategies"], queryFn: () => get<Strategy[]>("/api/strategies") });

export const signalsQuery = queryOptions({
  queryKey: ["signals"],
  queryFn: () => get<Signal[]>(query("/api/signals", { limit: KEEP.signals })),
});

/** Halts in force, at whatever level. */
export const haltsQuery = queryOptions({ queryKey: ["halts"], queryFn: () => get<Halt[]>("/api/halts") });

/** Orders that wait for a person, oldest first. */
export const approvalsQuery = queryOptions({ queryKey: ["approvals"], queryFn: () => get<Approval[]>("/api/approvals") });

export const alertsQuery = queryOptions({ queryKey: ["alerts"], queryFn: () => get<Alert[]>("/api/alerts") });
