/**
 * Fails when the first load of a page grows over its budget: every script its HTML names, compressed as a server would.
 * Charts and other lazy parts are not named in the HTML and do not count.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET_KB = 250;
const out = new URL("../out/", import.meta.url).pathname;
const pages = ["index.html", "login/index.html", "terminal/index.html", "orders/index.html", "strategies/index.html"];
const sizes = new Map();
const sizeOf = (path) => {
  if (!sizes.has(path)) sizes.set(path, gzipSync(readFileSync(path), { level: 9 }).length);
  return sizes.get(path);
};

if (!existsSync(out)) {
  console.error("There is no export to measure: run `npm run build` first.");
  process.exit(2);
}

const figures = {};
for (const page of pages) {
  const html = readFileSync(join(out, page), "utf8");
  const scripts = new Set([...html.matchAll(/<script\b[^>]*\bsrc="([^"?]+)[^>]*>/g)].filter(([tag]) => !tag.includes("noModule")).map(([, src]) => src));
  figures[page] = Math.round([...scripts].reduce((sum, src) => sum + sizeOf(join(out, src)), 0) / 102.4) / 10;
}
const ok = Object.values(figures).every((kb) => kb < BUDGET_KB);
console.log(JSON.stringify({ name: "web_first_load_kb_gzip", figures, targets: { each: `< ${BUDGET_KB}` }, ok }));
process.exit(ok ? 0 : 1);
