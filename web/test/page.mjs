// Drives the built page in a real browser over sessions whose every text is hostile. The server is a test's
// (crates/session-api/tests/api/page.rs), which also says what the sessions are. Ends with 1 and a sentence where
// something is not as it must be.
//
//   node test/page.mjs URL [FOLDER for screenshots]

import { strict as assert } from "node:assert";
import { chromium } from "playwright-core";

const [base, screenshots] = process.argv.slice(2);
const WITHIN = { timeout: 20_000 };
const ended = "00000000-0000-0000-0000-000000000001";
const long = "00000000-0000-0000-0000-000000000002";
const live = "00000000-0000-0000-0000-000000000003";

const wrong = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

async function opened(options) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, ...options });
  await context.exposeFunction("tellWrong", (what) => wrong.push(what));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.tellWrong(`the policy refused ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
    );
    window.pwned = (what) => window.tellWrong(`hostile text ran: ${what}`);
    window.alert = window.pwned;
  });
  context.on("request", (request) => {
    if (!request.url().startsWith(base)) wrong.push(`the page asked for ${request.url()}`);
  });
  context.on("page", (page) => {
    page.on("dialog", (dialog) => wrong.push(`a dialog: ${dialog.message()}`));
    page.on("pageerror", (error) => wrong.push(`an error on the page: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error") wrong.push(`an error on the console: ${message.text()}`);
    });
  });
  return context;
}

async function shot(page, name) {
  if (screenshots) await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
}

/** Nothing that a session's texts name became an element, a link or a title. */
async function nothingHostile(page) {
  const found = await page.evaluate(() => {
    const bad = [];
    for (const element of document.querySelectorAll("main *, header *")) {
      if (["IMG", "SCRIPT", "IFRAME", "OBJECT", "FORM"].includes(element.tagName) && !element.classList.contains("filter"))
        bad.push(element.outerHTML.slice(0, 80));
      for (const attribute of element.attributes)
        if (attribute.name.startsWith("on") || /javascript:|evil\.example/.test(attribute.value)) bad.push(`${attribute.name}=${attribute.value}`);
    }
    const shown = document.querySelector("main")?.innerText ?? "";
    if (/[\u202a-\u202e\u2066-\u2069\u200b-\u200f]/.test(shown)) bad.push("text that turns around");
    if (document.title !== "Sessions · Weir") bad.push(`the title ${document.title}`);
    return bad;
  });
  assert.deepEqual(found, []);
}

/** What the player's terminal shows. */
const terminal = (page) => page.locator(".ap-term");
const shows = (page, text) =>
  page.waitForFunction((text) => document.querySelector(".ap-term")?.textContent?.replaceAll("\u00a0", " ").includes(text), text, WITHIN);

async function list(page) {
  await page.goto(`${base}/console/`);
  const rows = page.locator("table.sessions tbody tr");
  await rows.nth(2).waitFor(WITHIN);
  assert.equal(await rows.count(), 3);
  const text = await rows.last().innerText();
  assert.ok(text.includes("<img src=x onerror=pwned(`argv`)>"), text);
  assert.ok(text.includes("\\u{202e}"), `no escape stands for what turns text around: ${text}`);
  await nothingHostile(page);
  await shot(page, "list");
  await page.fill("input[name=command]", "tail");
  await page.click("button[type=submit]");
  await page.waitForFunction(() => document.querySelectorAll("table.sessions tbody tr").length === 1, undefined, WITHIN);
  assert.ok(page.url().endsWith("?command=tail"), page.url());
}

async function play(page) {
  await page.goto(`${base}/console/`);
  await page.locator("table.sessions tbody tr").last().locator("a").click();
  await page.waitForURL(`**/sessions/${ended}`);
  await terminal(page).waitFor(WITHIN);
  await page.locator(".verdict.proven").waitFor(WITHIN);
  const rows = page.locator(".timeline li");
  await rows.first().waitFor(WITHIN);
  const timeline = await page.locator(".timeline").innerText();
  for (const wanted of ["cat /etc/motd", "look <b>here</b>", "<img src=x onerror=pwned(`screen`)>"]) assert.ok(timeline.includes(wanted), timeline);
  const last = rows.filter({ hasText: "over (cass)" }).last().locator("button");
  await last.click();
  await shows(page, "the last line");
  await nothingHostile(page);
  await shot(page, "session");
  // The same without cutting the pause between the lines.
  await page.locator("input[type=checkbox]").uncheck();
  await last.click();
  await shows(page, "the last line");
  await nothingHostile(page);
  await page.fill("[aria-label='note or reason']", "<svg onload=pwned('note')>\u202e");
  await page.getByRole("button", { name: "Note at this moment" }).click();
  await page.locator(".timeline", { hasText: "<svg onload=pwned('note')>" }).waitFor(WITHIN);
  const looked = await page.locator("section", { hasText: "Who looked" }).innerText();
  assert.ok(looked.includes("everything play"), looked);
  await nothingHostile(page);
}

