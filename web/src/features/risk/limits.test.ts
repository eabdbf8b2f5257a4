import { describe, expect, it } from "vitest";
import { changesOf, documentOf, fieldsOf, valueText } from "./limits";

const document = { max_orders: 60, max_daily_loss: "5000", allow_short: false, max_order_quantity: null, instruments: [{ venue: "binance", symbol: "BTC-USDT" }] };

describe("limits", () => {
  it("are shown as what can be typed", () => expect(fieldsOf(document).map((field) => [field.label, field.text, field.json])).toEqual([["Max orders", "60", false], ["Max daily loss", "5000", false], ["Allow short", "false", false], ["Max order quantity", "", false], ["Instruments", '[{"venue":"binance","symbol":"BTC-USDT"}]', true]]));
  it.each([
    ["50000", "50,000"],
    ["PT10S", "10 s"],
    ["PT1M30S", "1 min 30 s"],
    ["P1D", "1 d"],
    [60, "60"],
    [null, "none"],
    [false, "no"],
    [[], "none"],
    [document.instruments, "BTC-USDT at binance"],
    ["ada", "ada"],
  ])("read %j as %s", (value, text) => expect(valueText(value)).toBe(text));
  it("keep their kinds when they change", () => {
    const typed = { max_orders: "30", max_daily_loss: " 2500.5 ", allow_short: "true", max_order_quantity: "2", instruments: "[]" };
    expect(documentOf(document, typed)).toEqual({ document: { max_orders: 30, max_daily_loss: "2500.5", allow_short: true, max_order_quantity: "2", instruments: [] } });
  });
  it("are left as they were where nothing was typed", () => expect(documentOf(document, {})).toEqual({ document }));
  it.each([
    [{ max_orders: "many" }, "Max orders"],
    [{ allow_short: "perhaps" }, "Allow short"],
    [{ instruments: "[" }, "Instruments"],
  ])("name what cannot be read: %j", (typed, wrong) => expect(documentOf(document, typed)).toEqual({ wrong }));
  it("say what changes and nothing else", () => expect(changesOf(document, { ...document, max_orders: 30, max_order_quantity: "1" })).toEqual(["Max orders: 60 → 30", "Max order quantity: none → 1"]));
});
