/**
 * Looks at the page of a running stack: logs in, finds a position, and takes pictures.
 * A strategy goes on trading meanwhile, so the page is right when it shows the quantity given or the one REST tells at that moment.
 * Reads {url, user, password, symbol, quantity, pictures} as JSON from its input; the last line of its output is JSON.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DESKTOP, launch, logIn, openPage, PHONE } from "./browser.mjs";

const WAIT_MS = 60_000;
const { url, user, password, symbol, quantity, pictures } = JSON.parse(readFileSync(0, "utf8"));
if (pictures) mkdirSync(pictures, { recursive: true });

/** The quantity that the page shows for the symbol: the whole value is in the figure's tooltip. */
const shown = (page) => page.getByRole("table", { name: "Open positions" }).getByRole("row").filter({ hasText: symbol }).locator("td").nth(2).locator(".num").getAttribute("title");

async function ask(path, token, body) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(url + path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function told(token) {
  const [{ account }] = await ask("/api/accounts", token);
  const positions = await ask(`/api/positions?account=${account}`, token);
  return positions.find((position) => position.symbol === symbol)?.quantity ?? "0";
}

const size = (text) => Math.abs(Number(text));

async function waitForPosition(page) {
  const { access_token: token } = await ask("/api/auth/login", null, { username: user, password });
  const deadline = Date.now() + WAIT_MS;
  let last = "no position";
  while (Date.now() < deadline) {
    const found = await page.getByRole("table", { name: "Open positions" }).count();
    if (found > 0) last = (await shown(page).catch(() => null)) ?? last;
    if (size(last) > 0 && (size(last) === size(quantity) || size(last) === size(await told(token)))) return last;
    await page.waitForTimeout(100);
  }
  throw new Error(`the page shows ${last} of ${symbol}, not ${quantity}`);
}

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

const browser = await launch();
try {
  const started = Date.now();
  const desktop = await openPage(browser, DESKTOP);
  await logIn(desktop.page, url, user, password);
  const position = await waitForPosition(desktop.page);
  const milliseconds = Date.now() - started;
  const title = await desktop.page.title();
  await picture(desktop.page, "dashboard");
  await desktop.page.goto(`${url}/terminal/?symbol=${symbol}`);
  await desktop.page.getByRole("figure", { name: new RegExp(`candles of ${symbol}, [1-9]`) }).waitFor();
  await desktop.page.waitForTimeout(2_000);
  await picture(desktop.page, "terminal");
  await desktop.page.goto(`${url}/orders/`);
  await desktop.page.getByRole("table", { name: "Orders" }).waitFor();
  await picture(desktop.page, "orders");

  const phone = await openPage(browser, PHONE);
  await logIn(phone.page, url, user, password);
  await phone.page.getByRole("list", { name: "Timeline" }).waitFor();
  await picture(phone.page, "phone");

  const errors = [...desktop.errors, ...phone.errors];
  if (errors.length > 0) throw new Error(`console errors: ${errors.join("; ")}`);
  if (!title.startsWith("[PAPER]")) throw new Error(`the window's title does not name the mode: ${title}`);
  console.log(JSON.stringify({ position, title, milliseconds, console_errors: 0 }));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}
