// Uses the page in Chromium as a person with a keyboard does, and has axe look at every view.
//
// Standard input is one line of JSON: {link, foreignLink, browser, modules, artifacts, hostile}. Standard output tells each
// step; the exit code is 0 when all went well.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const settings = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(join(settings.modules, "package.json"));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 60_000;

mkdirSync(settings.artifacts, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: settings.browser,
  headless: true,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});

const troubles = [];
let views = 0;

async function open() {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => troubles.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    // What is refused on purpose is logged by the browser as well.
    if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) troubles.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== new URL(settings.link).origin) troubles.push(`asked elsewhere: ${url.origin}`);
  });
  await page.setViewport({ width: 1100, height: 800 });
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
  return page;
}

/** Has axe look at the view in light and in dark, and keeps pictures of both. */
async function examine(page, name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([
      { name: "prefers-reduced-motion", value: "reduce" },
      { name: "prefers-color-scheme", value: scheme },
    ]);
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => {
      const options = { resultTypes: ["violations", "incomplete"] };
      const { violations } = await globalThis.axe.run(document, options);
      return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`);
    });
    assert.deepEqual(violations, [], `${name}, ${scheme}`);
    const size = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth, Boolean(document.querySelector("dialog"))]);
    assert.ok(size[0] <= size[1], `${name} is ${size[0]} wide in ${size[1]}`);
    await page.screenshot({ path: join(settings.artifacts, `${name}-${scheme}.png`), fullPage: !size[2] });
    views += 1;
  }
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }, { name: "prefers-color-scheme", value: "light" }]);
  console.log(`axe finds nothing: ${name}`);
}

/** Where the focus is, in words. */
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const label = element.labels?.[0]?.textContent ?? element.textContent;
  return label.replace(/\s+/g, " ").trim();
});

/** Presses Tab until the focus is on what starts with `text`, and sees that it can be seen. */
async function tabTo(page, text) {
  const seen = [];
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const here = await focused(page);
    seen.push(here.slice(0, 40));
    if (!here.startsWith(text)) continue;
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", `the focus on ${text} can be seen`);
    return;
  }
  assert.fail(`Tab does not lead to ${text}: ${seen.join(", ")}`);
}

const heading = (page, text) => page.waitForFunction(
  (text) => document.querySelector("h1")?.textContent === text, {}, text);
const shows = (page, text) => page.waitForFunction(
  (text) => document.querySelector("main").innerText.includes(text), {}, text);
const badge = (page, text) => page.waitForFunction(
  (text) => document.querySelector(".state .badge")?.innerText.includes(text), {}, text);

async function signIn(page) {
  await page.goto(new URL("/", settings.link).href);
  await heading(page, "Sign in");
  await examine(page, "sign-in");
  await tabTo(page, "Token");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[aria-invalid]");
  assert.match(await focused(page), /^Token/, "the focus is on the first fault");
  await tabTo(page, "Workspace");
  await page.goto(settings.link);
  await heading(page, "Catalog");
  assert.equal(await page.evaluate(() => location.href.includes("ticket")), false, "the ticket is not in the address");
}

async function seeCatalog(page) {
  await shows(page, settings.hostile);
  const made = await page.evaluate(() => [document.querySelectorAll("main img, main script, main b").length, window.attacked ?? "no"]);
  assert.deepEqual(made, [0, "no"], "what a provider writes is text");
  await examine(page, "catalog");
  await tabTo(page, "Use this service");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.textContent.startsWith("Order a Database"));
  console.log("the service is bound with the keyboard");
}

async function order(page) {
  await page.keyboard.press("Enter");
  await heading(page, "Order a Database");
  await examine(page, "form");
  await tabTo(page, "Name");
  await page.keyboard.type("Not A Name");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[aria-invalid]");
  assert.match(await focused(page), /^Name/);
  const described = await page.evaluate(() => document.activeElement.getAttribute("aria-describedby").split(" ")
    .map((id) => document.getElementById(id).textContent).join(" "));
  assert.match(described, /lower case letters/, "the fault is tied to the field");
  await examine(page, "form-with-faults");
  await page.keyboard.down("Control");
  await page.keyboard.press("a");
  await page.keyboard.up("Control");
  await page.keyboard.type("orders");
  await tabTo(page, "Engine");
  await page.keyboard.type("sqlite");
  await tabTo(page, "Storage");
  await page.keyboard.type("16Mi");
  await tabTo(page, "Version");
  await page.keyboard.type("99");
  await page.keyboard.press("Enter");
  await shows(page, "is offered in version");
  assert.match(await focused(page), /^Version/, "what the server says of a field leads to it");
  await examine(page, "form-refused");
  await page.keyboard.down("Control");
  await page.keyboard.press("a");
  await page.keyboard.up("Control");
  await page.keyboard.press("Backspace");
  await tabTo(page, "Order");
  await page.keyboard.press("Enter");
  await heading(page, "Database orders");
  await badge(page, "Ready");
  await page.waitForFunction(() => document.getElementById("live").textContent.startsWith("orders: Ready"));
  console.log("the order is Ready, and this is told");
  await examine(page, "order");
}

async function reveal(page) {
  await page.waitForSelector(".credentials:not([hidden])");
  const isShown = async () => {
    await tabTo(page, "Show the credentials once");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector(".secret, .credentials .notice.bad"));
    return page.evaluate(() => Boolean(document.querySelector(".secret")));
  };
  // The Secret travels by itself.
  for (let tries = 0; !(await isShown()); tries += 1) {
    assert.ok(tries < 20, "the credentials arrive");
    await page.evaluate(() => document.querySelector(".credentials .notice").remove());
  }
  await shows(page, "sqlite");
  await examine(page, "credentials");
  const again = await page.evaluate(async () => {
    const path = location.hash.replace(/^#\//, "");
    return (await fetch(`/api/${path}/credentials`)).status;
  });
  assert.equal(again, 403, "they are told once");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector(".secret"));
  assert.equal(await focused(page), "Show the credentials once");
  console.log("the credentials are shown once, and hidden");
}

async function look(page) {
  await page.keyboard.down("Shift");
  await page.keyboard.up("Shift");
  await page.evaluate(() => document.querySelector("h1").focus());
  await page.goto(new URL("/#/topology", settings.link).href);
  await heading(page, "Topology");
  await page.waitForSelector("svg[role=img]");
  await shows(page, "staging");
  await examine(page, "topology");
  await page.setViewport({ width: 400, height: 800 });
  await examine(page, "topology-narrow");
  await page.setViewport({ width: 1100, height: 800 });
  await page.goto(new URL("/#/orders", settings.link).href);
  await heading(page, "Orders");
  await examine(page, "orders");
}

async function remove(page) {
  await tabTo(page, "orders");
  await page.keyboard.press("Enter");
  await heading(page, "Database orders");
  await tabTo(page, "Delete this order");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  await examine(page, "delete");
  assert.equal(await focused(page), "Keep it", "the harmless answer comes first");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("dialog"));
  assert.equal(await focused(page), "Delete this order", "the focus is where it was");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  await tabTo(page, "Delete");
  await page.keyboard.press("Enter");
  await shows(page, "This order is gone");
  await page.waitForFunction(() => document.getElementById("live").textContent === "orders is gone.");
  await examine(page, "gone");
  await page.goto(new URL("/#/orders", settings.link).href);
  await shows(page, "Nothing is ordered here yet");
  await examine(page, "no-orders");
  console.log("the order is deleted and gone");
}

/** Another tenant sees nothing, also not by the address of what it was told of. */
async function lookFromElsewhere() {
  const page = await open();
  await page.goto(settings.foreignLink);
  await heading(page, "Catalog");
  const codes = await page.evaluate(async () => {
    const paths = ["catalog", "orders", "topology", "orders/databases/databases/default/orders"];
    return Promise.all(paths.map(async (path) => (await fetch(`/api/${path}?workspace=root:team-a`)).status));
  });
  assert.ok(codes.every((code) => code === 403 || code === 404), codes.join());
  await page.close();
  console.log("another tenant is refused");
}

/** Forms of schemas that the service of this platform does not have. */
async function fillForms(page) {
  await page.goto(new URL("/#/orders", settings.link).href);
  await heading(page, "Orders");
  await page.evaluate(async () => {
    const { field, form } = await import("/form.js");
    const schema = {
      type: "object",
      required: ["size", "zones", "public"],
      properties: {
        size: { type: "integer", minimum: 1, maximum: 9, description: "How `large` it is." },
        ratio: { type: "number", exclusiveMinimum: 0 },
        tier: { enum: ["small", "large", null], default: "small" },
        public: { type: "boolean", description: "Whether everybody may see it." },
        replicate: { type: "boolean" },
        note: { type: ["string", "null"], maxLength: 300, "ui:widget": "textarea" },
        port: { anyOf: [{ type: "integer" }, { type: "string" }] },
        zones: { type: "array", minItems: 1, uniqueItems: true, items: { type: "string", minLength: 2 } },
        labels: { type: "object", additionalProperties: { type: "string" } },
        backup: { type: "object", required: ["hour"], properties: { hour: { type: "integer", maximum: 23 }, keep: { type: "integer" } } },
        extra: { type: "object", additionalProperties: true },
      },
    };
    const fields = [field(schema, "spec", { name: "spec", required: true })];
    const send = async (values) => {
      window.sent = values;
      if (window.refusal) throw Object.assign(new Error("refused"), { causes: [{ field: window.refusal, message: "not this one" }] });
    };
    document.querySelector("main").replaceChildren(Object.assign(document.createElement("h1"), { textContent: "Forms" }),
      form({ fields, label: "Send", send }));
  });
  const faults = () => page.evaluate(() => [...document.querySelectorAll(".fault:not([hidden])")].map((fault) => fault.textContent));
  await tabTo(page, "Send");
  await page.keyboard.press("Enter");
  assert.deepEqual(await faults(), ["Size: this is required.", "Zones: this is required."]);
  await examine(page, "form-of-everything");
  await page.evaluate(() => document.querySelector("h1").setAttribute("tabindex", "-1"));
  await page.evaluate(() => document.querySelector("h1").focus());
  await tabTo(page, "Size");
  await page.keyboard.type("12");
  await tabTo(page, "Public");
  await page.keyboard.press("Space");
  await tabTo(page, "Port");
  await page.keyboard.type("http");
  await tabTo(page, "Add to Zones");
  await page.keyboard.press("Enter");
  assert.match(await focused(page), /^Zones 1/, "the focus is in what was added");
  await page.keyboard.type("eu");
  await tabTo(page, "Add to Zones");
  await page.keyboard.press("Enter");
  await page.keyboard.type("eu");
  await tabTo(page, "Add to Labels");
  await page.keyboard.press("Enter");
  await page.keyboard.type("team");
  await tabTo(page, "Value 1");
  await page.keyboard.type("a");
  await tabTo(page, "Keep");
  await page.keyboard.type("3");
  await tabTo(page, "Extra");
  await page.keyboard.type("[1]");
  await tabTo(page, "Send");
  await page.keyboard.press("Enter");
  const told = (await faults()).join(" ");
  for (const fault of ["Size: 9 or less", "Zones: each only once", "Hour: this is required", "Extra: an object in JSON"]) {
    assert.ok(told.includes(fault), `${fault} in ${told}`);
  }
  assert.match(await focused(page), /^Size/);
  await examine(page, "form-of-everything-with-faults");
  const retype = async (text) => {
    await page.keyboard.down("Control");
    await page.keyboard.press("a");
    await page.keyboard.up("Control");
    await page.keyboard.type(text);
  };
  await retype("3");
  await tabTo(page, "Remove Zones 2");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "Add to Zones", "the focus is not lost with what was removed");
  await tabTo(page, "Hour");
  await page.keyboard.type("4");
  await tabTo(page, "Extra");
  await retype('{"a":[1]}');
  await page.evaluate(() => { window.refusal = "spec.zones[0]"; });
  await tabTo(page, "Send");
  await page.keyboard.press("Enter");
  await shows(page, "not this one");
  assert.match(await focused(page), /^Zones 1/, "what the server says of an item leads to it");
  assert.deepEqual(await page.evaluate(() => window.sent.spec), {
    size: 3, tier: "small", public: true, port: "http", zones: ["eu"], labels: { team: "a" },
    backup: { hour: 4, keep: 3 }, extra: { a: [1] },
  });
  console.log("a form of every kind of field is filled with the keyboard");
}

async function signOut(page) {
  await tabTo(page, "Sign out");
  await page.keyboard.press("Enter");
  await heading(page, "Sign in");
  await page.goto(settings.link);
  await shows(page, "This link was used already");
  console.log("a link signs in once");
}

try {
  const page = await open();
  await signIn(page);
  await seeCatalog(page);
  await order(page);
  await lookFromElsewhere();
  await reveal(page);
  await look(page);
  await remove(page);
  await fillForms(page);
  await signOut(page);
  assert.deepEqual(troubles, []);
  console.log(`done: ${views} times axe found nothing`);
} catch (error) {
  console.log(`failed: ${error.stack}`);
  const pages = await browser.pages().catch(() => []);
  await pages.at(-1)?.screenshot({ path: join(settings.artifacts, "failed.png"), fullPage: true }).catch(() => {});
  console.log(troubles.join("\n"));
  process.exitCode = 1;
} finally {
  await browser.close();
}
