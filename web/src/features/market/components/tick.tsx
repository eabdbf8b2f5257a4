"use client";
/** Cells that ticks write into directly: no React state, store or query per tick. */
import { useEffect, useRef } from "react";
import { ABSENT, formatNumber } from "@/lib/format/number";
import { span } from "@/lib/format/time";
import type { Quote } from "@/lib/api/types";
import { onBeat } from "@/stream/clock";
import { quoteAge, quoteLook, useFeed } from "@/stream/fresh";
import { quotes } from "@/stream/quotes";
import { toNumber } from "@/lib/decimal";

const FLASH_EVERY_MS = 1_000;

export type TickField = "bid" | "ask" | "last" | "bid_quantity" | "ask_quantity";

interface TickProps {
  venue: string;
  symbol: string;
  field: TickField;
  precision: number | undefined;
  /** Only the last price flashes. */
  flash?: boolean;
  className?: string;
}

export function Tick({ venue, symbol, field, precision, flash = false, className = "" }: TickProps) {
  const cell = useRef<HTMLSpanElement>(null);
  const feed = useFeed(venue);
  useEffect(() => {
    let shown: string | null = null;
    let flashedAt = 0;
    const paint = () => {
      const node = cell.current;
      if (!node) return;
      const value = quotes.quote(venue, symbol)?.[field] ?? null;
      if (value !== shown) {
        node.textContent = formatNumber(value, { precision });
        node.title = value ?? "";
        if (flash) flashedAt = wash(node, shown, value, flashedAt);
        shown = value;
      }
      look();
    };
    const look = () => {
      const node = cell.current;
      if (!node) return;
      const next = quoteLook(venue, symbol, feed);
      if (node.dataset.look !== next) node.dataset.look = next;
    };
    const stopPainting = quotes.paint(`quote ${venue} ${symbol}`, paint);
    const stopBeat = onBeat(look);
    return () => {
      stopPainting();
      stopBeat();
    };
  }, [venue, symbol, field, precision, flash, feed]);
  return (
    <span ref={cell} className={`num ${className}`}>
      {ABSENT}
    </span>
  );
}

/** Restarts the wash at most once a second; returns when it last ran. */
function wash(node: HTMLElement, before: string | null, now: string | null, last: number): number {
  const [from, to] = [toNumber(before), toNumber(now)];
  const at = performance.now();
  if (from === null || to === null || from === to || at - last < FLASH_EVERY_MS) return last;
  node.classList.remove("flash-up", "flash-down");
  void node.offsetWidth;
  node.classList.add(to > from ? "flash-up" : "flash-down");
  return at;
}

/** "0.3 s", "quiet 14 s", "stale 9 s", "frozen 20 s": the age with the word for what it means. */
export function QuoteAge({ venue, symbol, className = "" }: { venue: string; symbol: string; className?: string }) {
  const cell = useRef<HTMLSpanElement>(null);
  const feed = useFeed(venue);
  useEffect(() => {
    const paint = () => {
      const node = cell.current;
      if (!node) return;
      const age = quoteAge(venue, symbol);
      const look = quoteLook(venue, symbol, feed);
      const words = { live: "", quiet: "quiet ", stale: "stale ", gone: "frozen " }[look];
      node.textContent = age === null ? ABSENT : words + span(Math.round(age / 100) * 100);
      node.classList.toggle("text-warning", look === "stale" || look === "gone");
    };
    paint();
    return onBeat(paint);
  }, [venue, symbol, feed]);
  return <span ref={cell} className={`num text-faint ${className}`} title="Age of the quote" />;
}

/** A derived figure of the quote, written like a tick. */
export function Derived({ venue, symbol, compute, className = "" }: { venue: string; symbol: string; compute: (quote: Quote) => string; className?: string }) {
  const cell = useRef<HTMLSpanElement>(null);
  const feed = useFeed(venue);
  useEffect(() => {
    const look = () => {
      if (cell.current) cell.current.dataset.look = quoteLook(venue, symbol, feed);
    };
    const paint = () => {
      const quote = quotes.quote(venue, symbol);
      if (cell.current) cell.current.textContent = quote ? compute(quote) : ABSENT;
      look();
    };
    const stops = [quotes.paint(`quote ${venue} ${symbol}`, paint), onBeat(look)];
    return () => stops.forEach((stop) => stop());
  }, [venue, symbol, compute, feed]);
  return (
    <span ref={cell} className={`num ${className}`}>
      {ABSENT}
    </span>
  );
}
