import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { blend, blindDistance, ciede2000, contrast, fromHex } from "./colour";

const css = readFileSync(new URL("./theme.css", import.meta.url), "utf8");

type Theme = Record<string, string>;

function block(selector: string): Theme {
  const start = css.indexOf(`${selector} {`);
  expect(start, `${selector} is in the theme file`).toBeGreaterThanOrEqual(0);
  const body = css.slice(start, css.indexOf("}", start));
  return Object.fromEntries([...body.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]));
}

const dark = block(":root");
const light = { ...dark, ...block(':root[data-theme="light"]') };
const darkBlue = { ...dark, ...block(':root[data-direction="blue-orange"]') };
const lightBlue = { ...light, ...block(':root[data-theme="light"][data-direction="blue-orange"]') };
const of = (theme: Theme, name: string) => fromHex(theme[name] ?? "");
const ratio = (theme: Theme, over: string, under: string) => contrast(of(theme, over), of(theme, under));

/** Colour, then its contrast on a panel (s1) and on a selected row (s3), as the design states them. */
const STATED: [string, Theme, string, number, number][] = [
  ["dark", dark, "edge", 4.3, 3.4],
  ["dark", dark, "text", 15.2, 12.0],
  ["dark", dark, "muted", 8.6, 6.8],
  ["dark", dark, "faint", 5.8, 4.6],
  ["dark", dark, "accent", 7.9, 6.2],
  ["dark", dark, "up", 9.8, 7.8],
  ["dark", dark, "down", 5.7, 4.5],
  ["dark", dark, "warning", 10.9, 8.6],
  ["dark", dark, "critical", 7.3, 5.8],
  ["dark", dark, "live", 7.4, 5.9],
  ["dark", dark, "paper", 10.1, 7.9],
  ["dark blue", darkBlue, "up", 7.5, 5.9],
  ["dark blue", darkBlue, "down", 8.7, 6.8],
  ["light", light, "edge", 3.7, 3.1],
  ["light", light, "text", 17.5, 14.8],
  ["light", light, "muted", 8.0, 6.8],
  ["light", light, "faint", 5.7, 4.9],
  ["light", light, "accent", 6.5, 5.6],
  ["light", light, "up", 5.5, 4.7],
  ["light", light, "down", 7.5, 6.4],
  ["light", light, "warning", 6.9, 5.9],
  ["light", light, "critical", 6.6, 5.6],
  ["light", light, "live", 6.3, 5.4],
  ["light", light, "paper", 6.1, 5.2],
  ["light blue", lightBlue, "up", 6.8, 5.8],
  ["light blue", lightBlue, "down", 6.5, 5.6],
];

describe("contrast", () => {
  it.each(STATED)("%s: %3$s on panel and selected row", (_, theme, name, panel, selected) => {
    expect(ratio(theme, name, "s1")).toBeCloseTo(panel, 0.9);
    expect(ratio(theme, name, "s3")).toBeCloseTo(selected, 0.9);
    const least = name === "edge" ? 3 : 4.5;
    expect(ratio(theme, name, "s1")).toBeGreaterThanOrEqual(least);
    expect(ratio(theme, name, "s3")).toBeGreaterThanOrEqual(least);
  });

  it.each([["dark", dark], ["light", light], ["dark blue", darkBlue], ["light blue", lightBlue]])("%s: ink on every solid fill", (_, theme) => {
    for (const fill of ["up", "down", "warning", "critical", "live"]) expect(ratio(theme, "ink", fill), fill).toBeGreaterThanOrEqual(4.5);
  });

  it.each([["dark", dark], ["light", light], ["dark blue", darkBlue], ["light blue", lightBlue]])("%s: text keeps its contrast on its own 14 %% wash", (_, theme) => {
    for (const name of ["up", "down"]) {
      const colour = of(theme, name);
      expect(contrast(colour, blend(colour, of(theme, "s1"), 0.14)), name).toBeGreaterThanOrEqual(4.5);
    }
  });

  it.each([["dark", dark], ["light", light]])("%s: series lines and the focus ring stand out", (_, theme) => {
    for (let line = 1; line <= 6; line += 1) expect(ratio(theme, `series-${line}`, "s1"), `series-${line}`).toBeGreaterThanOrEqual(3);
    for (const under of ["bg", "s1", "s2", "s3"]) expect(ratio(theme, "accent", under), under).toBeGreaterThanOrEqual(3);
  });
});

describe("colour blindness", () => {
  it.each([
    ["dark", dark, 24.8],
    ["light", light, 19.0],
    ["dark blue/orange", darkBlue, 54.1],
    ["light blue/orange", lightBlue, 52.4],
  ])("%s: up and down stay %3$s apart", (_, theme, stated) => {
    expect(Math.abs(blindDistance(of(theme, "up"), of(theme, "down")) - stated)).toBeLessThan(1);
  });

  it("measures what others measure: the usual pair is a guess", () => {
    expect(blindDistance(fromHex("#0ecb81"), fromHex("#f6465d"))).toBeLessThan(10);
  });

  it("agrees with a published CIEDE2000 test pair", () => {
    expect(ciede2000([50, 2.6772, -79.7751], [50, 0, -82.7485])).toBeCloseTo(2.0425, 4);
    expect(ciede2000([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387])).toBeCloseTo(1.2644, 4);
  });
});
