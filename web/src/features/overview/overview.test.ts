import { describe, expect, it } from "vitest";
import type { Approval, Fill, Halt, Order, Overview, Position, Signal } from "@/lib/api/types";
import { needsOf, type Situation } from "./needs";
import { happenings } from "./timeline";

const overview = { trading_state: "active", halted_by: null, halted_reason: null, feeds: [{ venue: "binance", state: "live", stale_symbols: [] }], services: [{ service: "risk", state: "ready", detail: "", time: null }], limits: [{ name: "day_loss", used: "1", limit: "10", unit: "USDT", ratio: "0.1" }] } as unknown as Overview;
const calm: Situation = { link: "live", overview, orders: [], strategies: [], alerts: [], approvals: [], halts: [], positions: [] };
const texts = (change: Partial<Situation>) => needsOf({ ...calm, ...change }).map((need) => `${need.severity} ${need.text}`);

describe("needs", () => {
  it("are none when all is well", () => expect(texts({})).toEqual([]));
  it("say what is wrong, worst first", () => {
    const found = texts({
      link: "lost",
      overview: { ...overview, trading_state: "halted", halted_by: "ada", halted_reason: "drill", feeds: [{ ...overview.feeds[0], state: "stale", stale_symbols: ["LTC-USDT"] }] as Overview["feeds"], limits: [{ name: "day_loss", used: "9", limit: "10", unit: "USDT", ratio: "0.9" }] },
      orders: [{ order_id: "x", side: "buy", quantity: "1", symbol: "BTC-USDT", status: "outcome_unknown" } as Order],
    });
    expect(found[0]).toBe("critical The page has no connection: every figure here is old.");
    expect(found).toContain("critical Trading is halted by ada: drill");
    expect(found).toContain("warning day loss is at 90 % of its limit.");
    expect(found).toContain("warning Market data from binance is stale: LTC-USDT");
    expect(found.findIndex((text) => text.startsWith("warning"))).toBe(3);
  });
  it("name what waits for a person, what is halted, and what nothing guards", () => {
    const found = texts({
      approvals: [{ order_id: "o", side: "buy", quantity: "2", symbol: "BTC-USDT" } as Approval],
      halts: [{ level: "strategy", key: "sma", by: "tom", reason: "odd", release_asked_by: "ada" } as Halt, { level: "global", key: "*", by: "tom", reason: "r", release_asked_by: null } as Halt],
      positions: [{ venue: "binance", symbol: "BTC-USDT", guard: { state: "naked", detail: "" } } as Position, { venue: "binance", symbol: "LTC-USDT", guard: { state: "protected" } } as Position],
    });
    expect(found).toEqual(["critical No stop guards the position in BTC-USDT.", "warning Waits for approval: buy 2 BTC-USDT.", "warning Strategy sma is halted by tom: odd", "warning ada wants the halt of sma released; a second person must confirm."]);
  });
  it("take a service that is not well as a need", () => expect(texts({ overview: { ...overview, services: [{ service: "risk", state: "missing", detail: "no answer", time: null }] } })).toEqual(["warning Service risk is missing: no answer"]));
});

describe("timeline", () => {
  const fill = { trade_id: "t", received_time: "2026-01-01T00:00:02Z", event_time: "2018-01-01T00:00:00Z" } as Fill;
  const signal = { strategy: "s", symbol: "BTC-USDT", event_time: "2018-01-01T00:00:00Z", received_time: "2026-01-01T00:00:01Z" } as Signal;
  const refused = { order_id: "r", status: "refused", updated_at: "2026-01-01T00:00:03Z" } as Order;
  it("is newest first by our clock, and leaves orders out that went well", () => {
    expect(happenings([fill], [refused, { ...refused, order_id: "ok", status: "filled" }], [signal]).map((item) => item.kind)).toEqual(["refusal", "fill", "signal"]);
  });
});
