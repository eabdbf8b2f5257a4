/** Equity and drawdown for the chart. Floats are fine here: a pixel is coarser. */
import { toNumber } from "@/lib/decimal";
import { parseTime } from "@/lib/format/time";
import type { EquityPoint } from "@/lib/api/types";

export interface EquitySample {
  ms: number;
  equity: number;
  /** Zero or below: how far under the highest equity so far, in percent. */
  drawdown: number;
}

export function equitySamples(curve: readonly EquityPoint[]): EquitySample[] {
  let peak = -Infinity;
  let last = -Infinity;
  const samples: EquitySample[] = [];
  for (const point of curve) {
    const ms = parseTime(point.time);
    const equity = toNumber(point.equity);
    if (ms === null || equity === null || ms < last) continue;
    peak = Math.max(peak, equity);
    const sample = { ms, equity, drawdown: peak > 0 ? (equity / peak - 1) * 100 : 0 };
    // Two points of one second cannot both be drawn; the newer stands.
    if (Math.floor(ms / 1000) === Math.floor(last / 1000)) samples.pop();
    samples.push(sample);
    last = ms;
  }
  return samples;
}

export const RANGES = [
  { value: "1H", label: "1 h", seconds: 3_600 },
  { value: "1D", label: "1 d", seconds: 86_400 },
  { value: "1W", label: "1 w", seconds: 604_800 },
  { value: "all", label: "All", seconds: Infinity },
] as const;
export type Range = (typeof RANGES)[number]["value"];

/** The samples of the last `seconds`, with one before them so that the line enters from the edge. */
export function within(samples: readonly EquitySample[], seconds: number): readonly EquitySample[] {
  const end = samples.at(-1)?.ms;
  if (end === undefined || seconds === Infinity) return samples;
  const first = samples.findIndex((sample) => sample.ms >= end - seconds * 1000);
  return samples.slice(Math.max(0, first - 1));
}
