/**
 * The arithmetic of the ticket: what an order would cost, and what is wrong with it. Pure, exact, in decimals.
 * Invariant: an order that breaks the instrument's own rules is never offered for sending.
 */
import type { Balance, Instrument, NewOrder, OrderType, Quote, Side, TimeInForce } from "@/lib/api/types";
import { add, compare, type Decimal, divide, floorTo, isMultipleOf, multiply, parse, signOf, subtract, toText } from "@/lib/decimal";

export interface Draft {
  side: Side;
  type: OrderType;
  quantity: string;
  price: string;
  trigger: string;
  /** Distance of a trailing stop, in percent. */
  trail: string;
  timeInForce: TimeInForce;
  /** Local date and time at which a GTD order ends, as the input writes it. */
  until: string;
  reduceOnly: boolean;
  /** Times the money behind the order; empty for the account's own (a perpetual) or for none (spot). */
  leverage: string;
  marginMode: "cross" | "isolated";
  /** Exits that are placed as the order fills; empty for none. */
  stopLoss: string;
  takeProfit: string;
}

export const EMPTY_DRAFT: Draft = { side: "buy", type: "limit", quantity: "", price: "", trigger: "", trail: "", timeInForce: "gtc", until: "", reduceOnly: false, leverage: "", marginMode: "cross", stopLoss: "", takeProfit: "" };

const PRICED: ReadonlySet<OrderType> = new Set(["limit", "stop_limit", "take_profit_limit", "oco"]);
const TRIGGERED: ReadonlySet<OrderType> = new Set(["stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop", "oco"]);

/** It has a limit price. */
export const isPriced = (type: OrderType): boolean => PRICED.has(type);
/** It waits for a price before it trades. */
export const isTriggered = (type: OrderType): boolean => TRIGGERED.has(type);
/** It needs a trigger price; a trailing stop makes its own. */
export const needsTrigger = (type: OrderType): boolean => isTriggered(type) && type !== "trailing_stop";
/** How long it may work is a question only for what rests in the book. */
export const hasDuration = (type: OrderType): boolean => type === "limit";
/** Exits go with an entry that is neither an exit itself nor waiting for a price. */
export const mayHaveExits = (draft: Pick<Draft, "type" | "reduceOnly">): boolean => !isTriggered(draft.type) && !draft.reduceOnly;

/** It can be traded with borrowed money. */
export const mayBorrow = (instrument: Pick<Instrument, "kind" | "max_leverage">): boolean => instrument.kind === "perpetual" || compare(parse(instrument.max_leverage) ?? ONE, ONE) > 0;
/** This order is: a perpetual always, spot where a leverage says so. */
export const borrows = (draft: Pick<Draft, "leverage">, instrument: Pick<Instrument, "kind" | "max_leverage">): boolean => mayBorrow(instrument) && (instrument.kind === "perpetual" || draft.leverage.trim() !== "");
/** Of what a draft says of margin, what means something on this instrument. */
export const onInstrument = (draft: Draft, instrument: Instrument): Draft => (mayBorrow(instrument) ? draft : { ...draft, leverage: "", marginMode: "cross" });

export interface Estimate {
  /** Price the estimate uses: the limit, or the best opposite price. */
  price: string | null;
  notional: string | null;
  fee: string | null;
  feeRate: string;
  liquidity: "maker" | "taker";
  /** What leaves (buy) or comes in (sell), fee included; on margin, what is put behind the order. */
  total: string | null;
  borrowed: boolean;
  available: { asset: string; amount: string; enough: boolean } | null;
  /** The quantity exceeds what the best level shows, so the real price will be worse. */
  beyondBest: boolean;
}

export type Problems = Partial<Record<"quantity" | "limit_price" | "trigger_price" | "trailing_ratio" | "good_until" | "leverage" | "stop_price" | "take_profit_price", string>>;

/** Accepts what people type: spaces and commas as thousands marks. */
export const typedNumber = (text: string): string => text.replace(/[\s,_]/g, "");

