import { QueryClient } from "@tanstack/react-query";
import { beforeEach, describe, expect, it } from "vitest";
import type { Order, Overview } from "@/lib/api/types";
import { createDispatch } from "./dispatch";
import { Arrivals, INITIAL_LINK, useLink } from "./link";
import { Quotes } from "./quotes";
import { tradeLock } from "./lock";

const NOW = "2026-01-02T03:04:05Z";
const order = (change: Partial<Order> = {}): Order => ({ order_id: "o1", client_order_id: null, venue_order_id: null, account: "paper-1", venue: "binance", symbol: "BTC-USDT", side: "buy", type: "market", time_in_force: "gtc", quantity: "0.1", limit_price: null, reduce_only: false, trigger_price: null, trailing_ratio: null, good_until: null, protection: null, replaces: null, margin_mode: "none", leverage: null, parent: null, held_by: null, status: "proposed", filled_quantity: "0", average_price: null, fee: "0", fee_currency: null, user: null, source: "trader", strategy: null, reason: null, created_at: NOW, updated_at: NOW, signal_time: null, ...change });
const quote = { venue: "binance", symbol: "BTC-USDT", bid: "1", bid_quantity: "1", ask: "2", ask_quantity: "1", last: "1.5", event_time: NOW, received_time: NOW };

function setUp() {
  const client = new QueryClient();
  const quotes = new Quotes((run) => run());
  const arrivals = new Arrivals(() => 1_000);
  const dispatch = createDispatch({ client, quotes, arrivals });
  const tell = (kind: string, data: unknown) => dispatch({ seq: 1, kind, data: data as Record<string, unknown> });
  tell("hello", { mode: "paper", replay: true, account: "paper-1", server_time: NOW, version: "1" });
  client.setQueryData(["orders", "paper-1"], []);
  client.setQueryData(["fills", "paper-1"], []);
  return { client, quotes, arrivals, tell, orders: () => client.getQueryData<Order[]>(["orders", "paper-1"]) ?? [] };
}

const dropped = () => useLink.getState().dropped;

beforeEach(() => useLink.setState(INITIAL_LINK, true));

describe("mode", () => {
  it("is the word of the last message, and unknown when it is no word", () => {
    const { tell } = setUp();
    expect(useLink.getState()).toMatchObject({ mode: "paper", replay: true, account: "paper-1" });
    tell("heartbeat", { server_time: NOW, mode: "live", trading_state: "active" });
    expect(useLink.getState().mode).toBe("live");
    tell("heartbeat", { server_time: NOW, mode: "demo", trading_state: "active" });
    expect(useLink.getState().mode).toBeNull();
    expect(tradeLock({ link: "live", mode: null, tradingState: "active", role: "admin" })).toContain("real money");
  });
  it("locks when even the heartbeat is malformed", () => {
    const { tell } = setUp();
    tell("heartbeat", { mode: "paper" });
    expect(useLink.getState().mode).toBeNull();
    expect(dropped()).toBe(1);
  });
});

describe("bad messages", () => {
  it.each([
    ["quote", { ...quote, bid: "NaN" }],
    ["quote", { ...quote, received_time: "yesterday" }],
    ["quote", { ...quote, last: 1.5 }],
    ["order", { ...order(), quantity: null }],
    ["order", { ...order(), side: "hold" }],
    ["fill", { trade_id: "t" }],
    ["bar", { venue: "binance", symbol: "BTC-USDT", timeframe: "1m", time: NOW, open: "1", high: "Infinity", low: "1", close: "1", volume: "1", closed: true }],
    ["overview", { equity: "NaN" }],
    ["overview", { limits: 5 }],
    ["position", { account: "paper-1", symbol: "BTC-USDT", quantity: "1", guard: { state: "protected", quantity: "many" } }],
    ["snapshot", { quotes: [] }],
  ])("%s %j is dropped, counted, and life goes on", (kind, data) => {
    const { tell, quotes, orders } = setUp();
    tell(kind, data);
    expect(dropped()).toBe(1);
    expect(orders()).toEqual([]);
    tell("quote", quote);
    expect(quotes.quote("binance", "BTC-USDT")?.last).toBe("1.5");
    expect(dropped()).toBe(1);
  });
  it("a kind of a newer server is not an error", () => {
    setUp().tell("weather", { sun: true });
    expect(dropped()).toBe(0);
  });
  it("a bad member does not spoil a snapshot", () => {
    const { tell, quotes, client } = setUp();
    tell("snapshot", { quotes: [quote, { ...quote, symbol: 7 }], orders: [], positions: [], balances: [], strategies: [], feeds: [], overview: { equity: "5", trading_state: "halted" } });
    expect(dropped()).toBe(1);
    expect(quotes.quote("binance", "BTC-USDT")).toBeDefined();
    expect(client.getQueryData<Overview>(["overview", "paper-1"])?.equity).toBe("5");
    expect(useLink.getState().tradingState).toBe("halted");
  });
});

