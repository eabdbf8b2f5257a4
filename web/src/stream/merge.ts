/** Folds one change into a list that is on screen. Pure; an older message never overwrites a newer one. */
import type { EquityPoint, Overview } from "@/lib/api/types";

/** Replaces the member with the same key, or puts a new one in front; at most `keep` members stay. */
export function upsert<T>(list: readonly T[] | undefined, item: T, keyOf: (item: T) => string, newer: (next: T, before: T) => boolean, keep = Infinity): T[] {
  const before = list ?? [];
  const key = keyOf(item);
  const index = before.findIndex((member) => keyOf(member) === key);
  if (index < 0) return [item, ...before].slice(0, keep);
  const present = before[index];
  if (present !== undefined && !newer(item, present)) return before as T[];
  const next = before.slice();
  next[index] = item;
  return next;
}

export const laterOrEqual =
  <T>(field: keyof T & string) =>
  (next: T, before: T): boolean =>
    Date.parse(String(next[field])) >= Date.parse(String(before[field]));

/** At most one point in this time is added to the curve; newer values in between replace the last. */
const POINT_EVERY_MS = 5_000;

export function appendEquity(curve: readonly EquityPoint[], point: EquityPoint, keep: number): EquityPoint[] {
  const last = curve.at(-1);
  const beforeLast = curve.at(-2);
  const at = Date.parse(point.time);
  if (last && at < Date.parse(last.time)) return curve as EquityPoint[];
  const replace = last && beforeLast && at - Date.parse(beforeLast.time) < POINT_EVERY_MS;
  return [...(replace ? curve.slice(0, -1) : curve), point].slice(-keep);
}

/** The server may send only the fields that changed. */
export function mergeOverview(before: Overview | undefined, change: Partial<Overview>, keep: number): Overview | undefined {
  if (!before) return undefined;
  const next: Overview = { ...before, ...change };
  if (change.equity_curve === undefined && change.equity && change.as_of) {
    next.equity_curve = appendEquity(before.equity_curve, { time: change.as_of, equity: change.equity }, keep);
  }
  return next;
}
