// What the tests and the pictures share: the command, a browser, and a page that reports every fault.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const wengert = process.env.WENGERT;
if (!wengert || !existsSync(wengert)) throw new Error("WENGERT must be the path of the wengert command");

export const folder = mkdtempSync(join(tmpdir(), "wengert-step-"));

/** Runs `wengert step` and gives what it prints. */
export const step = (...args) =>
  execFileSync(wengert, ["step", ...args], { encoding: "utf8", maxBuffer: 1 << 28 });

export const command = wengert;

/** The page and the trace of the same computation: its address, and its numbers. */
export function make(name, ...args) {
  const file = join(folder, name + ".html");
  step(...args, "--out", file);
  return { url: pathToFileURL(file).href, trace: JSON.parse(step(...args, "--format", "json")) };
}

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });

/** Opens an address; whatever goes wrong on the page is added to `faults`. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && faults.push("console: " + m.text()));
  page.on("pageerror", (e) => faults.push("error: " + e.message));
  const own = (address) => address.split("#")[0] === url.split("#")[0] || address.startsWith("data:");
  page.on("request", (r) => own(r.url()) || faults.push("request: " + r.url()));
  await page.goto(url);
  return { page, faults, close: () => context.close() };
}
