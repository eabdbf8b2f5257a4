/** One test's own played session, browser page and login; console errors fail it. */
import assert from "node:assert/strict";
import { launch, logIn, openPage } from "./browser.mjs";
import { startFixture } from "./fixture/server.mjs";

/** Console messages that a test provokes by cutting connections or sending what is refused. */
export const PROVOKED = /WebSocket|Failed to load resource/;

/** Of the same thing drawn for several widths, the one that can be seen. */
export const visible = (locator) => locator.filter({ visible: true });

let browser;
export const openBrowser = async () => {
  browser = await launch();
  return browser;
};
export const closeBrowser = () => browser?.close();

export async function withPage(options, run, { user = "ada", allowed } = {}) {
  const fixture = await startFixture({ barMs: 1_500 });
  const opened = await openPage(browser, options, { allowed });
  try {
    await logIn(opened.page, fixture.url, user, fixture.password);
    await run(opened.page, fixture);
    assert.deepEqual(opened.errors, [], "console errors");
  } finally {
    await opened.close();
    await fixture.stop();
  }
}
