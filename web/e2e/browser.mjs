/** A headless Chromium and pages that fail the test on any console error. */
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const DESKTOP = { viewport: { width: 1440, height: 900 }, locale: "en-US" };
export const PHONE = { viewport: { width: 390, height: 844 }, locale: "en-US", isMobile: true, hasTouch: true };

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** `allowed` matches console errors that the test provokes itself. */
export async function openPage(browser, options, { allowed } = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !allowed?.test(message.text())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  return { page, errors, close: () => context.close() };
}

export async function logIn(page, url, username, password) {
  await page.goto(`${url}/login/`);
  await page.getByLabel("Name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Dashboard" }).waitFor({ state: "attached" });
  await page.locator("html[data-link=live]").waitFor();
}
