import { describe, expect, it } from "vitest";
import type { Account } from "@/lib/api/types";
import { routeNote, routeOf } from "./route";

const account = (name: string, venue: string, stand_in: string | null = null): Account => ({ account: name, venue, mode: "paper", quote_currency: "USDT", active: true, ready: stand_in === null, detail: "", stand_in, priced_at: venue, capabilities: null });

describe("route", () => {
  it("is the account itself while its venue is there, or while nobody who is known stands in", () => {
    expect(routeOf([account("main", "binance"), account("spare", "bybit")], "main")).toEqual({ account: "main", venue: "binance", away: null });
    expect(routeOf([account("main", "binance", "unknown")], "main")).toEqual({ account: "main", venue: "binance", away: null });
    expect(routeOf(undefined, "main")).toEqual({ account: "main", venue: null, away: null });
  });
  it("is the account that stands in, and says so", () => {
    const route = routeOf([account("main", "binance", "spare"), account("spare", "bybit")], "main");
    expect(route).toEqual({ account: "spare", venue: "bybit", away: "binance" });
    expect(routeNote(route)).toContain("new orders go to spare at bybit");
    expect(routeNote(routeOf([account("main", "binance")], "main"))).toBeNull();
  });
});
