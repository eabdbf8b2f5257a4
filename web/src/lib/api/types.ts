/**
 * Names for the shapes that `schema.d.ts` generates from the gateway's OpenAPI document; regenerate with `npm run api:generate`.
 * Money, prices and quantities are decimal strings; times are ISO-8601 UTC. What only the stream carries is written here.
 */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Mode = Schemas["Mode"];
export type TradingState = Schemas["TradingState"];
export type Role = Schemas["Role"];
export type Side = Schemas["Side"];
export type Status = Schemas["PublicStatus"];
export type Login = Schemas["LoggedIn"];
export type User = Login["user"];
export type Account = Schemas["Account"];
export type Limit = Schemas["LimitBar"];
export type EquityPoint = Schemas["EquityPoint"];
export type FeedState = Schemas["FeedState"];
export type Feed = Schemas["Feed"];
export type Overview = Schemas["Overview"];
export type Instrument = Schemas["Instrument"];
export type Quote = Schemas["Quote"];
export type Candle = Schemas["Candle"];
export type OrderStatus = Schemas["OrderStatus"];
export type Order = Schemas["Order"];
export type OrderStep = Schemas["OrderStep"];
export type OrderDetail = Schemas["OrderDetail"];
export type NewOrder = Schemas["NewOrder"];
export type Fill = Schemas["Fill"];
export type Position = Schemas["Position"];
export type Guard = Schemas["Guard"];
export type OrderType = Schemas["OrderType"];
export type TimeInForce = Schemas["TimeInForce"];
export type Halt = Schemas["Halt"];
export type HaltResult = Schemas["HaltResult"];
export type Approval = Schemas["Approval"];
export type Limits = Schemas["Limits"];
export type Portfolio = Schemas["Portfolio"];
export type Balance = Schemas["Balance"];
export type Strategy = Schemas["Strategy"];
export type Signal = Schemas["Signal"];
export type Alert = Schemas["Alert"];

/** A candle in progress, as the stream sends it. */
export interface Bar extends Candle {
  venue: string;
  symbol: string;
  timeframe: string;
}

/** A trade of the market, as the stream sends it. */
export interface Trade {
  venue: string;
  symbol: string;
  price: string;
  quantity: string;
  side: Side | null;
  event_time: string;
}

/** Every state of an order; checked against the generated type in both directions. */
const STATUS_WORDS = {
  proposed: true,
  needs_approval: true,
  refused: true,
  approved: true,
  submitting: true,
  open: true,
  partially_filled: true,
  filled: true,
  cancelled: true,
  rejected: true,
  outcome_unknown: true,
  lost: true,
} satisfies Record<OrderStatus, true>;
export const ORDER_STATUSES = Object.keys(STATUS_WORDS) as OrderStatus[];
