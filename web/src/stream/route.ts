/**
 * Where new orders of an account go: to itself or, while its venue is away, to the account that stands in.
 * Invariant: only the server says who stands in; the page follows, and never keeps an old answer for a new order.
 */
import { useQuery } from "@tanstack/react-query";
import { accountsQuery } from "@/lib/api/queries";
import type { Account } from "@/lib/api/types";
import { useLink } from "./link";

export interface Route {
  account: string;
  /** None until the accounts are known. */
  venue: string | null;
  /** The venue that is away, where another account stands in. */
  away: string | null;
}

export function routeOf(accounts: readonly Account[] | undefined, name: string): Route {
  const home = accounts?.find((each) => each.account === name);
  const instead = home?.stand_in ? accounts?.find((each) => each.account === home.stand_in) : undefined;
  if (home && instead) return { account: instead.account, venue: instead.venue, away: home.venue };
  return { account: name, venue: home?.venue ?? null, away: null };
}

/** The one sentence about it; null where orders go where they always go. */
export function routeNote({ account, venue, away }: Route): string | null {
  return away === null ? null : `${away} is away: new orders go to ${account} at ${venue}. What is there already stays there.`;
}

export function useRoute(): Route {
  const account = useLink((state) => state.account);
  return routeOf(useQuery(accountsQuery).data, account);
}
