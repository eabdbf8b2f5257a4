/** The candle chart itself, an imperative shell over lightweight-charts. Loaded after the first paint. */
import { CandlestickSeries, createChart, createSeriesMarkers, HistogramSeries, type IChartApi, type IPriceLine, type ISeriesApi, type ISeriesMarkersPluginApi, LineStyle, type Time, type UTCTimestamp } from "lightweight-charts";
import type { Candle } from "@/lib/api/types";
import { type ChartColours, faded } from "@/lib/chart-colours";
import { chartSeconds, shiftAscending } from "@/lib/chart-time";
import { toNumber } from "@/lib/decimal";
import { formatNumber } from "@/lib/format/number";
import { parseTime, type Zone } from "@/lib/format/time";
import type { FillMark } from "./markers";

export interface PriceLineSpec {
  id: string;
  price: number;
  title: string;
  kind: "position" | "buy" | "sell";
}

interface Drawn {
  ms: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

function drawable(candle: Candle): Drawn | null {
  const ms = parseTime(candle.time);
  const [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close].map(toNumber);
  if (ms === null || open == null || high == null || low == null || close == null) return null;
  return { ms, open, high, low, close, volume: toNumber(candle.volume) ?? 0 };
}

export class CandleView {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly marks: ISeriesMarkersPluginApi<Time>;
  private lines: IPriceLine[] = [];
  private bars: Drawn[] = [];
  private times: number[] = [];
  private shownMarks: readonly FillMark[] = [];
  private shownLines: readonly PriceLineSpec[] = [];
  private zone: Zone = "UTC";

  constructor(
    container: HTMLElement,
    private colours: ChartColours,
  ) {
    this.chart = createChart(container, { autoSize: true });
    this.candles = this.chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 }, borderVisible: false });
    this.marks = createSeriesMarkers(this.candles, []);
    this.colour(colours);
  }

  colour(colours: ChartColours): void {
    this.colours = colours;
    this.chart.applyOptions({
      layout: { background: { color: colours.background }, textColor: colours.text, fontFamily: colours.font, fontSize: 11 },
      grid: { vertLines: { color: faded(colours.grid, 0.35) }, horzLines: { color: faded(colours.grid, 0.5) } },
      rightPriceScale: { borderColor: colours.grid, scaleMargins: { top: 0.08, bottom: 0.18 } },
      timeScale: { borderColor: colours.grid, timeVisible: true, secondsVisible: false, rightOffset: 6, minBarSpacing: 1 },
      crosshair: { mode: 0, vertLine: { color: colours.edge, labelBackgroundColor: colours.edge }, horzLine: { color: colours.edge, labelBackgroundColor: colours.edge } },
    });
    this.candles.applyOptions({ upColor: colours.up, downColor: colours.down, wickUpColor: colours.up, wickDownColor: colours.down, priceLineColor: colours.edge });
    this.volume.setData(this.bars.map((_, index) => this.volumeAt(index)));
    this.setMarks(this.shownMarks);
    this.setLines(this.shownLines);
  }

  setPrecision(precision: number): void {
    this.candles.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -precision, formatter: (value: number) => formatNumber(value.toFixed(precision)) } });
  }

  /** Replaces the history; `fit` shows the newest bars, otherwise the view stays where the reader left it. */
  setCandles(candles: readonly Candle[], zone: Zone, fit: boolean): void {
    this.zone = zone;
    this.bars = candles.map(drawable).filter((bar) => bar !== null).filter((bar, index, all) => index === 0 || bar.ms > (all[index - 1]?.ms ?? 0));
    this.times = shiftAscending(this.bars.map((bar) => bar.ms), (ms) => chartSeconds(ms, zone));
    this.candles.setData(this.bars.map((bar, index) => ({ time: this.timeAt(index), open: bar.open, high: bar.high, low: bar.low, close: bar.close })));
    this.volume.setData(this.bars.map((_, index) => this.volumeAt(index)));
    if (fit) this.chart.timeScale().setVisibleLogicalRange({ from: this.bars.length - 140, to: this.bars.length + 5 });
  }

  /** The bar in progress. Called at most once a frame; older bars than the last are left to the next re-read. */
  update(candle: Candle): void {
    const bar = drawable(candle);
    const last = this.bars.at(-1);
    if (!bar || !last || bar.ms < last.ms) return;
    if (bar.ms === last.ms) this.bars[this.bars.length - 1] = bar;
    else {
      this.bars.push(bar);
      this.times.push(Math.max(chartSeconds(bar.ms, this.zone), (this.times.at(-1) ?? -Infinity) + 1));
    }
    const index = this.bars.length - 1;
    this.candles.update({ time: this.timeAt(index), open: bar.open, high: bar.high, low: bar.low, close: bar.close });
    this.volume.update(this.volumeAt(index));
  }

  /** Opening moments of the bars on the chart, ascending. */
  get openings(): readonly number[] {
    return this.bars.map((bar) => bar.ms);
  }

  setMarks(marks: readonly FillMark[]): void {
    this.shownMarks = marks;
    const timeOf = new Map(this.bars.map((bar, index) => [bar.ms, this.timeAt(index)]));
    this.marks.setMarkers(
      marks.flatMap((mark) => {
        const time = timeOf.get(mark.bar);
        if (time === undefined) return [];
        const buy = mark.side === "buy";
        return [{ time, position: buy ? ("belowBar" as const) : ("aboveBar" as const), shape: buy ? ("arrowUp" as const) : ("arrowDown" as const), color: buy ? this.colours.up : this.colours.down, text: mark.count > 1 ? String(mark.count) : undefined, size: 1 }];
      }),
    );
  }

  setLines(lines: readonly PriceLineSpec[]): void {
    this.shownLines = lines;
    for (const line of this.lines) this.candles.removePriceLine(line);
    this.lines = lines.map((line) =>
      this.candles.createPriceLine({
        price: line.price,
        title: line.title,
        color: line.kind === "position" ? this.colours.muted : line.kind === "buy" ? this.colours.up : this.colours.down,
        lineWidth: 1,
        lineStyle: line.kind === "position" ? LineStyle.Dashed : LineStyle.Solid,
        axisLabelVisible: true,
      }),
    );
  }

  destroy(): void {
    this.chart.remove();
  }

  private timeAt(index: number): UTCTimestamp {
    return this.times[index] as UTCTimestamp;
  }

  private volumeAt(index: number) {
    const bar = this.bars[index];
    return { time: this.timeAt(index), value: bar?.volume ?? 0, color: faded(bar && bar.close >= bar.open ? this.colours.up : this.colours.down, 0.28) };
  }
}
