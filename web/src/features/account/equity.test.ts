import { describe, expect, it } from "vitest";
import { equitySamples, within } from "./equity";

const at = (second: number, equity: string) => ({ time: new Date(second * 1000).toISOString(), equity });

describe("equity", () => {
  it("falls from its highest point so far", () => {
    expect(equitySamples([at(1, "100"), at(2, "110"), at(3, "99"), at(4, "121")]).map((sample) => Number(sample.drawdown.toFixed(6)))).toEqual([0, 0, -10, 0]);
  });
  it("leaves out what is no number, no time, or out of order", () => {
    expect(equitySamples([at(1, "100"), at(2, "NaN"), { time: "?", equity: "5" }, at(0, "7"), at(3, "101")]).map((sample) => sample.equity)).toEqual([100, 101]);
  });
  it("keeps one point a second, the newer", () => expect(equitySamples([at(1, "100"), at(1.4, "105")]).map((sample) => sample.equity)).toEqual([105]));
  it("cuts a range with one point before it", () => {
    const samples = equitySamples([at(0, "1"), at(100, "2"), at(200, "3")]);
    expect(within(samples, 50).map((sample) => sample.equity)).toEqual([2, 3]);
    expect(within(samples, Infinity)).toHaveLength(3);
  });
});
