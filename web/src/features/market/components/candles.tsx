"use client";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { Loaded } from "@/components/ui/panel";
import { fillsQuery, instrumentsQuery, ordersQuery, positionsQuery, signalsQuery } from "@/lib/api/queries";
import type { Candle, Fill, Order, Position, Signal } from "@/lib/api/types";
import { readColours } from "@/lib/chart-colours";
import { parse, signOf, toNumber } from "@/lib/decimal";
import { formatNumber, precisionOf, precisionShowing } from "@/lib/format/number";
import { parseTime } from "@/lib/format/time";
import { isOpen } from "@/lib/order-status";
import { usePreferences } from "@/lib/preferences";
import { useLink } from "@/stream/link";
import { useSubscription } from "@/stream/provider";
import { quotes } from "@/stream/quotes";
import { candlesQuery, type ChartTimeframe } from "../api";
import type { CandleView, PriceLineSpec } from "../candle-view";
import { fillMarks } from "../markers";
import { type Anchor, venueClock } from "../venue-time";

interface CandlesProps {
  venue: string;
  symbol: string;
  timeframe: ChartTimeframe;
}

/** Candles of one market, moving, with what is ours drawn on them: fills, working orders, average price. */
export function Candles({ venue, symbol, timeframe }: CandlesProps) {
  const candles = useQuery(candlesQuery(venue, symbol, timeframe));
  useSubscription(useMemo(() => [symbol], [symbol]), timeframe);
  return (
    <Loaded query={candles} what={`${timeframe} candles`} rows={8}>
      {(data) => <Chart key={`${venue} ${symbol} ${timeframe}`} venue={venue} symbol={symbol} timeframe={timeframe} candles={data} />}
    </Loaded>
  );
}

/** Lines for the average price of the position and for each working limit order. */
export function priceLines(positions: readonly Position[], orders: readonly Order[], symbol: string, quantityPrecision: number | undefined): PriceLineSpec[] {
  const lines: PriceLineSpec[] = [];
  for (const position of positions) {
    const quantity = parse(position.quantity);
    const price = toNumber(position.average_price);
    if (position.symbol !== symbol || !quantity || signOf(quantity) === 0 || price === null) continue;
    lines.push({ id: "position", price, kind: "position", title: `${signOf(quantity) > 0 ? "long" : "short"} ${formatNumber(position.quantity.replace("-", ""), { precision: precisionShowing(position.quantity, quantityPrecision) })}` });
  }
  for (const order of orders) {
    const price = toNumber(order.limit_price);
    if (order.symbol !== symbol || !isOpen(order) || price === null) continue;
    lines.push({ id: order.order_id, price, kind: order.side, title: `${order.side} ${formatNumber(order.quantity, { precision: quantityPrecision })}` });
  }
  return lines;
}

/** How to tell when a fill was by the market's clock. Live, the venue says it; in a replay it is worked out from our own. */
function momentsOf(replay: boolean, signals: readonly Signal[], venue: string, symbol: string): (fill: Fill) => number | null {
  if (!replay) return (fill) => parseTime(fill.event_time);
  const quote = quotes.quote(venue, symbol);
  const anchors: Anchor[] = [...signals, ...(quote ? [quote] : [])].flatMap((known) => {
    const [ours, market] = [parseTime(known.received_time), parseTime(known.event_time)];
    return ours === null || market === null ? [] : [{ ours, venue: market }];
  });
  const clock = venueClock(anchors);
  return (fill) => clock(parseTime(fill.received_time) ?? -Infinity);
}

const NONE: never[] = [];

function Chart({ venue, symbol, timeframe, candles }: CandlesProps & { candles: readonly Candle[] }) {
  const account = useLink((state) => state.account);
  const frozen = useLink((state) => state.link === "lost");
  const instrument = useQuery(instrumentsQuery).data?.find((each) => each.symbol === symbol && each.venue === venue);
  const fills: readonly Fill[] = useQuery(fillsQuery(account)).data ?? NONE;
  const orders: readonly Order[] = useQuery(ordersQuery(account)).data ?? NONE;
  const positions: readonly Position[] = useQuery(positionsQuery(account)).data ?? NONE;
  const { theme, direction, zone } = usePreferences();
  const container = useRef<HTMLDivElement>(null);
  const fitted = useRef(false);
  const [view, setView] = useState<CandleView | null>(null);
  const pricePrecision = precisionOf(instrument?.price_step) ?? 2;
  const lines = useMemo(() => priceLines(positions, orders, symbol, precisionOf(instrument?.quantity_step)), [positions, orders, symbol, instrument]);
  const replay = useLink((state) => state.replay);
  const signals: readonly Signal[] = useQuery(signalsQuery).data ?? NONE;
  const own = useMemo(() => fills.filter((fill) => fill.symbol === symbol && fill.venue === venue), [fills, symbol, venue]);

  useEffect(() => {
    let made: CandleView | null = null;
    let gone = false;
    void import("../candle-view").then(({ CandleView: View }) => {
      if (gone || !container.current) return;
      made = new View(container.current, readColours());
      setView(made);
    });
    return () => {
      gone = true;
      made?.destroy();
      fitted.current = false;
      setView(null);
    };
  }, []);

  useEffect(() => view?.setPrecision(pricePrecision), [view, pricePrecision]);
  useEffect(() => {
    if (!view) return;
    view.setCandles(candles, zone, !fitted.current);
    fitted.current = fitted.current || candles.length > 0;
    const live = quotes.bar(venue, symbol, timeframe);
    if (live) view.update(live);
  }, [view, candles, zone, venue, symbol, timeframe]);
  useEffect(() => {
    if (!view) return;
    const paint = () => {
      const bar = quotes.bar(venue, symbol, timeframe);
      if (bar) view.update(bar);
    };
    return quotes.paint(`bar ${venue} ${symbol} ${timeframe}`, paint);
  }, [view, venue, symbol, timeframe]);
  useEffect(() => view?.colour(readColours()), [view, theme, direction]);
  useEffect(() => view?.setMarks(fillMarks(own, view.openings, momentsOf(replay, signals, venue, symbol))), [view, own, candles, zone, replay, signals, venue, symbol]);
  useEffect(() => view?.setLines(lines), [view, lines]);

  const last = candles.at(-1);
  return (
    <div className="relative h-full">
      <div ref={container} className="absolute inset-0" role="figure" aria-label={`${timeframe} candles of ${symbol}, ${candles.length} bars${last ? `, last close ${last.close}` : ""}, ${own.length} own fills`} />
      {candles.length === 0 && <p className="absolute inset-0 z-[3] flex items-center justify-center text-muted">No {timeframe} candle is recorded yet. The first appears when the market trades.</p>}
      {frozen && <div aria-hidden className="hatched-warning pointer-events-none absolute inset-y-0 right-0 z-[3] w-24" />}
    </div>
  );
}
