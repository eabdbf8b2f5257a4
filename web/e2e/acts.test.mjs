/** What the page does for a person: orders, stops, keys; and that ticks do not slow it down. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DESKTOP } from "./browser.mjs";
import { closeBrowser, openBrowser, PROVOKED, visible, withPage } from "./with-page.mjs";

before(openBrowser);
after(closeBrowser);

describe("money", () => {
  it("sends an order only after a preview, once, and lets events alone move it", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/?dock=orders`);
      await page.locator("html[data-link=live]").waitFor();
      const posts = [];
      page.on("request", (request) => request.method() === "POST" && request.url().endsWith("/api/orders") && posts.push(request.postDataJSON()));
      await page.getByLabel("Price, USDT").fill("6000");
      await page.getByLabel("Quantity, BTC").fill("0.1");
      await page.keyboard.press("Enter");
      const confirm = page.getByRole("button", { name: "Buy 0.1 BTC on paper" });
      await confirm.waitFor();
      assert.equal(posts.length, 0);
      await page.keyboard.press("Escape");
      await confirm.waitFor({ state: "detached" });
      await page.getByLabel("Quantity, BTC").press("Enter");
      await confirm.dblclick();
      const row = page.getByRole("table", { name: "Orders" }).getByRole("row").filter({ hasText: /limit/ }).filter({ hasText: "0.10000" });
      await row.filter({ hasText: "sending" }).waitFor();
      await row.filter({ hasText: /open/ }).waitFor();
      assert.equal(posts.length, 1);
      assert.match(posts[0].order_id, /^[0-9a-f]{32}$/);
      assert.equal(fixture.session.orders.filter((order) => order.source === "trader").length, 1);

      await row.getByRole("button", { name: /^Cancel/ }).click();
      assert.equal(await page.evaluate(() => document.activeElement.textContent), "Go back");
      await page.getByRole("alertdialog").getByRole("button", { name: "Cancel buy 0.1 BTC on paper" }).click();
      await row.getByText("cancel asked").first().waitFor();
      await row.waitFor({ state: "detached" });
    });
  });

  it("shows a refusal with its rule, limit and what was observed", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/`);
      await page.getByRole("radio", { name: "Market" }).click();
      await page.getByLabel("Quantity, BTC").fill("9");
      await page.getByRole("button", { name: "Review buy" }).click();
      await page.getByRole("button", { name: "Buy 9 BTC on paper" }).click();
      await page.getByText(/Buy 9 BTC-USDT: refused/).waitFor();
      await page.goto(`${fixture.url}/orders/?filter=state:refused+source:ada`);
      await page.getByRole("table", { name: "Orders" }).getByRole("row").nth(1).click();
      const drawer = page.getByRole("dialog");
      await drawer.getByText("max_order_notional").first().waitFor();
      await drawer.getByText("20,000", { exact: true }).waitFor();
    });
  });

  it("maps the server's field errors to their fields", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/`);
      await page.getByRole("radio", { name: "Market" }).click();
      await page.getByLabel("Quantity, BTC").fill("0.666");
      await page.getByRole("button", { name: "Review buy" }).click();
      await page.getByRole("button", { name: "Buy 0.666 BTC on paper" }).click();
      await page.getByText("The venue does not like this number.").waitFor();
      assert.equal(await page.getByLabel("Quantity, BTC").getAttribute("aria-invalid"), "true");
    }, { allowed: PROVOKED });
  });
});

describe("stopping", () => {
  async function hold(page, milliseconds) {
    const box = await visible(page.getByRole("button", { name: /^HALT/ })).boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.waitForTimeout(milliseconds);
    await page.mouse.up();
  }

  it("needs the hold, works without the stream, says what was not done, and takes two people to resume", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await hold(page, 300);
      assert.equal(fixture.session.state, "active");
      fixture.act("refuse");
      await page.getByRole("alert").filter({ hasText: "Frozen at" }).waitFor();
      await hold(page, 1_000);
      await page.getByRole("dialog", { name: "paper-1 is halted" }).getByText("Not done by this:").waitFor();
      assert.equal(fixture.session.state, "halted");
      fixture.act("heal");
      await page.keyboard.press("Escape");
      await page.locator("html[data-link=live]").waitFor({ timeout: 20_000 });
      await visible(page.getByRole("button", { name: "Resume…" })).click();
      const act = page.getByRole("button", { name: "Ask for the release" });
      assert.ok(await act.isDisabled());
      await page.getByLabel("Type paper-1 to go on").fill("paper-1");
      await page.getByLabel("Reason, kept with the act").fill("drill is over");
      await act.click();
      await page.getByText("A second person has to confirm").waitFor();
      assert.equal(fixture.session.state, "halted");
      assert.equal(fixture.session.halts[0].release_asked_by, "ada");
      const other = fixture.session.release({ scope: "account", account: "paper-1" }, "tom");
      assert.ok(other.released);
      await visible(page.getByRole("button", { name: /^HALT/ })).waitFor();
    }, { allowed: PROVOKED });
  });

  it("shows the command for the machine when the gateway refuses", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      fixture.act("restdown");
      await hold(page, 1_000);
      await page.getByRole("dialog").getByText("algotrendy halt").waitFor();
      assert.equal(fixture.session.state, "active");
    }, { allowed: PROVOKED });
  });

  it("works by keyboard: Control and dot, twice", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.keyboard.press("Control+.");
      assert.equal(fixture.session.state, "active");
      await page.keyboard.press("Control+.");
      await page.getByRole("dialog", { name: "paper-1 is halted" }).waitFor();
      assert.equal(fixture.session.state, "halted");
    });
  });

  it("asks before stopping a strategy and says what stays", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/strategies/`);
      await page.getByRole("button", { name: "Stop…" }).click();
      await page.getByRole("alertdialog").getByText(/position/).first().waitFor();
      await page.getByRole("button", { name: "Stop sma-cross-btc on paper" }).click();
      await page.getByRole("button", { name: "Start…" }).waitFor();
      assert.equal(fixture.session.strategy.status, "stopped");
    });
  });
});

describe("keys", () => {
  it("move between sections, switch the zone, filter, walk rows, open and close", async () => {
    await withPage({ ...DESKTOP, timezoneId: "Asia/Kolkata" }, async (page) => {
      await page.keyboard.press("g");
      await page.keyboard.press("o");
      await page.waitForURL(/orders/);
      await page.getByRole("table", { name: "Orders" }).waitFor();
      await page.keyboard.press("t");
      await visible(page.locator("header").getByText("UTC+5:30")).first().waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("state:filled t g d");
      assert.match(page.url(), /orders/);
      await page.getByLabel("Filter").fill("state:filled");
      await page.keyboard.press("Tab");
      const first = page.locator("tr[data-row='0']");
      await first.focus();
      await page.keyboard.press("j");
      await page.waitForFunction(() => document.activeElement.dataset.row === "1");
      await page.keyboard.press("End");
      await page.waitForFunction(() => Number(document.activeElement.dataset.row) > 1);
      await page.keyboard.press("Home");
      await page.waitForFunction(() => document.activeElement.dataset.row === "0");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByText("What happened").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
    });
  });
});

describe("risk", () => {
  it("sends a bracket and a trailing stop as they were written", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/`);
      await page.locator("html[data-link=live]").waitFor();
      const posts = [];
      page.on("request", (request) => request.method() === "POST" && request.url().endsWith("/api/orders") && posts.push(request.postDataJSON()));
      await page.getByLabel("Price, USDT").fill("6000");
      await page.getByLabel("Quantity, BTC").fill("0.1");
      await page.getByText("Exits and options").click();
      await page.getByLabel("Stop-loss, USDT").fill("6100");
      await page.getByRole("button", { name: "Review buy" }).click();
      await page.getByText("Must be below the entry.").waitFor();
      await page.getByLabel("Stop-loss, USDT").fill("5500");
      await page.getByLabel("Take-profit, USDT").fill("7000");
      await page.getByRole("button", { name: "Review buy" }).click();
      await page.getByText("then guarded by a stop at 5,500 and take-profit at 7,000").waitFor();
      await page.getByRole("button", { name: "Buy 0.1 BTC on paper" }).click();
      await page.getByRole("radio", { name: "Sell" }).click();
      await page.getByRole("radio", { name: "Stop…" }).click();
      await page.getByLabel("Kind of stop").selectOption("trailing_stop");
      await page.getByLabel("Distance, %").fill("1.5");
      await page.getByLabel("Quantity, BTC").fill("0.05");
      await page.getByRole("button", { name: "Review sell" }).click();
      await page.getByRole("button", { name: "Sell 0.05 BTC on paper" }).click();
      await page.waitForFunction(() => document.body.innerText.includes("handed in"));
      assert.deepEqual(posts.map((post) => [post.type, post.protection, post.trailing_ratio]), [["limit", { stop_price: "5500", take_profit_price: "7000", trailing_ratio: null }, null], ["trailing_stop", null, "0.015"]]);
    });
  });

  it("brings an order that waits for a person to the dashboard, and takes the word with a reason and the price seen", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      fixture.act("approval");
      await page.getByText("Waits for approval: buy 4 BTC-USDT.").click();
      await page.getByRole("button", { name: "Approve…" }).click();
      const act = page.getByRole("button", { name: "Approve buy 4 BTC-USDT" });
      assert.ok(await act.isDisabled());
      await page.getByLabel("Reason, kept with the act").fill("as planned");
      await act.click();
      await page.getByText("No order waits for a person.").waitFor();
      const [decided] = fixture.session.decided;
      assert.equal(decided.approved, true);
      assert.equal(decided.reason, "as planned");
      assert.match(decided.reference_price, /^\d+(\.\d+)?$/);
    });
  });

  it("says aloud when nothing guards a position", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.getByText("stop at venue").first().waitFor();
      fixture.act("naked");
      await page.getByText(/No stop guards the position in BTC-USDT: its stop was cancelled/).waitFor();
      await page.getByText("no stop").first().waitFor();
    });
  });

  it("halts one strategy, and changes limits as a new version after a look at what changes", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/risk/`);
      await page.getByRole("button", { name: "Halt…" }).click();
      await page.getByLabel("What").selectOption("strategy sma-cross-btc");
      await page.getByLabel("Reason, kept with the act").fill("odd prices");
      await page.getByRole("button", { name: "Halt strategy sma-cross-btc" }).click();
      await page.getByText("ada: odd prices").waitFor();
      assert.equal(fixture.session.state, "active");
      await page.getByRole("button", { name: "Change…" }).click();
      await page.getByLabel("Max orders").fill("30");
      await page.getByRole("button", { name: "Review 1 change" }).click();
      await page.getByText("Max orders: 60 → 30").waitFor();
      await page.getByLabel("Type paper-1 to go on").fill("paper-1");
      await page.getByLabel("Reason, kept with the act").fill("calmer");
      await page.getByRole("button", { name: "Set version 2" }).click();
      await page.getByText("version 2, by ada").waitFor();
      assert.equal(fixture.session.limits[0].document.max_orders, 30);
    });
  });
});

describe("speed", () => {
  it("writes ticks without long tasks", async () => {
    await withPage(DESKTOP, async (page, fixture) => {
      await page.goto(`${fixture.url}/terminal/`);
      await page.getByRole("figure", { name: /candles of BTC-USDT/ }).waitFor();
      await page.waitForTimeout(1_500);
      const longest = await page.evaluate(() => new Promise((resolve) => {
        let worst = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) worst = Math.max(worst, entry.duration);
        }).observe({ type: "longtask" });
        setTimeout(() => resolve(worst), 3_000);
      }));
      console.log(JSON.stringify({ name: "longest_task_ms", value: longest }));
      assert.ok(longest < 200, `a task of ${longest} ms`);
    });
  });
});
