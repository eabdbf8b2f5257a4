/**
 * Ticks, outside React: the newest quote of each symbol and a ring of trades, read once per animation frame by painters
 * that write into their own DOM nodes.
 * Invariant: memory is bounded; a burst costs one paint per frame, and the newest value always wins.
 */
import type { Bar, Quote, Trade } from "@/lib/api/types";
import { parseTime } from "@/lib/format/time";

export const RING_SIZE = 4_096;

export class Ring<T> {
  private readonly slots: (T | undefined)[];
  private next = 0;
  private total = 0;

  constructor(readonly size: number = RING_SIZE) {
    this.slots = new Array<T | undefined>(size);
  }

  push(value: T): void {
    this.slots[this.next] = value;
    this.next = (this.next + 1) % this.size;
    this.total += 1;
  }

  /** How many were ever pushed. */
  get pushed(): number {
    return this.total;
  }

  /** The newest `count` values that `keep` accepts, newest first. */
  newest(count: number, keep: (value: T) => boolean = () => true): T[] {
    const found: T[] = [];
    for (let back = 1; back <= Math.min(this.total, this.size) && found.length < count; back += 1) {
      const value = this.slots[(this.next - back + this.size) % this.size];
      if (value !== undefined && keep(value)) found.push(value);
    }
    return found;
  }

  clear(): void {
    this.slots.fill(undefined);
    this.next = 0;
    this.total = 0;
  }
}

export type Painter = () => void;

/** "binance BTC-USDT": one name for a market across stores. */
export const marketOf = (item: { venue: string; symbol: string }): string => `${item.venue} ${item.symbol}`;

export class Quotes {
  readonly trades = new Ring<Trade>();
  private readonly latest = new Map<string, Quote>();
  private readonly bars = new Map<string, Bar>();
  private readonly painters = new Map<string, Set<Painter>>();
  private readonly dirty = new Set<string>();
  private scheduled = false;
  private newestEvent: number | null = null;
  private newestArrival: number | null = null;

  constructor(private readonly frame: (run: () => void) => void = (run) => requestAnimationFrame(run)) {}

  pushQuote(quote: Quote): void {
    const market = marketOf(quote);
    const before = this.latest.get(market);
    if (before && Date.parse(quote.received_time) < Date.parse(before.received_time)) return;
    this.latest.set(market, quote);
    this.seeEvent(quote.event_time);
    this.newestArrival = Math.max(this.newestArrival ?? 0, Date.parse(quote.received_time));
    this.touch(`quote ${market}`);
  }

  pushTrade(trade: Trade): void {
    this.trades.push(trade);
    this.seeEvent(trade.event_time);
    this.touch(`trade ${marketOf(trade)}`);
  }

  pushBar(bar: Bar): void {
    const key = `${marketOf(bar)} ${bar.timeframe}`;
    const before = this.bars.get(key);
    if (before && Date.parse(bar.time) < Date.parse(before.time)) return;
    this.bars.set(key, bar);
    this.touch(`bar ${key}`);
  }

  quote(venue: string, symbol: string): Quote | undefined {
    return this.latest.get(`${venue} ${symbol}`);
  }

  bar(venue: string, symbol: string, timeframe: string): Bar | undefined {
    return this.bars.get(`${venue} ${symbol} ${timeframe}`);
  }

  /** The recorded or real time of the newest tick: what "now" is at the venue. */
  get venueTime(): number | null {
    return this.newestEvent;
  }

  /** When the server received the newest quote of any market. */
  get newestReceived(): number | null {
    return this.newestArrival;
  }

  /** Runs `painter` in the next frame after its topic changed: "quote v s", "trade v s" or "bar v s tf". */
  paint(topic: string, painter: Painter): () => void {
    const group = this.painters.get(topic) ?? new Set<Painter>();
    group.add(painter);
    this.painters.set(topic, group);
    this.touch(topic);
    return () => {
      group.delete(painter);
      if (group.size === 0) this.painters.delete(topic);
    };
  }

  /** A new connection starts from its own snapshot; bars of the old one may have a hole after them. */
  clear(): void {
    this.bars.clear();
    this.trades.clear();
    this.newestEvent = null;
    this.newestArrival = null;
    this.latest.clear();
    for (const topic of this.painters.keys()) this.touch(topic);
  }

  private seeEvent(iso: string): void {
    const ms = parseTime(iso);
    if (ms !== null && (this.newestEvent === null || ms > this.newestEvent)) this.newestEvent = ms;
  }

  private touch(topic: string): void {
    if (!this.painters.has(topic)) return;
    this.dirty.add(topic);
    if (this.scheduled) return;
    this.scheduled = true;
    this.frame(() => this.flush());
  }

  private flush(): void {
    this.scheduled = false;
    const topics = [...this.dirty];
    this.dirty.clear();
    for (const topic of topics) for (const painter of this.painters.get(topic) ?? []) painter();
  }
}

export const quotes = new Quotes();
