/**
 * The four looks of a value: live, quiet, stale, gone.
 * Invariant: a value whose source cannot vouch for it never looks live.
 */
export type Look = "live" | "quiet" | "stale" | "gone";
export type Link = "connecting" | "live" | "lost";

/** Milliseconds after which a value of this kind is stale. */
export const BUDGET = { quote: 2_000, account: 10_000, risk: 3_000, health: 15_000 } as const;

export interface Evidence {
  link: Link;
  /** Milliseconds since the value was received; null when it never was. */
  age: number | null;
  budget: number;
  /** Its feed's own heartbeat is well and does not name this symbol as stale: silence means nothing traded. */
  sourceWell?: boolean;
}

export function lookOf({ link, age, budget, sourceWell = false }: Evidence): Look {
  if (link !== "live") return "gone";
  if (age === null) return "stale";
  if (age <= budget) return "live";
  return sourceWell ? "quiet" : "stale";
}
