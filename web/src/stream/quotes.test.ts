import { describe, expect, it, vi } from "vitest";
import type { Quote } from "@/lib/api/types";
import { Arrivals } from "./link";
import { Quotes, Ring } from "./quotes";

const quote = (last: string, received: string): Quote => ({ venue: "binance", symbol: "BTC-USDT", bid: "1", bid_quantity: "1", ask: "1", ask_quantity: "1", last, event_time: received, received_time: received });

describe("ring", () => {
  it("keeps only the newest, newest first", () => {
    const ring = new Ring<number>(4);
    for (let n = 1; n <= 10; n += 1) ring.push(n);
    expect(ring.newest(10)).toEqual([10, 9, 8, 7]);
    expect(ring.newest(2, (n) => n % 2 === 0)).toEqual([10, 8]);
    expect(ring.pushed).toBe(10);
  });
});

describe("quotes", () => {
  it("paint once a frame however many arrive, and the newest wins", () => {
    const frames: (() => void)[] = [];
    const quotes = new Quotes((run) => frames.push(run));
    const painter = vi.fn();
    quotes.paint("quote binance BTC-USDT", painter);
    frames.splice(0).forEach((run) => run());
    painter.mockClear();
    for (let n = 0; n < 200; n += 1) quotes.pushQuote(quote(String(n), new Date(n).toISOString()));
    expect(frames).toHaveLength(1);
    frames[0]?.();
    expect(painter).toHaveBeenCalledOnce();
    expect(quotes.quote("binance", "BTC-USDT")?.last).toBe("199");
  });
  it("never go back in time", () => {
    const quotes = new Quotes((run) => run());
    quotes.pushQuote(quote("2", "2026-01-01T00:00:02Z"));
    quotes.pushQuote(quote("1", "2026-01-01T00:00:01Z"));
    expect(quotes.quote("binance", "BTC-USDT")?.last).toBe("2");
    expect(quotes.newestReceived).toBe(Date.parse("2026-01-01T00:00:02Z"));
  });
  it("stop painting who has left", () => {
    const quotes = new Quotes((run) => run());
    const painter = vi.fn();
    quotes.paint("quote binance BTC-USDT", painter)();
    painter.mockClear();
    quotes.pushQuote(quote("1", "2026-01-01T00:00:01Z"));
    expect(painter).not.toHaveBeenCalled();
  });
});

describe("arrivals", () => {
  it("take the server's clock from the least delayed message", () => {
    let now = 1_000;
    const arrivals = new Arrivals(() => now);
    arrivals.serverTime(5_000);
    now = 2_000;
    arrivals.serverTime(5_200);
    expect(arrivals.serverNow()).toBeGreaterThanOrEqual(5_990);
    arrivals.mark("account");
    now = 2_300;
    expect(arrivals.ageOf("account")).toBe(300);
    expect(arrivals.ageOf("never")).toBeNull();
  });
});
