import { describe, expect, it } from "vitest";
import type { Fill } from "@/lib/api/types";
import { fillMarks } from "./markers";
import { venueClock } from "./venue-time";
import { spreadText } from "./spread";

const bars = Array.from({ length: 1_000 }, (_, minute) => minute * 60_000);
const fill = (ms: number, side: "buy" | "sell" = "buy") => ({ event_time: new Date(ms).toISOString(), side }) as Fill;

describe("fill marks", () => {
  it("stand on the bar that was open", () => expect(fillMarks([fill(61_000)], bars)).toEqual([{ bar: 60_000, side: "buy", count: 1 }]));
  it("of one bar and side are one, with a count", () => {
    expect(fillMarks([fill(60_000), fill(119_999), fill(100_000, "sell")], bars)).toEqual([
      { bar: 60_000, side: "buy", count: 2 },
      { bar: 60_000, side: "sell", count: 1 },
    ]);
  });
  it("keep to the budget, newest first to stay", () => {
    const marks = fillMarks(bars.map((ms) => fill(ms)), bars, undefined, 500);
    expect(marks).toHaveLength(500);
    expect(marks.at(-1)?.bar).toBe(bars.at(-1));
  });
  it("leave out what is outside the chart or has no time", () => expect(fillMarks([fill(-1), fill(60_000_000), { event_time: "?", side: "buy" } as Fill], bars)).toEqual([]));
});

describe("the clock of a replay", () => {
  const at = venueClock([{ ours: 10_000, venue: 600_000 }, { ours: 1_000, venue: 60_000 }]);
  it("ties our clock to the recording's, at its pace", () => {
    expect(at(1_000)).toBe(60_000);
    expect(at(5_500)).toBe(330_000);
    expect(at(11_000)).toBe(660_000);
  });
  it("says nothing where nothing is known", () => {
    expect(at(999)).toBeNull();
    expect(venueClock([])(5)).toBeNull();
    expect(venueClock([{ ours: 1_000, venue: 60_000 }])(1_500)).toBe(60_000);
    expect(venueClock([{ ours: 1_000, venue: 60_000 }])(9_000)).toBeNull();
  });
});

describe("spread", () => {
  it("is in basis points of the middle", () => expect(spreadText({ bid: "99.95", ask: "100.05" })).toBe("10.00"));
  it("is absent without both sides", () => {
    expect(spreadText({ bid: null, ask: "1" })).toBe("—");
    expect(spreadText({ bid: "0", ask: "0" })).toBe("—");
  });
});
