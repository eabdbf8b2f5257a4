import { describe, expect, it } from "vitest";
import { ORDER_STATUSES } from "./api/types";
import { chartSeconds, shiftAscending } from "./chart-time";
import { newOrderId } from "./ids";
import { BUDGET, lookOf } from "./look";
import { canCancel, isOpen, meaningOf } from "./order-status";
import { readPreferences } from "./preferences";

describe("looks", () => {
  const quote = { budget: BUDGET.quote };
  it("is live within the budget and stale beyond it", () => {
    expect(lookOf({ ...quote, link: "live", age: 2_000 })).toBe("live");
    expect(lookOf({ ...quote, link: "live", age: 2_001 })).toBe("stale");
  });
  it("is quiet only when the source vouches for the silence", () => expect(lookOf({ ...quote, link: "live", age: 14_000, sourceWell: true })).toBe("quiet"));
  it("is gone without a connection, however young", () => {
    expect(lookOf({ ...quote, link: "lost", age: 1, sourceWell: true })).toBe("gone");
    expect(lookOf({ ...quote, link: "connecting", age: 1 })).toBe("gone");
  });
  it("never calls live what never arrived", () => expect(lookOf({ ...quote, link: "live", age: null, sourceWell: true })).toBe("stale"));
});

describe("order states", () => {
  it("has a word and a shape for every state of the contract", () => {
    for (const status of ORDER_STATUSES) expect(meaningOf(status).word, status).not.toBe("unknown state");
  });
  it("counts nothing unconfirmed as confirmed", () => {
    const unconfirmed = ["sending", ...ORDER_STATUSES].filter((status) => meaningOf(status).unconfirmed);
    expect(unconfirmed).toEqual(["sending", "proposed", "needs_approval", "approved", "submitting", "outcome_unknown"]);
  });
  it("offers no cancel for an unknown outcome or a finished order", () => {
    expect(canCancel({ status: "open" })).toBe(true);
    expect(canCancel({ status: "outcome_unknown" })).toBe(false);
    expect(canCancel({ status: "filled" })).toBe(false);
    expect(isOpen({ status: "outcome_unknown" })).toBe(true);
  });
  it.each(["teleported", "toString", "__proto__"])("says so when the state is strange: %s", (status) => {
    expect(meaningOf(status)).toMatchObject({ word: "unknown state", unconfirmed: true, final: false });
  });
});

describe("ids", () => {
  it("are 32 hexadecimal digits and differ", () => {
    const ids = new Set(Array.from({ length: 500 }, newOrderId));
    expect(ids.size).toBe(500);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("preferences", () => {
  it("falls back on anything strange", () => {
    for (const text of [null, "", "{", "7", '{"theme":"neon","zone":5}']) expect(readPreferences(text)).toMatchObject({ theme: "dark", zone: "UTC", direction: "teal-red" });
  });
  it("keeps what is known", () => expect(readPreferences('{"theme":"light","singleKeys":false}')).toMatchObject({ theme: "light", singleKeys: false }));
});

describe("chart times", () => {
  it("does not move in UTC", () => expect(chartSeconds(1_600_000_000_500, "UTC")).toBe(1_600_000_000));
  it("stays ascending through the hour that daylight saving repeats", () => {
    const change = Date.parse("2026-10-25T01:00:00Z");
    const bars = Array.from({ length: 180 }, (_, minute) => change - 3_600_000 + minute * 60_000);
    const shifted = shiftAscending(bars, (ms) => ms / 1000 + (ms < change ? 7_200 : 3_600));
    expect(shifted.every((time, index) => index === 0 || time > (shifted[index - 1] ?? 0))).toBe(true);
    expect(shifted.at(-1)).toBe((bars.at(-1) ?? 0) / 1000 + 3_600);
  });
});
