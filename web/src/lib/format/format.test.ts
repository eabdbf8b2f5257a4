import { beforeAll, describe, expect, it } from "vitest";
import { directionOf, formatNumber, formatPercent, formatShort, precisionOf, precisionShowing, setLocale } from "./number";
import { bothClocks, clock, dayAndClock, span, stamp, zoneLabel } from "./time";

beforeAll(() => setLocale("en-US"));

describe("numbers", () => {
  it("groups, rounds to the instrument and writes a true minus", () => {
    expect(formatNumber("1234567.891", { precision: 2 })).toBe("1,234,567.89");
    expect(formatNumber("-312.084", { precision: 2, sign: true })).toBe("−312.08");
    expect(formatNumber("312.085", { precision: 2, sign: true })).toBe("+312.09");
    expect(formatNumber("0.1", { precision: 5 })).toBe("0.10000");
  });
  it("does not sign nothing", () => {
    expect(formatNumber("-0.001", { precision: 2, sign: true })).toBe("0.00");
    expect(formatNumber("0", { precision: 2, sign: true })).toBe("0.00");
  });
  it.each([null, undefined, "", "NaN", "null", "Infinity"])("shows %j as absent", (value) => expect(formatNumber(value)).toBe("—"));
  it("follows the locale's separators", () => {
    setLocale("de-DE");
    expect(formatNumber("1234567.89", { precision: 2 })).toBe("1.234.567,89");
    setLocale("en-US");
  });
  it("writes percent from a ratio, exactly", () => {
    expect(formatPercent("0.003")).toBe("0.30");
    expect(formatPercent("-0.00145", { sign: true })).toBe("−0.15");
    expect(formatPercent("nope")).toBe("—");
  });
  it("shortens only from a million", () => {
    expect(formatShort("999999.4")).toBe("999,999.40");
    expect(formatShort("1240000")).toBe("1.24 M");
    expect(formatShort("-2500000000")).toBe("−2.50 B");
  });
  it("reads precision from a step", () => {
    expect([precisionOf("0.010"), precisionOf("1"), precisionOf("0.00001"), precisionOf("x"), precisionOf("0")]).toEqual([2, 0, 5, undefined, undefined]);
  });
  it("never shows what exists as nothing", () => {
    expect([precisionShowing("0.00000044", 6), precisionShowing("0.25", 6), precisionShowing("0", 6)]).toEqual([undefined, 6, 6]);
  });
  it("knows directions", () => expect([directionOf("-1"), directionOf("0.00"), directionOf("2"), directionOf("?")]).toEqual([-1, 0, 1, null]));
});

describe("times", () => {
  const at = Date.parse("2026-03-04T05:07:58.214Z");
  it("shows a clock in the chosen zone", () => {
    expect(clock(at, "UTC")).toBe("05:07:58");
    expect(dayAndClock(at, "UTC")).toBe("2026-03-04 05:07:58");
    expect(zoneLabel("UTC", at)).toBe("UTC");
  });
  it("adds the date when it is not today, and the year when it is another", () => {
    expect(stamp("2026-03-04T05:07:58.214Z", "UTC", at, true)).toBe("05:07:58.214");
    expect(stamp("2026-03-03T05:07:58Z", "UTC", at)).toBe("03-03 05:07:58");
    expect(stamp("2018-04-05T07:00:00Z", "UTC", at)).toBe("2018-04-05 07:00:00");
    expect(stamp("soon", "UTC", at)).toBe("—");
  });
  it("shows both clocks in full", () => expect(bothClocks("2018-04-05T07:00:00Z", null)).toBe("venue 2018-04-05 07:00:00.000 UTC\nours  —"));
  it.each([[400, "0.4 s"], [14_000, "14 s"], [180_000, "3 min"], [7_200_000, "2 h"], [-5, "0.0 s"]])("says %d ms as %s", (ms, text) => expect(span(ms)).toBe(text));
});
