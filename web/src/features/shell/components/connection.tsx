"use client";
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Shape, type ShapeName } from "@/components/ui/shape";
import { overviewQuery } from "@/lib/api/queries";
import type { Feed, FeedState } from "@/lib/api/types";
import { clock, parseTime, span, zoneLabel } from "@/lib/format/time";
import { useZone } from "@/lib/preferences";
import { useBeat } from "@/stream/clock";
import { arrivals, useLink } from "@/stream/link";
import { quotes } from "@/stream/quotes";

const FEEDS: Readonly<Record<FeedState, { shape: ShapeName; tone: string }>> = {
  live: { shape: "dot", tone: "text-muted" },
  quiet: { shape: "half", tone: "text-muted" },
  connecting: { shape: "ring", tone: "text-warning" },
  stale: { shape: "triangle", tone: "text-warning" },
  down: { shape: "square", tone: "text-critical" },
};

/** Milliseconds since the venue was last heard of, by the server's clock. */
function feedAge(feed: Feed): number | null {
  const told = Math.max(parseTime(feed.last_message_at) ?? 0, quotes.newestReceived ?? 0);
  return told === 0 ? null : Math.max(0, arrivals.serverNow() - told);
}

/** Venue, state, latency and age of the newest message. */
export function FeedMark() {
  const account = useLink((state) => state.account);
  const link = useLink((state) => state.link);
  const overview = useQuery(overviewQuery(account)).data;
  const feed = overview?.feeds[0];
  const age = useBeat(() => {
    const ms = feed ? feedAge(feed) : null;
    return ms === null ? "—" : span(Math.round(ms / 100) * 100);
  });
  if (link === "lost") return <Words shape="square" tone="text-critical" words="no connection" />;
  if (link === "connecting" || !feed) return <Words shape="ring" tone="text-muted" words="connecting" />;
  const { shape, tone } = FEEDS[feed.state];
  const others = (overview?.feeds.length ?? 1) - 1;
  const latency = feed.latency_ms ?? overview?.latency_ms ?? null;
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap" title={`Feed ${feed.venue}: ${feed.state}, ${feed.gaps} gaps, ${feed.reconnects} reconnections`}>
      <Shape name={shape} size={9} className={tone} />
      <span className={feed.state === "live" ? "text-muted" : tone}>
        {feed.venue} {feed.state}
        {others > 0 && ` +${others}`}
      </span>
      <span className="num min-w-[5ch] text-right text-text">{latency === null ? "—" : Math.round(latency)} ms</span>
      <span className="num min-w-[5.5ch] text-right text-faint" title="Age of the newest message">
        {age}
      </span>
    </span>
  );
}

function Words({ shape, tone, words }: { shape: ShapeName; tone: string; words: string }) {
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${tone}`}>
      <Shape name={shape} size={9} />
      {words}
    </span>
  );
}

/** Under the strip while the stream is gone, so that it covers neither HALT nor a figure. */
export function FrozenBanner() {
  const link = useLink((state) => state.link);
  const attempts = useLink((state) => state.attempts);
  const frozenAt = useLink((state) => state.frozenAt);
  const zone = useZone();
  if (link !== "lost") return null;
  const since = frozenAt === null ? "Never connected" : `Frozen at ${clock(frozenAt, zone)} ${zoneLabel(zone, frozenAt)}`;
  return (
    <div role="alert" className="hatched-warning flex min-h-8 shrink-0 items-center justify-center gap-2 border-b border-warning bg-s1 px-3 font-medium text-warning">
      <Shape name="triangle" size={12} />
      <span className="bg-s1 px-1">
        {since}, reconnecting ({attempts})<span className="max-sm:hidden">. Figures are old. HALT still works.</span>
      </span>
    </div>
  );
}

/** Keeps the window's title honest: mode first, then what is wrong. */
export function useTitle(section: string): void {
  const mode = useLink((state) => state.mode);
  const link = useLink((state) => state.link);
  const tradingState = useLink((state) => state.tradingState);
  useEffect(() => {
    const word = mode === "paper" ? "PAPER" : mode === "live" ? "LIVE" : "…";
    const trouble = link === "lost" ? "frozen · " : tradingState === "halted" ? "halted · " : "";
    document.title = `[${word}] ${trouble}${section} · AlgoTrendy`;
  }, [mode, link, tradingState, section]);
}
