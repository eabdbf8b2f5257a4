/**
 * Puts each message of the socket where it belongs: ticks into the quotes store, facts into React Query, the link's own
 * state into the link store.
 * Invariant: a message that cannot be read is counted and left out; it never throws and never stops the next one.
 */
import type { QueryClient } from "@tanstack/react-query";
import { KEEP } from "@/lib/api/queries";
import type { Alert, Approval, Balance, Bar, Feed, Fill, Halt, Order, Overview, Position, Quote, Signal, Strategy, Trade } from "@/lib/api/types";
import { parseTime } from "@/lib/format/time";
import { type Arrivals, useLink } from "./link";
import { laterOrEqual, mergeOverview, upsert } from "./merge";
import { type Envelope, type Fields, isKnownKind, read, readList, readMode, readTradingState } from "./messages";
import type { Quotes } from "./quotes";

export interface Sinks {
  client: QueryClient;
  quotes: Quotes;
  arrivals: Arrivals;
}

const ACCOUNTS_MOVED: ReadonlySet<string> = new Set(["venue_down", "venue_back", "stand_in_lost"]);
const haltKey = (halt: Halt) => `${halt.level} ${halt.key}`;
const marketKey = (item: { venue: string; symbol: string }) => `${item.venue} ${item.symbol}`;