async function plays(page) {
  await page.goto(`${base}/console/sessions/${long}`);
  await terminal(page).waitFor(WITHIN);
  await page.locator(".ap-overlay-start").click();
  await shows(page, "tick 1");
  await shows(page, "tick 5");
}

async function search(page) {
  await page.goto(`${base}/console/search`);
  await page.fill("input[name=text]", "THE LAST");
  await page.click("button[type=submit]");
  const hit = page.locator(".hits li").first();
  await hit.waitFor(WITHIN);
  assert.ok((await hit.innerText()).includes("the last line"));
  await nothingHostile(page);
  await page.fill("input[name=text]", "onerror");
  await page.click("button[type=submit]");
  await page.locator(".hits li", { hasText: "path <img src=x onerror=pwned(`path`)>" }).waitFor(WITHIN);
  await nothingHostile(page);
  await shot(page, "search");
  await page.locator(".hits li", { hasText: "screen" }).first().locator("a").click();
  await terminal(page).waitFor(WITHIN);
  assert.match(page.url(), /sessions\/[0-9a-f-]+\?t=\d+$/);
}

async function watch(page) {
  await page.goto(`${base}/console/sessions/${live}`);
  await shows(page, "it begins");
  await page.request.post(`${base}/test/show`);
  await shows(page, "shown later");
  await nothingHostile(page);
  await shot(page, "live");
  await page.getByRole("button", { name: "Freeze" }).click();
  await page.locator(".badge", { hasText: "frozen" }).waitFor(WITHIN);
  await page.getByRole("button", { name: "Thaw" }).click();
  await page.locator(".badge", { hasText: "live" }).waitFor(WITHIN);
  await shows(page, "shown later");
  await page.request.post(`${base}/test/end`);
  await page.getByRole("button", { name: "Play it" }).click(WITHIN);
  await page.locator(".badge.sealed").waitFor(WITHIN);
  await terminal(page).waitFor(WITHIN);
}

async function dark() {
  const context = await opened({ colorScheme: "dark", viewport: { width: 700, height: 900 } });
  const page = await context.newPage();
  await page.goto(`${base}/console/sessions/${ended}`);
  await page.locator(".verdict.proven").waitFor(WITHIN);
  await shot(page, "dark");
  await context.close();
}

/** The policy is in force: what a hostile text could become if it became markup does not run. */
async function refuses() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${base}/console/`);
  await page.evaluate(() => {
    window.refused = new Set();
    document.addEventListener("securitypolicyviolation", (event) => window.refused.add(event.violatedDirective));
    const script = document.createElement("script");
    script.textContent = "window.ran = 'a script'";
    const image = document.createElement("img");
    image.setAttribute("onerror", "window.ran = 'an attribute'");
    image.src = "data:,";
    const link = document.createElement("a");
    link.href = "javascript:window.ran = 'a link'";
    document.body.append(script, image, link);
    link.click();
    fetch("https://evil.example/").catch(() => undefined);
  });
  const wanted = ["connect-src", "img-src", "script-src-attr", "script-src-elem"];
  await page.waitForFunction((wanted) => wanted.every((directive) => window.refused.has(directive)), wanted, WITHIN);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  await context.close();
}

try {
  const context = await opened({});
  for (const part of [list, play, plays, search, watch]) {
    const page = await context.newPage();
    try {
      await part(page);
    } catch (error) {
      await shot(page, `failed-${part.name}`);
      throw new Error(`${part.name}: ${error.message}`, { cause: error });
    }
    await page.close();
  }
  await dark();
  await refuses();
  assert.deepEqual(wrong, []);
  console.log("the page is as it must be");
} catch (error) {
  console.error(error.message, wrong);
  process.exitCode = 1;
} finally {
  await browser.close();
}
