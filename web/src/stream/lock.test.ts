import { describe, expect, it } from "vitest";
import { mayAs, safeReturn } from "@/lib/session";
import { tradeLock } from "./lock";

describe("roles", () => {
  it("rise from viewer to admin", () => {
    expect(mayAs("viewer", "trader")).toBe(false);
    expect(mayAs("trader", "trader")).toBe(true);
    expect(mayAs("admin", "trader")).toBe(true);
    expect(mayAs(undefined, "viewer")).toBe(false);
  });
});

describe("return after login", () => {
  it.each([
    ["/orders/?view=open", "/orders/?view=open"],
    ["//evil.example", "/"],
    ["/\\evil.example", "/"],
    ["https://evil.example", "/"],
    ["/login/?next=/", "/"],
    [null, "/"],
  ])("%j leads to %j", (next, expected) => expect(safeReturn(next)).toBe(expected));
});

describe("trade lock", () => {
  const open = { link: "live", mode: "paper", tradingState: "active", role: "trader" } as const;
  it("is open only when everything is known and well", () => {
    expect(tradeLock(open)).toBeNull();
    expect(tradeLock({ ...open, link: "lost" })).toContain("No connection");
    expect(tradeLock({ ...open, mode: null })).toContain("Locked");
    expect(tradeLock({ ...open, role: "viewer" })).toContain("role");
    expect(tradeLock({ ...open, tradingState: "halted" })).toContain("halted");
    expect(tradeLock({ ...open, tradingState: null })).toContain("Locked");
  });
});