export function problemsOf(draft: Draft, instrument: Instrument, quote: Quote | undefined): Problems {
  const problems: Problems = {};
  const quantity = parse(typedNumber(draft.quantity));
  const step = parse(instrument.quantity_step);
  const least = parse(instrument.min_quantity);
  if (!quantity || signOf(quantity) <= 0) problems.quantity = "A quantity above zero.";
  else if (step && !isMultipleOf(quantity, step)) problems.quantity = `A multiple of ${instrument.quantity_step}.`;
  else if (least && compare(quantity, least) < 0) problems.quantity = `At least ${instrument.min_quantity}.`;
  const priceProblem = (text: string): string | undefined => {
    const value = parse(typedNumber(text));
    const tick = parse(instrument.price_step);
    if (!value || signOf(value) <= 0) return "A price above zero.";
    return tick && !isMultipleOf(value, tick) ? `A multiple of ${instrument.price_step}.` : undefined;
  };
  const note = (field: keyof Problems, problem: string | undefined) => {
    if (problem) problems[field] = problem;
  };
  if (isPriced(draft.type)) note("limit_price", priceProblem(draft.price));
  if (needsTrigger(draft.type)) note("trigger_price", priceProblem(draft.trigger));
  if (draft.type === "trailing_stop") note("trailing_ratio", trailProblem(draft.trail));
  if (hasDuration(draft.type) && draft.timeInForce === "gtd" && !draft.until) problems.good_until = "A date and time.";
  if (borrows(draft, instrument) && draft.leverage.trim()) note("leverage", leverageProblem(draft.leverage, instrument));
  if (mayHaveExits(draft)) {
    note("stop_price", draft.stopLoss && (priceProblem(draft.stopLoss) ?? sideProblem(draft, draft.stopLoss, false, quote)));
    note("take_profit_price", draft.takeProfit && (priceProblem(draft.takeProfit) ?? sideProblem(draft, draft.takeProfit, true, quote)));
  }
  const price = priceOf(draft, quote);
  const floor = parse(instrument.min_notional);
  if (!problems.quantity && !problems.limit_price && quantity && price && floor && compare(multiply(quantity, price), floor) < 0) {
    problems.quantity = `Worth at least ${instrument.min_notional} ${instrument.quote}.`;
  }
  return problems;
}

function trailProblem(text: string): string | undefined {
  const percent = parse(typedNumber(text));
  return percent && signOf(percent) > 0 && compare(percent, { digits: 100n, scale: 0 }) < 0 ? undefined : "Between 0 and 100 %.";
}

function leverageProblem(text: string, instrument: Instrument): string | undefined {
  const [times, most] = [parse(typedNumber(text)), parse(instrument.max_leverage)];
  return times && most && compare(times, ONE) >= 0 && compare(times, most) <= 0 ? undefined : `Between 1 and ${instrument.max_leverage}.`;
}

/** An exit beyond the entry's own price would trade at once. */
function sideProblem(draft: Draft, text: string, gains: boolean, quote: Quote | undefined): string | undefined {
  const [exit, entry] = [parse(typedNumber(text)), priceOf(draft, quote)];
  if (!exit || !entry) return undefined;
  const above = compare(exit, entry) > 0;
  if (above === (gains === (draft.side === "buy"))) return undefined;
  return `Must be ${above ? "below" : "above"} the entry.`;
}

/** What goes to the gateway. Call it only where `problemsOf` finds nothing. */
export function toOrder(draft: Draft, orderId: string, account: string, symbol: string): NewOrder {
  const exits = mayHaveExits(draft) && (draft.stopLoss || draft.takeProfit);
  const leverage = typedNumber(draft.leverage.trim()) || null;
  return {
    order_id: orderId,
    account,
    // The page names the account that stands in itself, after its owner has seen it.
    or_stand_in: false,
    symbol,
    side: draft.side,
    type: draft.type,
    quantity: typedNumber(draft.quantity),
    limit_price: isPriced(draft.type) ? typedNumber(draft.price) : null,
    trigger_price: needsTrigger(draft.type) ? typedNumber(draft.trigger) : null,
    trailing_ratio: draft.type === "trailing_stop" ? ratioOf(draft.trail) : null,
    time_in_force: hasDuration(draft.type) ? draft.timeInForce : "gtc",
    good_until: hasDuration(draft.type) && draft.timeInForce === "gtd" ? new Date(draft.until).toISOString() : null,
    reduce_only: draft.reduceOnly,
    protection: exits ? { stop_price: typedNumber(draft.stopLoss) || null, take_profit_price: typedNumber(draft.takeProfit) || null, trailing_ratio: null } : null,
    margin_mode: leverage || symbol.endsWith("-PERP") ? draft.marginMode : "none",
    leverage,
  };
}

