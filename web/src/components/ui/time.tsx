"use client";
/** Moments and ages. Every moment tells both clocks on hover; ages move once a beat without re-rendering their surroundings. */
import { ABSENT } from "@/lib/format/number";
import { bothClocks, parseTime, span, stamp, zoneLabel } from "@/lib/format/time";
import { useZone } from "@/lib/preferences";
import { useBeat } from "@/stream/clock";
import { arrivals } from "@/stream/link";

interface MomentProps {
  /** The moment shown. */
  iso: string | null | undefined;
  venue?: string | null;
  ours?: string | null;
  milliseconds?: boolean;
  className?: string;
}

export function Moment({ iso, venue, ours, milliseconds = false, className = "" }: MomentProps) {
  const zone = useZone();
  const text = useBeat(() => stamp(iso, zone, arrivals.serverNow(), milliseconds));
  return (
    <time className={`num ${className}`} dateTime={iso ?? undefined} title={iso ? bothClocks(venue, ours) : undefined}>
      {text}
    </time>
  );
}

/** "14 s ago" until an hour has passed, then the moment itself. */
export function Since({ iso, className = "" }: { iso: string | null | undefined; className?: string }) {
  const zone = useZone();
  const text = useBeat(() => {
    const ms = parseTime(iso);
    if (ms === null) return ABSENT;
    const age = arrivals.serverNow() - ms;
    return age >= 0 && age < 3_600_000 ? `${span(Math.floor(age / 1000) * 1000 || 0).replace("0.0 s", "now")}${age < 1000 ? "" : " ago"}` : stamp(iso, zone, arrivals.serverNow());
  });
  return (
    <time className={`num ${className}`} dateTime={iso ?? undefined} title={iso ? bothClocks(null, iso) : undefined}>
      {text}
    </time>
  );
}

/** Age of the last message of a kind. */
export function Age({ kind, className = "" }: { kind: string; className?: string }) {
  const text = useBeat(() => {
    const age = arrivals.ageOf(kind);
    return age === null ? ABSENT : span(age < 1000 ? Math.round(age / 100) * 100 : age);
  });
  return <span className={`num ${className}`}>{text}</span>;
}

/** The zone that every time of the page is in: stands beside them. */
export function ZoneLabel() {
  const zone = useZone();
  const text = useBeat(() => zoneLabel(zone, arrivals.serverNow()));
  return <span suppressHydrationWarning>{text}</span>;
}
