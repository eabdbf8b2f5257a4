/** Hooks that say how fresh things are; every panel of figures takes its look from here. */
import { useQuery } from "@tanstack/react-query";
import { overviewQuery } from "@/lib/api/queries";
import type { Feed } from "@/lib/api/types";
import { parseTime } from "@/lib/format/time";
import { BUDGET, type Look, lookOf } from "@/lib/look";
import { useBeat } from "./clock";
import { arrivals, useLink } from "./link";
import { quotes } from "./quotes";

/** Look of everything that comes from the account: equity, positions, balances. */
export function useAccountLook(budget: number = BUDGET.account): Look {
  return useBeat(() => lookOf({ link: useLink.getState().link, age: arrivals.ageOf("account"), budget }));
}

/** Milliseconds since the account was last heard of, cut to whole beats. */
export const accountAge = (): number | null => arrivals.ageOf("account");

export function useFeed(venue: string): Feed | undefined {
  const account = useLink((state) => state.account);
  return useQuery(overviewQuery(account)).data?.feeds.find((feed) => feed.venue === venue);
}

/** A feed vouches for a silent symbol when its own heartbeat is fresh and it does not name that symbol as stale. */
export const vouches = (feed: Feed | undefined, symbol: string): boolean =>
  feed !== undefined && (feed.state === "live" || feed.state === "quiet") && !feed.stale_symbols.includes(symbol);

/** Age of the newest quote by the server's clock. */
export function quoteAge(venue: string, symbol: string): number | null {
  const received = parseTime(quotes.quote(venue, symbol)?.received_time);
  return received === null ? null : Math.max(0, arrivals.serverNow() - received);
}

export function quoteLook(venue: string, symbol: string, feed: Feed | undefined): Look {
  return lookOf({ link: useLink.getState().link, age: quoteAge(venue, symbol), budget: BUDGET.quote, sourceWell: vouches(feed, symbol) });
}
