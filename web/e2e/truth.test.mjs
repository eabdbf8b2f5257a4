/** Who may see what, and that the page never shows old or unreadable data as if it were well. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DESKTOP, openPage } from "./browser.mjs";
import { startFixture } from "./fixture/server.mjs";
import { closeBrowser, openBrowser, PROVOKED, visible, withPage } from "./with-page.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(closeBrowser);

describe("session", () => {
  it("says the same for a wrong name and a wrong password, and returns to where one was", async () => {
    const fixture = await startFixture();
    const { page, close } = await openPage(browser, DESKTOP, { allowed: PROVOKED });
    try {
      await page.goto(`${fixture.url}/orders/?view=fills`);
      await page.waitForURL(/login\/\?next=/);
      for (const user of ["ada", "nobody"]) {
        await page.getByLabel("Name").fill(user);
        await page.getByLabel("Password").fill("wrong");
        await page.keyboard.press("Enter");
        await page.getByRole("alert").filter({ hasText: "That name and password do not belong together." }).waitFor();
      }
      await page.getByLabel("Name").fill("tom");
      await page.getByLabel("Password").fill(fixture.password);
      await page.keyboard.press("Enter");
      await page.waitForURL(/orders\/\?view=fills/);
      await page.reload();
      await page.getByRole("table", { name: "Fills" }).waitFor();
    } finally {
      await close();
      await fixture.stop();
    }
  });

  it("lets a viewer look and nothing else", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      assert.ok(await visible(page.getByRole("button", { name: /^HALT/ })).isDisabled());
      await page.goto(`${fixture.url}/terminal/`);
      await page.getByText("Your role reads only. Orders need the trader role.").waitFor();
      assert.equal(await page.getByRole("button", { name: /^Review/ }).count(), 0);
    }, { user: "vic" });
  });
});

describe("truth", () => {
  it("freezes with a banner, hatches figures, closes tickets, keeps HALT, and comes back", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/`);
      await page.locator("html[data-link=live]").waitFor();
      fixture.act("refuse");
      const banner = page.getByRole("alert").filter({ hasText: /Frozen at \d\d:\d\d:\d\d UTC, reconnecting \(\d+\)/ });
      await banner.waitFor();
      assert.match(await page.title(), /frozen/);
      await page.getByText("No connection: nothing can be sent").waitFor();
      assert.equal(await page.getByRole("button", { name: /^Review/ }).count(), 0);
      const hatched = await page.evaluate(() => getComputedStyle(document.querySelector("header .num"), "::before").backgroundImage);
      assert.match(hatched, /repeating-linear-gradient/);
      assert.ok(await visible(page.getByRole("button", { name: /^HALT/ })).isEnabled());
      fixture.act("heal");
      await page.locator("html[data-link=live]").waitFor({ timeout: 20_000 });
      await banner.waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Review buy" }).waitFor();
    }, { allowed: PROVOKED });
  });

  it("takes silence of the server for loss", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      fixture.act("silence");
      await page.getByRole("alert").filter({ hasText: "Frozen at" }).waitFor({ timeout: 8_000 });
    }, { allowed: PROVOKED });
  });

  it("answers a hole in the sequence with a new connection, and survives what it cannot read", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      fixture.act("garble");
      fixture.act("badnumber");
      await page.getByText("2 unreadable, 0 gaps").waitFor();
      assert.equal(await page.locator("html").getAttribute("data-link"), "live");
      fixture.act("gap");
      await page.getByText("2 unreadable, 1 gaps").waitFor();
      await page.locator("html[data-link=live]").waitFor();
    });
  });

  it("locks when the server no longer says whose money it is", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/`);
      await page.getByRole("button", { name: "Review buy" }).waitFor();
      fixture.act("unknownmode");
      await visible(page.getByText("MODE UNKNOWN")).waitFor();
      await page.getByText("The server has not said whether this is real money.").waitFor();
    });
  });

  it("calls a quote stale when its feed does not vouch for it", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/`);
      await page.locator("html[data-link=live]").waitFor();
      fixture.act("stale");
      await page.getByText(/^stale \d s$/).first().waitFor();
      const looks = await page.locator('[aria-label="Order ticket BTC-USDT"]').count();
      assert.equal(looks, 1);
      await page.goto(fixture.url);
      await page.getByText("Market data from binance is stale: LTC-USDT").waitFor();
    });
  });
});
