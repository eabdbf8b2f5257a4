/**
 * Reads what the socket sends. Pure.
 * Invariant: a message whose identity, numbers or times cannot be read gives null, so that nothing malformed reaches a screen.
 */
import { parse as parseDecimal } from "@/lib/decimal";
import { parseTime } from "@/lib/format/time";

export interface Envelope {
  seq: number;
  kind: string;
  data: Fields;
}

export type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

export function readEnvelope(raw: unknown): Envelope | null {
  if (typeof raw !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return null;
  }
  if (!isFields(value)) return null;
  const { seq, kind, data } = value;
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || typeof kind !== "string" || !isFields(data)) return null;
  return { seq, kind, data };
}

type Check = (value: unknown) => boolean;
type Rules = Readonly<Record<string, Check>>;

const text: Check = (value) => typeof value === "string" && value !== "";
const amount: Check = (value) => typeof value === "string" && parseDecimal(value) !== null;
const time: Check = (value) => typeof value === "string" && parseTime(value) !== null;
const flag: Check = (value) => typeof value === "boolean";
const list: Check = (value) => Array.isArray(value);
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    typeof value === "string" && words.includes(value);
const maybe =
  (check: Check): Check =>
  (value) =>
    value == null || check(value);

const isGuard: Check = (value) => isFields(value) && text(value.state) && amount(value.quantity) && maybe(amount)(value.stop_price) && maybe(amount)(value.take_profit_price);

const side = oneOf("buy", "sell");
const tradingState = oneOf("active", "halted", "reconciling");

const RULES: Readonly<Record<string, Rules>> = {
  quote: { venue: text, symbol: text, bid: maybe(amount), ask: maybe(amount), last: maybe(amount), bid_quantity: maybe(amount), ask_quantity: maybe(amount), event_time: time, received_time: time },
  trade: { venue: text, symbol: text, price: amount, quantity: amount, side: maybe(side), event_time: time },
  bar: { venue: text, symbol: text, timeframe: text, time, open: amount, high: amount, low: amount, close: amount, volume: amount, closed: flag },
  order: { order_id: text, account: text, symbol: text, side, quantity: amount, filled_quantity: amount, limit_price: maybe(amount), average_price: maybe(amount), fee: maybe(amount), status: text, created_at: time, updated_at: time },
  fill: { trade_id: text, order_id: text, account: text, symbol: text, side, price: amount, quantity: amount, fee: maybe(amount), event_time: time, received_time: time },
  position: { account: text, symbol: text, quantity: amount, average_price: maybe(amount), mark_price: maybe(amount), unrealised_pnl: maybe(amount), realised_pnl: maybe(amount), guard: maybe(isGuard) },
  balance: { asset: text, total: amount, available: amount, reserved: amount },
  strategy: { strategy: text, symbol: text, status: oneOf("running", "paused", "stopped", "failed"), position_quantity: maybe(amount), realised_pnl: maybe(amount) },
  signal: { strategy: text, symbol: text, event_time: time, target: amount, price: maybe(amount) },
  overview: { equity: maybe(amount), cash: maybe(amount), day_pnl: maybe(amount), day_pnl_ratio: maybe(amount), day_realised: maybe(amount), day_unrealised: maybe(amount), day_fees: maybe(amount), exposure_gross: maybe(amount), drawdown_ratio: maybe(amount), trading_state: maybe(tradingState), as_of: maybe(time), limits: maybe(list), equity_curve: maybe(list), feeds: maybe(list), services: maybe(list) },
  halt: { level: oneOf("strategy", "account", "global"), key: text, engaged: flag, by: text, reason: text, since: time },
  approval: { order_id: text, account: text, symbol: text, side, quantity: amount, notional: amount, reference_price: amount, asked_at: time, expires_at: time },
  approval_ended: { order_id: text },
  feed: { venue: text, state: oneOf("connecting", "live", "quiet", "stale", "down"), last_message_at: maybe(time), stale_symbols: list },
  alert: { alert_id: text, severity: text, message: text, time },
  hello: { account: text, server_time: time },
  heartbeat: { server_time: time },
  snapshot: { quotes: list, orders: list, positions: list, balances: list, strategies: list, overview: isFields, feeds: list, halts: maybe(list), approvals: maybe(list) },
};

/** The fields as `T` when every rule of that kind holds, else null. */
export function read<T>(kind: string, data: unknown): T | null {
  const rules = RULES[kind];
  if (!rules || !isFields(data)) return null;
  return Object.entries(rules).every(([name, check]) => check(data[name])) ? (data as T) : null;
}

export const isKnownKind = (kind: string): boolean => Object.hasOwn(RULES, kind);

/** Reads a list and says how many of its members had to be left out. */
export function readList<T>(kind: string, values: unknown): { items: T[]; dropped: number } {
  const all = Array.isArray(values) ? values : [];
  const items = all.map((value) => read<T>(kind, value)).filter((value) => value !== null);
  return { items, dropped: all.length - items.length };
}

export const readMode = (value: unknown): "paper" | "live" | null => (value === "paper" || value === "live" ? value : null);

export const readTradingState = (value: unknown): "active" | "halted" | "reconciling" | null =>
  value === "active" || value === "halted" || value === "reconciling" ? value : null;
