/**
 * The arithmetic of the ticket: what an order would cost, and what is wrong with it. Pure, exact, in decimals.
 * Invariant: an order that breaks the instrument's own rules is never offered for sending.
 */
import type { Balance, Instrument, Quote, Side } from "@/lib/api/types";
import { add, compare, type Decimal, divide, floorTo, isMultipleOf, multiply, parse, signOf, subtract, toText } from "@/lib/decimal";

export interface Draft {
  side: Side;
  type: "market" | "limit";
  quantity: string;
  price: string;
}

export interface Estimate {
  /** Price the estimate uses: the limit, or the best opposite price. */
  price: string | null;
  notional: string | null;
  fee: string | null;
  feeRate: string;
  liquidity: "maker" | "taker";
  /** What leaves (buy) or comes in (sell), fee included. */
  total: string | null;
  available: { asset: string; amount: string; enough: boolean } | null;
  /** The quantity exceeds what the best level shows, so the real price will be worse. */
  beyondBest: boolean;
}

export type Problems = Partial<Record<"quantity" | "limit_price", string>>;

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
  const limit = parse(typedNumber(draft.price));
  const tick = parse(instrument.price_step);
  if (draft.type === "limit") {
    if (!limit || signOf(limit) <= 0) problems.limit_price = "A price above zero.";
    else if (tick && !isMultipleOf(limit, tick)) problems.limit_price = `A multiple of ${instrument.price_step}.`;
  }
  const price = priceOf(draft, quote);
  const floor = parse(instrument.min_notional);
  if (!problems.quantity && !problems.limit_price && quantity && price && floor && compare(multiply(quantity, price), floor) < 0) {
    problems.quantity = `Worth at least ${instrument.min_notional} ${instrument.quote}.`;
  }
  return problems;
}

function priceOf(draft: Draft, quote: Quote | undefined): Decimal | null {
  if (draft.type === "limit") return parse(typedNumber(draft.price));
  return parse(draft.side === "buy" ? quote?.ask : quote?.bid);
}

/** A limit order that crosses the best opposite price takes; otherwise it rests and makes. */
function crosses(draft: Draft, price: Decimal | null, quote: Quote | undefined): boolean {
  if (draft.type === "market") return true;
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
  const total = notional && fee ? (draft.side === "buy" ? add(notional, fee) : subtract(notional, fee)) : null;
  const asset = draft.side === "buy" ? instrument.quote : instrument.base;
  const balance = balances.find((each) => each.asset === asset);
  const have = parse(balance?.available ?? "0");
  const need = draft.side === "buy" ? total : quantity;
  const shown = parse(draft.side === "buy" ? quote?.ask_quantity : quote?.bid_quantity);
  return {
    price: price && toText(price),
    notional: notional && toText(notional),
    fee: fee && toText(fee),
    feeRate,
    liquidity,
    total: total && toText(total),
    available: have && { asset, amount: toText(have), enough: !need || compare(need, have) <= 0 },
    beyondBest: liquidity === "taker" && quantity !== null && shown !== null && compare(quantity, shown) > 0,
  };
}

/** The quantity that `percent` of what is available would pay for (buy, fee included) or is (sell). */
export function quantityFor(percent: number, draft: Draft, instrument: Instrument, quote: Quote | undefined, balances: readonly Balance[]): string | null {
  const asset = draft.side === "buy" ? instrument.quote : instrument.base;
  const have = parse(balances.find((each) => each.asset === asset)?.available);
  const step = parse(instrument.quantity_step);
  const share = parse((percent / 100).toString());
  if (!have || !step || !share) return null;
  const part = multiply(have, share);
  if (draft.side === "sell") return toText(floorTo(part, step));
  const price = priceOf(draft, quote);
  const rate = parse(instrument.taker_fee);
  if (!price || !rate) return null;
  const each = multiply(price, add({ digits: 1n, scale: 0 }, rate));
  const quantity = divide(part, each, step.scale + 2);
  return quantity && toText(floorTo(quantity, step));
}
