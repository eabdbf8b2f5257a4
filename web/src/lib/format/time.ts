/** Times of the page: one zone chosen by the viewer, both clocks on hover, relative words under an hour. */
import { ABSENT } from "./number";

export type Zone = "local" | "UTC";

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: Zone, fields: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(fields);
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", { ...fields, hourCycle: "h23", timeZone: zone === "UTC" ? "UTC" : undefined });
    formatters.set(key, found);
  }
  return found;
}

export function parseTime(iso: string | null | undefined): number | null {
  if (!iso) return null;
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? null : ms;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const DATE = { year: "numeric", month: "2-digit", day: "2-digit" } as const;

export const clock = (ms: number, zone: Zone): string => formatter(zone, CLOCK).format(ms);

export function day(ms: number, zone: Zone): string {
  const parts = formatter(zone, DATE).formatToParts(ms);
  const part = (type: string) => parts.find((p) => p.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}`;
}

/** "05:07:58.214": clock with milliseconds. */
export const clockMs = (ms: number, zone: Zone): string => `${clock(ms, zone)}.${String(((ms % 1000) + 1000) % 1000).padStart(3, "0")}`;

export const dayAndClock = (ms: number, zone: Zone): string => `${day(ms, zone)} ${clock(ms, zone)}`;

/** Clock alone for today, with the date before it otherwise (and the year, when it is another). */
export function stamp(iso: string | null | undefined, zone: Zone, now: number, milliseconds = false): string {
  const ms = parseTime(iso);
  if (ms === null) return ABSENT;
  const time = milliseconds ? clockMs(ms, zone) : clock(ms, zone);
  const [date, today] = [day(ms, zone), day(now, zone)];
  if (date === today) return time;
  return `${date.slice(0, 4) === today.slice(0, 4) ? date.slice(5) : date} ${time}`;
}

/** Offset of the zone from UTC at that moment, in minutes (so daylight saving is right for each bar). */
export const offsetMinutes = (ms: number, zone: Zone): number => (zone === "UTC" ? 0 : -new Date(ms).getTimezoneOffset());

export function zoneLabel(zone: Zone, now: number): string {
  const minutes = offsetMinutes(now, zone);
  if (zone === "UTC" || minutes === 0) return zone === "UTC" ? "UTC" : "UTC+0";
  const rest = Math.abs(minutes) % 60;
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(Math.abs(minutes) / 60)}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

/** "0.4 s", "14 s", "3 min", "2 h", "5 d". */
export function span(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 1) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** For a tooltip: both clocks, in full, in UTC. */
export function bothClocks(venue: string | null | undefined, ours: string | null | undefined): string {
  const full = (iso: string | null | undefined) => {
    const ms = parseTime(iso);
    return ms === null ? ABSENT : `${day(ms, "UTC")} ${clockMs(ms, "UTC")} UTC`;
  };
  return `venue ${full(venue)}\nours  ${full(ours)}`;
}
