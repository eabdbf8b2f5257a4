/** The equity chart itself: equity above, drawdown below, one time axis. Loaded after the first paint. */
import { AreaSeries, createChart, type IChartApi, type ISeriesApi, type UTCTimestamp } from "lightweight-charts";
import { type ChartColours, faded } from "@/lib/chart-colours";
import { chartSeconds, shiftAscending } from "@/lib/chart-time";
import { formatNumber } from "@/lib/format/number";
import type { Zone } from "@/lib/format/time";
import type { EquitySample } from "./equity";

/** A shorter curve than this needs seconds on its axis. */
const SECONDS_BELOW_MS = 15 * 60_000;

export class EquityView {
  private readonly chart: IChartApi;
  private readonly equity: ISeriesApi<"Area">;
  private readonly drawdown: ISeriesApi<"Area">;

  constructor(container: HTMLElement, colours: ChartColours) {
    this.chart = createChart(container, { autoSize: true, handleScroll: false, handleScale: false });
    this.equity = this.chart.addSeries(AreaSeries, { lineWidth: 2, priceLineVisible: false, lastValueVisible: true, priceFormat: { type: "custom", minMove: 0.01, formatter: (value: number) => formatNumber(value.toFixed(2)) } });
    this.drawdown = this.chart.addSeries(AreaSeries, { lineWidth: 1, priceLineVisible: false, invertFilledArea: true, priceFormat: { type: "custom", minMove: 0.01, formatter: (value: number) => `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)} %` } }, 1);
    this.chart.panes()[0]?.setStretchFactor(3);
    this.chart.panes()[1]?.setStretchFactor(1);
    this.colour(colours);
  }

  colour(colours: ChartColours): void {
    this.chart.applyOptions({
      layout: { background: { color: colours.background }, textColor: colours.text, fontFamily: colours.font, fontSize: 11, panes: { separatorColor: colours.grid, enableResize: false } },
      grid: { vertLines: { visible: false }, horzLines: { color: faded(colours.grid, 0.5) } },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.08 } },
      timeScale: { borderColor: colours.grid, timeVisible: true, secondsVisible: false, rightOffset: 1 },
      crosshair: { vertLine: { color: colours.edge, labelBackgroundColor: colours.edge }, horzLine: { color: colours.edge, labelBackgroundColor: colours.edge } },
    });
    this.equity.applyOptions({ lineColor: colours.series, topColor: faded(colours.series, 0.22), bottomColor: faded(colours.series, 0.02) });
    this.drawdown.applyOptions({ lineColor: colours.muted, topColor: faded(colours.muted, 0.04), bottomColor: faded(colours.muted, 0.22) });
  }

  show(samples: readonly EquitySample[], zone: Zone): void {
    const times = shiftAscending(samples.map((sample) => sample.ms), (ms) => chartSeconds(ms, zone));
    const at = (index: number) => times[index] as UTCTimestamp;
    this.equity.setData(samples.map((sample, index) => ({ time: at(index), value: sample.equity })));
    this.drawdown.setData(samples.map((sample, index) => ({ time: at(index), value: sample.drawdown })));
    const first = samples[0]?.ms ?? 0;
    this.chart.applyOptions({ timeScale: { secondsVisible: (samples.at(-1)?.ms ?? 0) - first < SECONDS_BELOW_MS } });
    this.chart.timeScale().fitContent();
  }

  destroy(): void {
    this.chart.remove();
  }
}
