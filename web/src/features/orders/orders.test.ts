import { describe, expect, it } from "vitest";
import type { Balance, Instrument, Order, Quote } from "@/lib/api/types";
import { orderFilter } from "./filter";
import { orderRows } from "./store";
import { type Draft, EMPTY_DRAFT, estimate, onInstrument, problemsOf, quantityFor, toOrder } from "./ticket";

const instrument: Instrument = { venue: "binance", symbol: "BTC-USDT", base: "BTC", quote: "USDT", price_step: "0.01", quantity_step: "0.00001", min_quantity: "0.00001", min_notional: "10", maker_fee: "0.0008", taker_fee: "0.001", kind: "spot", max_leverage: "1" };
const quote: Quote = { venue: "binance", symbol: "BTC-USDT", bid: "6700", bid_quantity: "1", ask: "6701", ask_quantity: "0.5", last: "6700.5", event_time: "", received_time: "" };
const balances: Balance[] = [
  { account: "paper-1", asset: "USDT", total: "1000", available: "1000", reserved: "0" },
  { account: "paper-1", asset: "BTC", total: "0.25", available: "0.25", reserved: "0" },
];
const draft = (change: Partial<Draft> = {}): Draft => ({ ...EMPTY_DRAFT, quantity: "0.1", price: "6700", ...change });

describe("ticket", () => {
  it("costs exactly what quantity, price and fee say", () => {
    expect(estimate(draft({ price: "6700.10" }), instrument, quote, balances)).toMatchObject({ notional: "670.010", liquidity: "maker", fee: "0.5360080", total: "670.5460080" });
  });
  it("takes the opposite price at the market, and says when the best level is too small", () => {
    const guess = estimate(draft({ type: "market", quantity: "0.6" }), instrument, quote, balances);
    expect(guess).toMatchObject({ price: "6701", liquidity: "taker", beyondBest: true });
    expect(guess.available?.enough).toBe(false);
  });
  it("is a taker when the limit crosses", () => {
    expect(estimate(draft({ price: "6701" }), instrument, quote, balances).liquidity).toBe("taker");
    expect(estimate(draft({ side: "sell", price: "6700" }), instrument, quote, balances).liquidity).toBe("taker");
    expect(estimate(draft({ side: "sell", price: "6702" }), instrument, quote, balances).liquidity).toBe("maker");
  });
  it("says nothing rather than something wrong without a quote or a number", () => {
    expect(estimate(draft({ type: "market" }), instrument, undefined, balances)).toMatchObject({ price: null, notional: null, total: null });
    expect(estimate(draft({ quantity: "ten" }), instrument, quote, balances)).toMatchObject({ notional: null, fee: null });
  });
  it.each([
    [{ quantity: "" }, "quantity"],
    [{ quantity: "-1" }, "quantity"],
    [{ quantity: "0" }, "quantity"],
    [{ quantity: "0.000001" }, "quantity"],
    [{ quantity: "NaN" }, "quantity"],
    [{ quantity: "0.00100" }, "quantity"],
    [{ price: "6700.001" }, "limit_price"],
    [{ price: "" }, "limit_price"],
    [{ type: "stop" }, "trigger_price"],
    [{ type: "stop_limit", trigger: "6600.001" }, "trigger_price"],
    [{ type: "take_profit_limit", trigger: "7000", price: "" }, "limit_price"],
    [{ type: "oco", trigger: "" }, "trigger_price"],
    [{ type: "trailing_stop", trail: "100" }, "trailing_ratio"],
    [{ type: "trailing_stop", trail: "" }, "trailing_ratio"],
    [{ timeInForce: "gtd" }, "good_until"],
    [{ stopLoss: "6800" }, "stop_price"],
    [{ takeProfit: "6600" }, "take_profit_price"],
    [{ side: "sell", stopLoss: "6600" }, "stop_price"],
  ] as const)("refuses %j", (change: Partial<Draft>, field) => expect(problemsOf(draft(change), instrument, quote)).toHaveProperty(field));
  it("accepts what people type", () => expect(problemsOf(draft({ price: "6,700.50", quantity: " 0.1 " }), instrument, quote)).toEqual({}));
  it.each([
    [{ type: "stop", trigger: "6,600" }, { type: "stop", limit_price: null, trigger_price: "6600", time_in_force: "gtc" }],
    [{ type: "trailing_stop", trail: "1.5" }, { trailing_ratio: "0.015", trigger_price: null }],
    [{ type: "oco", side: "sell", price: "7000", trigger: "6500" }, { limit_price: "7000", trigger_price: "6500" }],
    [{ timeInForce: "post_only", stopLoss: "6000", takeProfit: "7000" }, { time_in_force: "post_only", protection: { stop_price: "6000", take_profit_price: "7000", trailing_ratio: null } }],
    [{ reduceOnly: true, stopLoss: "6000" }, { reduce_only: true, protection: null }],
    [{ type: "market", timeInForce: "fok" }, { time_in_force: "gtc", limit_price: null }],
  ] as const)("writes %j as the gateway wants it", (change: Partial<Draft>, expected) => expect(toOrder(draft(change), "b", "paper-1", "BTC-USDT")).toMatchObject(expected));
  it("writes the end of an order as an instant", () => expect(toOrder(draft({ timeInForce: "gtd", until: "2030-01-02T03:04" }), "b", "paper-1", "BTC-USDT").good_until).toBe(new Date("2030-01-02T03:04").toISOString()));
  const perpetual: Instrument = { ...instrument, symbol: "BTC-USDT-PERP", kind: "perpetual", max_leverage: "100" };
  it("puts a part of a perpetual's worth behind it, on either side, and sells what is not held", () => {
    const short = draft({ side: "sell", price: "6700", leverage: "5" });
    expect(estimate(short, perpetual, quote, balances)).toMatchObject({ borrowed: true, notional: "670.0", fee: "0.6700", total: "134.67000000", available: { asset: "USDT", enough: true } });
    const most = quantityFor(100, short, perpetual, quote, balances) ?? "";
    expect(Number(most)).toBeGreaterThan(0.74);
    expect(estimate({ ...short, quantity: most }, perpetual, quote, balances).available?.enough).toBe(true);
    expect(estimate({ ...short, reduceOnly: true }, perpetual, quote, balances).total).toBe("0.6700");
  });
  it.each([
    ["BTC-USDT-PERP", { leverage: "5", marginMode: "isolated" }, { margin_mode: "isolated", leverage: "5", reduce_only: false }],
    ["BTC-USDT-PERP", { reduceOnly: true }, { margin_mode: "cross", leverage: null, reduce_only: true }],
    ["BTC-USDT", {}, { margin_mode: "none", leverage: null }],
    ["BTC-USDT", { leverage: "3" }, { margin_mode: "cross", leverage: "3" }],
  ] as const)("writes margin on %s of %j as the gateway wants it", (symbol, change, expected) => expect(toOrder(draft(change), "b", "paper-1", symbol)).toMatchObject(expected));
  it("refuses leverage that is not offered, and forgets it on an instrument without any", () => {
    expect(problemsOf(draft({ leverage: "101" }), perpetual, quote)).toHaveProperty("leverage");
    expect(problemsOf(draft({ leverage: "0.5" }), perpetual, quote)).toHaveProperty("leverage");
    expect(problemsOf(draft({ leverage: "100" }), perpetual, quote)).toEqual({});
    expect(onInstrument(draft({ leverage: "5", marginMode: "isolated" }), instrument)).toMatchObject({ leverage: "", marginMode: "cross" });
    expect(onInstrument(draft({ leverage: "5" }), perpetual).leverage).toBe("5");
  });
  it("never offers more than is there", () => {
    expect(quantityFor(100, draft({ side: "sell" }), instrument, quote, balances)).toBe("0.25000");
    const most = quantityFor(100, draft(), instrument, quote, balances) ?? "";
    expect(estimate(draft({ quantity: most }), instrument, quote, balances).available?.enough).toBe(true);
    expect(Number(most)).toBeGreaterThan(0.149);
    expect(quantityFor(50, draft({ type: "market" }), instrument, undefined, balances)).toBeNull();
  });
});