export function createDispatch({ client, quotes, arrivals }: Sinks): (message: Envelope) => void {
  const account = () => useLink.getState().account;
  const drop = (count = 1) => count > 0 && useLink.setState((state) => ({ dropped: state.dropped + count }));
  const newer = {
    order: laterOrEqual<Order>("updated_at"),
    strategy: laterOrEqual<Strategy>("updated_at"),
    always: () => true,
  };

  function applyOverview(change: Partial<Overview>, of: string): void {
    client.setQueryData<Overview>(["overview", of], (before) => mergeOverview(before, change, KEEP.equity));
    if (change.trading_state) useLink.setState({ tradingState: change.trading_state });
  }

  function applyOrder(order: Order): void {
    client.setQueryData<Order[]>(["orders", order.account], (list) => list && upsert(list, order, (o) => o.order_id, newer.order, KEEP.orders));
    void client.invalidateQueries({ queryKey: ["order", order.order_id] });
  }

  const handlers: Record<string, (data: Fields) => boolean> = {
    hello(data) {
      if (!read("hello", data)) return false;
      useLink.setState({
        mode: readMode(data.mode),
        replay: data.replay === true,
        account: String(data.account),
        version: typeof data.version === "string" ? data.version : null,
      });
      arrivals.serverTime(parseTime(String(data.server_time)) ?? Date.now());
      return true;
    },
    heartbeat(data) {
      if (!read("heartbeat", data)) {
        useLink.setState({ mode: null });
        return false;
      }
      useLink.setState({ mode: readMode(data.mode), tradingState: readTradingState(data.trading_state) });
      arrivals.serverTime(parseTime(String(data.server_time)) ?? Date.now());
      return true;
    },
    snapshot(data) {
      if (!read("snapshot", data)) return false;
      const of = account();
      quotes.clear();
      const part = <T>(kind: string, values: unknown): T[] => {
        const { items, dropped } = readList<T>(kind, values);
        drop(dropped);
        return items;
      };
      for (const quote of part<Quote>("quote", data.quotes)) quotes.pushQuote(quote);
      const orders = part<Order>("order", data.orders);
      client.setQueryData<Order[]>(["orders", of], (list) => list && orders.reduce((all, order) => upsert(all, order, (o) => o.order_id, newer.order), list));
      client.setQueryData(["positions", of], part<Position>("position", data.positions));
      client.setQueryData(["balances", of], part<Balance>("balance", data.balances));
      client.setQueryData(["strategies"], part<Strategy>("strategy", data.strategies));
      client.setQueryData(["halts"], part<Halt>("halt", data.halts));
      client.setQueryData(["approvals"], part<Approval>("approval", data.approvals));
      const overview = read<Overview>("overview", data.overview);
      if (!overview) drop();
      else {
        const feeds = part<Feed>("feed", data.feeds);
        client.setQueryData<Overview>(["overview", of], (before) => {
          const merged = { ...before, ...overview, feeds: feeds.length ? feeds : (overview.feeds ?? before?.feeds ?? []) };
          merged.equity_curve ??= before?.equity_curve ?? [];
          merged.limits ??= before?.limits ?? [];
          merged.services ??= before?.services ?? [];
          return merged;
        });
        useLink.setState({ tradingState: readTradingState(overview.trading_state) });
      }
      for (const kind of ["account", "feeds"]) arrivals.mark(kind);
      return true;
    },
    quote: (data) => accept<Quote>("quote", data, (quote) => quotes.pushQuote(quote)),
    trade: (data) => accept<Trade>("trade", data, (trade) => quotes.pushTrade(trade)),
    bar: (data) => accept<Bar>("bar", data, (bar) => quotes.pushBar(bar)),
    order: (data) => accept<Order>("order", data, applyOrder),
    fill: (data) =>
      accept<Fill>("fill", data, (fill) => {
        client.setQueryData<Fill[]>(["fills", fill.account], (list) => list && upsert(list, fill, (f) => f.trade_id, newer.always, KEEP.fills));
        void client.invalidateQueries({ queryKey: ["order", fill.order_id] });
      }),
    position: (data) =>
      accept<Position>("position", data, (position) => {
        arrivals.mark("account");
        client.setQueryData<Position[]>(["positions", position.account], (list) => upsert(list, position, marketKey, newer.always));
      }),
    balance: (data) =>
      accept<Balance>("balance", data, (balance) => {
        arrivals.mark("account");
        client.setQueryData<Balance[]>(["balances", balance.account ?? account()], (list) => upsert(list, balance, (b) => b.asset, newer.always));
      }),
    strategy: (data) =>
      accept<Strategy>("strategy", data, (strategy) => client.setQueryData<Strategy[]>(["strategies"], (list) => upsert(list, strategy, (s) => s.strategy, newer.strategy))),
    signal: (data) =>
      accept<Signal>("signal", data, (signal) => {
        const dated = { ...signal, received_time: signal.received_time ?? new Date(arrivals.serverNow()).toISOString() };
        client.setQueryData<Signal[]>(["signals"], (list) => list && upsert(list, dated, (s) => `${s.strategy} ${s.symbol} ${s.event_time}`, newer.always, KEEP.signals));
      }),
    overview: (data) =>
      accept<Partial<Overview>>("overview", data, (change) => {
        arrivals.mark("account");
        applyOverview(change, change.account ?? account());
      }),
    feed: (data) =>
      accept<Feed>("feed", data, (feed) => {
        arrivals.mark("feeds");
        client.setQueryData<Overview>(["overview", account()], (before) => before && { ...before, feeds: upsert(before.feeds, feed, (f) => f.venue, newer.always) });
      }),
    halt: (data) =>
      accept<Halt>("halt", data, (halt) => {
        client.setQueryData<Halt[]>(["halts"], (list) => upsert(list, halt, haltKey, newer.always).filter((each) => each.engaged));
      }),
    approval: (data) =>
      accept<Approval>("approval", data, (approval) => {
        client.setQueryData<Approval[]>(["approvals"], (list) => upsert(list, approval, (a) => a.order_id, newer.always));
      }),
    approval_ended: (data) =>
      accept<{ order_id: string }>("approval_ended", data, ({ order_id }) => {
        client.setQueryData<Approval[]>(["approvals"], (list) => list?.filter((approval) => approval.order_id !== order_id));
      }),
    alert: (data) => accept<Alert>("alert", data, (alert) => {
      // Another account stands in, or does so no more: the page must not go by what it was told before.
      if (ACCOUNTS_MOVED.has(alert.code)) void client.invalidateQueries({ queryKey: ["accounts"] });
      client.setQueryData<Alert[]>(["alerts"], (list) => upsert(list, alert, (a) => a.alert_id, newer.always, KEEP.alerts));
    }),
  };

  function accept<T>(kind: string, data: Fields, apply: (value: T) => void): boolean {
    const value = read<T>(kind, data);
    if (value === null) return false;
    apply(value);
    return true;
  }

  return ({ kind, data }) => {
    arrivals.mark("message");
    // A kind this page is too old to know is the server's progress, not an error.
    if (!isKnownKind(kind)) return;
    try {
      if (!handlers[kind]?.(data)) drop();
    } catch {
      drop();
    }
  };
}
