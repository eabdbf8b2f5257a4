/**
 * Chart times. The chart library knows no zones, so each bar is shifted by the zone's offset at that bar.
 * Invariant: times stay strictly ascending, also in the hour that daylight saving repeats.
 */
import { offsetMinutes, type Zone } from "@/lib/format/time";

/** Seconds for the chart, from a UTC moment in milliseconds. */
export const chartSeconds = (ms: number, zone: Zone): number => Math.floor(ms / 1000) + offsetMinutes(ms, zone) * 60;

/** Shifts ascending moments; those of a repeated hour are squeezed one second apart behind the last bar before it. */
export function shiftAscending(times: readonly number[], shift: (ms: number) => number): number[] {
  let last = -Infinity;
  return times.map((ms) => {
    last = Math.max(shift(ms), last + 1);
    return last;
  });
}