const order = (change: Partial<Order>): Order => ({ order_id: "a", client_order_id: null, venue_order_id: null, account: "paper-1", venue: "binance", symbol: "BTC-USDT", side: "buy", type: "limit", time_in_force: "gtc", quantity: "1", limit_price: "5", reduce_only: false, trigger_price: null, trailing_ratio: null, good_until: null, protection: null, replaces: null, margin_mode: "none", leverage: null, parent: null, held_by: null, status: "open", filled_quantity: "0", average_price: null, fee: "0", fee_currency: null, user: "uma", source: "trader", strategy: null, reason: null, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", signal_time: null, ...change });
const sent = { order: { order_id: "b", account: "paper-1", symbol: "BTC-USDT", side: "buy" as const, type: "market" as const, quantity: "1", time_in_force: "gtc" as const, reduce_only: false, margin_mode: "none" as const, or_stand_in: false }, at: "2026-01-01T00:00:01Z", venue: "binance" };

describe("rows", () => {
  it("show what is being sent, until the server speaks of it", () => {
    expect(orderRows([order({})], { sent: [sent], cancels: new Set() }).map((row) => row.status)).toEqual(["sending", "open"]);
    expect(orderRows([order({ order_id: "b", status: "proposed" })], { sent: [sent], cancels: new Set() }).map((row) => row.status)).toEqual(["proposed"]);
  });
  it("mark a cancel as asked only while it can still matter", () => {
    const cancels = new Set(["a"]);
    expect(orderRows([order({})], { sent: [], cancels })[0]?.cancelAsked).toBe(true);
    expect(orderRows([order({ status: "filled" })], { sent: [], cancels })[0]?.cancelAsked).toBe(false);
  });
});

describe("filter", () => {
  const rows = orderRows([order({}), order({ order_id: "c", symbol: "LTC-USDT", status: "refused", strategy: "sma-cross", reason: { code: "max_order_notional", message: "Too large", limit: "1", observed: "2" } })], { sent: [], cancels: new Set() });
  const find = (text: string) => rows.filter(orderFilter(text)).map((row) => row.order_id);
  it.each([
    ["", ["a", "c"]],
    ["symbol:ltc", ["c"]],
    ["state:refused source:sma", ["c"]],
    ["state:refused symbol:btc", []],
    ["reason:notional", ["c"]],
    ["buy uma", ["a"]],
    ["colour:red", []],
  ])("%j finds %j", (text, expected) => expect(find(text)).toEqual(expected));
});
