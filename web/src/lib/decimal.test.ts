import { describe, expect, it } from "vitest";
import { add, compare, divide, floorTo, isMultipleOf, multiply, parse, round, subtract, toNumber, toText } from "./decimal";

const d = (text: string) => {
  const value = parse(text);
  if (!value) throw new Error(text);
  return value;
};

describe("parse", () => {
  it.each(["", " ", "NaN", "Infinity", "1,5", "0x10", "--1", "1.2.3", "1e9999", ".5", "abc"])("refuses %j", (text) => expect(parse(text)).toBeNull());
  it.each([["1E+3", "1000"], ["0E-8", "0.00000000"], ["-1.50", "-1.50"], ["+2", "2"], ["12.5e-2", "0.125"], ["007", "7"]])("reads %s", (text, expected) => expect(toText(d(text))).toBe(expected));
  it("keeps what a float would lose", () => expect(toText(d("0.1234567890123456789"))).toBe("0.1234567890123456789"));
});

describe("arithmetic", () => {
  it("adds and subtracts across scales", () => {
    expect(toText(add(d("0.1"), d("0.2")))).toBe("0.3");
    expect(toText(subtract(d("1"), d("0.001")))).toBe("0.999");
  });
  it("multiplies exactly", () => expect(toText(multiply(d("0.1"), d("67123.45")))).toBe("6712.345"));
  it("divides towards zero and refuses zero", () => {
    expect(toText(divide(d("100"), d("3"), 5) ?? d("0"))).toBe("33.33333");
    expect(divide(d("1"), d("0.00"), 2)).toBeNull();
  });
  it("rounds half away from zero", () => {
    expect(toText(round(d("1.005"), 2))).toBe("1.01");
    expect(toText(round(d("-1.005"), 2))).toBe("-1.01");
    expect(toText(round(d("-0.001"), 2))).toBe("0.00");
  });
  it("knows multiples of a step", () => {
    expect(isMultipleOf(d("0.30"), d("0.1"))).toBe(true);
    expect(isMultipleOf(d("0.35"), d("0.1"))).toBe(false);
    expect(toText(floorTo(d("0.359"), d("0.01")))).toBe("0.350");
    expect(compare(floorTo(d("-0.5"), d("1")), d("-1"))).toBe(0);
  });
  it("gives charts a number or nothing", () => {
    expect(toNumber("1.5")).toBe(1.5);
    expect(toNumber("nan")).toBeNull();
  });
});