describe("orders", () => {
  it("move only on events, and never backwards", () => {
    const { tell, orders } = setUp();
    tell("order", order());
    tell("order", order({ status: "filled", updated_at: "2026-01-02T03:04:07Z", filled_quantity: "0.1" }));
    tell("order", order({ status: "open", updated_at: "2026-01-02T03:04:06Z" }));
    expect(orders()).toHaveLength(1);
    expect(orders()[0]?.status).toBe("filled");
  });
  it("put new ones in front", () => {
    const { tell, orders } = setUp();
    tell("order", order());
    tell("order", order({ order_id: "o2" }));
    expect(orders().map((each) => each.order_id)).toEqual(["o2", "o1"]);
  });
  it("keep a state that this page does not know, instead of the old one", () => {
    const { tell, orders } = setUp();
    tell("order", order());
    tell("order", { ...order({ updated_at: "2026-01-02T03:04:09Z" }), status: "teleported" });
    expect(orders()[0]?.status).toBe("teleported");
  });
});

describe("overview", () => {
  const full = { equity: "100", cash: "100", limits: [], equity_curve: [{ time: NOW, equity: "100" }], feeds: [], services: [], trading_state: "active" } as unknown as Overview;
  it("merges parts and lets the curve grow without end of memory", () => {
    const { tell, client } = setUp();
    client.setQueryData(["overview", "paper-1"], full);
    for (let second = 1; second <= 60; second += 1) tell("overview", { equity: String(100 + second), as_of: new Date(Date.parse(NOW) + second * 1000).toISOString() });
    const overview = client.getQueryData<Overview>(["overview", "paper-1"]);
    expect(overview).toMatchObject({ cash: "100", equity: "160" });
    expect(overview?.equity_curve.at(-1)?.equity).toBe("160");
    expect(overview?.equity_curve.length).toBeLessThanOrEqual(16);
  });
});

describe("halts and approvals", () => {
  const halt = (change: object = {}) => ({ level: "strategy", key: "sma", engaged: true, by: "tom", reason: "odd", flatten: false, since: NOW, release_asked_by: null, ...change });
  const approval = { order_id: "o9", account: "paper-1", symbol: "BTC-USDT", side: "buy", quantity: "1", notional: "100", reference_price: "100", asked_at: NOW, expires_at: NOW };
  it("keeps a halt until it is released, and the word of the first who wants that", () => {
    const { client, tell } = setUp();
    tell("halt", halt());
    tell("halt", halt({ release_asked_by: "ada" }));
    expect(client.getQueryData(["halts"])).toMatchObject([{ key: "sma", release_asked_by: "ada" }]);
    tell("halt", halt({ engaged: false }));
    expect(client.getQueryData(["halts"])).toEqual([]);
  });
  it("lists an approval until it is decided", () => {
    const { client, tell } = setUp();
    tell("approval", approval);
    expect(client.getQueryData(["approvals"])).toHaveLength(1);
    tell("approval_ended", { order_id: "o9" });
    expect(client.getQueryData(["approvals"])).toEqual([]);
  });
});
