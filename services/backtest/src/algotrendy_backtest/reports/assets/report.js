/* Draws what the page carries in its own JSON; the figures beside the charts do not need this. */
(() => {
  const data = JSON.parse(document.getElementById("charts").textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const { createChart, LineSeries, AreaSeries, BaselineSeries } = LightweightCharts;
  const kinds = { line: LineSeries, area: AreaSeries, baseline: BaselineSeries };
  const looks = {
    line: (c) => ({ color: c, lineWidth: 2 }),
    area: (c) => ({ lineColor: c, topColor: `${c}10`, bottomColor: `${c}55`, lineWidth: 1, invertFilledArea: true }),
    baseline: (c) => ({
      baseValue: { type: "price", price: 0 }, lineWidth: 1,
      topLineColor: colour("up"), topFillColor1: `${colour("up")}44`, topFillColor2: `${colour("up")}08`,
      bottomLineColor: colour("down"), bottomFillColor1: `${colour("down")}08`, bottomFillColor2: `${colour("down")}44`,
    }),
  };
  const formats = {
    money: { type: "custom", minMove: 0.01, formatter: (v) => v.toLocaleString("en-US", { maximumFractionDigits: Math.abs(v) < 1000 ? 2 : 0 }) },
    percent: { type: "custom", minMove: 0.0001, formatter: (v) => `${(v * 100).toFixed(1)} %` },
    ratio: { type: "custom", minMove: 0.01, formatter: (v) => v.toFixed(2) },
  };
  for (const [id, panes] of Object.entries(data)) {
    const chart = createChart(document.getElementById(id), {
      autoSize: true,
      layout: { background: { color: "transparent" }, textColor: colour("muted"), fontFamily: "Inter, ui-sans-serif, system-ui, sans-serif", attributionLogo: true, panes: { separatorColor: colour("hairline") } },
      grid: { vertLines: { color: "transparent" }, horzLines: { color: `${colour("hairline")}88` } },
      rightPriceScale: { borderColor: colour("hairline"), minimumWidth: 84 },
      timeScale: { borderColor: colour("hairline"), timeVisible: true, secondsVisible: false, minBarSpacing: 0.05 },
      localization: { timeFormatter: (t) => new Date(t * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC" },
    });
    panes.forEach((pane, index) => {
      for (const { kind, series, values, format, title } of pane.series) {
        const c = colour(series);
        const drawn = chart.addSeries(kinds[kind], {
          ...looks[kind](c), priceFormat: formats[format], title: title ?? "", priceLineVisible: false, lastValueVisible: true,
        }, index);
        drawn.setData(values.map(([time, value]) => ({ time: Math.floor(time / 1000), value })));
      }
      if (index > 0) chart.panes()[index].setStretchFactor(pane.share);
      else chart.panes()[0].setStretchFactor(pane.share);
    });
    chart.timeScale().fitContent();
  }
})();
