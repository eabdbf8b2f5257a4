/** Every section at both widths and in both themes: accessible, within its width, never without mode, equity, feed and HALT. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { DESKTOP, PHONE } from "./browser.mjs";
import { closeBrowser, openBrowser, visible, withPage } from "./with-page.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SECTIONS = ["/", "/terminal/", "/terminal/?dock=fills", "/orders/", "/orders/?view=fills", "/strategies/", "/risk/"];

before(openBrowser);
after(closeBrowser);

for (const [name, options] of [["desktop", DESKTOP], ["phone", PHONE]]) {
  describe(`every section on a ${name}`, () => {
    for (const theme of ["dark", "light"]) {
      it(`is accessible, ${theme}, without sideways scroll, NaN or console errors`, async () => {
        // axe is put in by the test's own means: the page's content policy would not let it in.
        await withPage({ ...options, bypassCSP: true }, async (page, fixture) => {
          await page.evaluate((chosen) => localStorage.setItem("algotrendy.preferences", JSON.stringify({ theme: chosen })), theme);
          for (const path of SECTIONS) {
            await page.goto(fixture.url + path);
            await page.locator("html[data-link=live]").waitFor();
            await page.locator("main h1").waitFor({ state: "attached" });
            await page.waitForFunction(() => document.querySelectorAll("[aria-label=Loading]").length === 0);
            const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth, document.querySelector("main").scrollWidth, document.querySelector("main").clientWidth]);
            assert.ok(widths[0] <= widths[1] && widths[2] <= widths[3], `${path} scrolls sideways: ${widths}`);
            assert.doesNotMatch(await page.locator("body").innerText(), /NaN|undefined|Infinity|\bnull\b/, path);
            await page.addScriptTag({ content: AXE });
            const found = await page.evaluate(() => window.axe.run(document, { rules: { "scrollable-region-focusable": { enabled: false } } }));
            assert.deepEqual(found.violations.map((rule) => `${path} ${rule.id}: ${rule.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`), []);
          }
        });
      });
    }
    it("keeps mode, equity, day P&L, feed and HALT in sight everywhere", async () => {
      await withPage(options, async (page, fixture) => {
        for (const path of SECTIONS) {
          await page.goto(fixture.url + path);
          await page.locator("html[data-link=live]").waitFor();
          await page.locator("main").evaluate((main) => main.scrollTo(0, 100_000));
          for (const text of ["PAPER", "REPLAY", "Equity", "Day"]) assert.ok((await visible(page.locator("header").getByText(text, { exact: true })).count()) > 0, `${path}: ${text}`);
          const halt = await visible(page.getByRole("button", { name: /^HALT/ })).boundingBox();
          assert.ok(halt.y >= 0 && halt.y + halt.height <= 110, `${path}: HALT at ${halt.y}`);
          if (name === "phone") assert.ok(halt.height >= 44);
          assert.match(await page.title(), /^\[PAPER\] /);
        }
      });
    });
  });
}