/** Percent as typed to the fraction that travels, exactly. */
function ratioOf(percent: string): string | null {
  const value = parse(typedNumber(percent));
  return value && toText({ digits: value.digits, scale: value.scale + 2 });
}

function priceOf(draft: Draft, quote: Quote | undefined): Decimal | null {
  if (isPriced(draft.type)) return parse(typedNumber(draft.price));
  if (needsTrigger(draft.type)) return parse(typedNumber(draft.trigger));
  return parse(draft.side === "buy" ? quote?.ask : quote?.bid);
}

/** A limit order that crosses the best opposite price takes; otherwise it rests and makes. */
function crosses(draft: Draft, price: Decimal | null, quote: Quote | undefined): boolean {
  if (draft.type !== "limit") return true;
  const best = parse(draft.side === "buy" ? quote?.ask : quote?.bid);
  if (!price || !best) return true;
  return draft.side === "buy" ? compare(price, best) >= 0 : compare(price, best) <= 0;
}

export function estimate(draft: Draft, instrument: Instrument, quote: Quote | undefined, balances: readonly Balance[]): Estimate {
  const quantity = parse(typedNumber(draft.quantity));
  const price = priceOf(draft, quote);
  const liquidity = crosses(draft, price, quote) ? "taker" : "maker";
  const feeRate = liquidity === "taker" ? instrument.taker_fee : instrument.maker_fee;
  const rate = parse(feeRate);
  const notional = quantity && price ? multiply(quantity, price) : null;
  const fee = notional && rate ? multiply(notional, rate) : null;
  const borrowed = borrows(draft, instrument);
  const margin = borrowed && notional ? (draft.reduceOnly ? ZERO : divide(notional, leverageOf(draft), 8)) : null;
  const paid = borrowed ? margin && fee && add(margin, fee) : notional && fee && (draft.side === "buy" ? add(notional, fee) : subtract(notional, fee));
  const total = paid ?? null;
  const asset = borrowed || draft.side === "buy" ? instrument.quote : instrument.base;
  const balance = balances.find((each) => each.asset === asset);
  const have = parse(balance?.available ?? "0");
  const need = borrowed || draft.side === "buy" ? total : quantity;
  const shown = parse(draft.side === "buy" ? quote?.ask_quantity : quote?.bid_quantity);
  return {
    price: price && toText(price),
    notional: notional && toText(notional),
    fee: fee && toText(fee),
    feeRate,
    liquidity,
    total: total && toText(total),
    borrowed,
    available: have && { asset, amount: toText(have), enough: !need || compare(need, have) <= 0 },
    beyondBest: liquidity === "taker" && quantity !== null && shown !== null && compare(quantity, shown) > 0,
  };
}

const ONE: Decimal = { digits: 1n, scale: 0 };
const ZERO: Decimal = { digits: 0n, scale: 0 };

/** One where nothing is typed: what the account has set is the venue's affair, and this the careful guess. */
function leverageOf(draft: Draft): Decimal {
  const times = parse(typedNumber(draft.leverage));
  return times && compare(times, ONE) > 0 ? times : ONE;
}

/** The quantity that `percent` of what is available would pay for (buy, fee included; on margin, its part) or is (sell). */
export function quantityFor(percent: number, draft: Draft, instrument: Instrument, quote: Quote | undefined, balances: readonly Balance[]): string | null {
  const borrowed = borrows(draft, instrument);
  const asset = borrowed || draft.side === "buy" ? instrument.quote : instrument.base;
  const have = parse(balances.find((each) => each.asset === asset)?.available);
  const step = parse(instrument.quantity_step);
  const share = parse((percent / 100).toString());
  if (!have || !step || !share) return null;
  const part = multiply(have, share);
  if (draft.side === "sell" && !borrowed) return toText(floorTo(part, step));
  const price = priceOf(draft, quote);
  const rate = parse(instrument.taker_fee);
  if (!price || !rate) return null;
  // What one unit takes: its part of the price, and the fee on all of it.
  const leverage = borrowed ? leverageOf(draft) : ONE;
  const each = multiply(price, add(ONE, multiply(rate, leverage)));
  const quantity = divide(multiply(part, leverage), each, step.scale + 2);
  return quantity && toText(floorTo(quantity, step));
}
