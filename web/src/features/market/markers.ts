/**
 * Own fills as marks on bars. Pure.
 * Invariant: at most `BUDGET` marks however many fills there are; those of one bar and side are one mark with a count.
 */
import type { Fill, Side } from "@/lib/api/types";
import { parseTime } from "@/lib/format/time";

export const MARKER_BUDGET = 500;

export interface FillMark {
  /** Opening moment of the bar, milliseconds UTC. */
  bar: number;
  side: Side;
  count: number;
}

/** `bars` are opening moments, ascending; `momentOf` says when a fill was, by the market's clock. Fills outside the bars are not shown. */
export function fillMarks(fills: readonly Fill[], bars: readonly number[], momentOf: (fill: Fill) => number | null = venueMoment, budget = MARKER_BUDGET): FillMark[] {
  const marks = new Map<string, FillMark>();
  for (const fill of fills) {
    const at = momentOf(fill);
    const bar = at === null ? undefined : barOf(at, bars);
    if (bar === undefined) continue;
    const key = `${bar} ${fill.side}`;
    const mark = marks.get(key);
    if (mark) mark.count += 1;
    else marks.set(key, { bar, side: fill.side, count: 1 });
  }
  return [...marks.values()].sort((a, b) => a.bar - b.bar).slice(-budget);
}

const venueMoment = (fill: Fill): number | null => parseTime(fill.event_time);

/** The bar that was open at that moment, by bisection. The last one is taken to be as long as the shortest. */
function barOf(at: number, bars: readonly number[]): number | undefined {
  let low = 0;
  let high = bars.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bars[middle] ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  const bar = bars[low - 1];
  if (bar === undefined || low < bars.length) return bar;
  const length = bars.reduce((least, opening, index) => Math.min(least, opening - (bars[index - 1] ?? -Infinity)), Infinity);
  return at - bar < length ? bar : undefined;
}
