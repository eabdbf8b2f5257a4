import { queryOptions } from "@tanstack/react-query";
import { get, post, put, query } from "@/lib/api/client";
import type { Limits, Portfolio } from "@/lib/api/types";

/** Every version, newest first; the first is in force. */
export const limitsQuery = (account: string) => queryOptions({ queryKey: ["limits", account], queryFn: () => get<Limits[]>(query("/api/limits", { account })), enabled: account !== "" });

export const portfolioQuery = (account: string, strategy: string | null) =>
  queryOptions({ queryKey: ["portfolio", account, strategy], queryFn: () => get<Portfolio>(query("/api/portfolio", strategy ? { strategy } : { account })), enabled: account !== "", refetchInterval: 5_000 });

export const decide = (orderId: string, approved: boolean, reason: string, referencePrice: string): Promise<unknown> =>
  post(`/api/approvals/${orderId}`, { approved, reason, reference_price: referencePrice });

export const setLimits = (account: string, version: number, document: Record<string, unknown>, reason: string): Promise<Limits> => put("/api/limits", { account, version, document, reason });
