// The page for whoever cannot see it well, or has no mouse: axe's rules in several states, contrasts, keys, search.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { launch, make, open } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await launch();
test.after(() => browser.close());

const tanh = ["tanh(w*x + b)^2", "--at", "w=2,x=-1,b=0.5"];
const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const cases = {
  start: [tanh, "0"],
  middle: [tanh, "8", { colorScheme: "dark" }, 0],
  vector: [["mlp", "--vector"], "14", phone],
  scalar: [["mlp", "--widths", "4,12,1"], "3", {}, 1],
  model: [["gpt"], "120", {}, 7],
  model_dark: [["gpt"], "end", { colorScheme: "dark", viewport: { width: 900, height: 600 } }, 7],
};

for (const [name, [args, at, options, selected]] of Object.entries(cases)) {
  test(`axe finds nothing: ${name}`, async () => {
    const { url } = make("axe-" + name, ...args);
    const { page, faults, close } = await open(browser, url + "#step=" + at, options);
    if (selected !== undefined) await page.click(`#r${selected} button`);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => window.axe.run(document));
    assert.ok(passes.length > 20, `${passes.length} rules`);
    const said = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
    assert.deepEqual(said, []);
    assert.deepEqual(faults, []);
    await close();
  });
}

test("text and lines of the graph stand out from what is behind them, in light and in dark", async () => {
  const { url } = make("contrast", ...tanh);
  for (const colorScheme of ["light", "dark"]) {
    const { page, close } = await open(browser, url, { colorScheme });
    const colours = await page.evaluate(() => {
      const sample = document.body.appendChild(document.createElement("i"));
      const of = (name) => {
        sample.style.color = `var(--${name})`;
        return getComputedStyle(sample).color.match(/[\d.]+/g).map(Number);
      };
      const names = ["paper", "panel", "ink", "faint", "line", "box", "forward", "reverse", "path", "input",
        "parameter", "constant"];
      return Object.fromEntries(names.map((n) => [n, of(n)]));
    });
    const light = (c) => c.slice(0, 3)
      .map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (a, b) => {
      const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
      return (x + 0.05) / (y + 0.05);
    };
    // Text 4.5 (WCAG 1.4.3), lines 3 (1.4.11); the cotangents' edges are drawn at 75 %.
    for (const behind of ["paper", "panel", "box", "input", "parameter", "constant"]) {
      for (const text of ["ink", "faint", "reverse"]) {
        const c = contrast(colours[text], colours[behind]);
        assert.ok(c >= 4.5, `${colorScheme}: ${text} on ${behind} is ${c.toFixed(2)}`);
      }
    }
    const mixed = colours.reverse.map((v, i) => 0.75 * v + 0.25 * colours.paper[i]);
    for (const [name, line] of [...["line", "forward", "reverse", "path"].map((n) => [n, colours[n]]), ["done", mixed]]) {
      const c = contrast(line, colours.paper);
      assert.ok(c >= 3, `${colorScheme}: ${name} is ${c.toFixed(2)}`);
    }
    await close();
  }
});

test("all of it without a mouse: find, look, jump, move the graph", async () => {
  const { url } = make("find", "gpt");
  const { page, faults, close } = await open(browser, url);
  await page.keyboard.press("/");
  await page.keyboard.type("1.norm2.w");
  assert.equal(await page.textContent("#caption"), "2 of 113 nodes");
  // The parameter, and the operation that reads it.
  assert.equal(await page.locator("#list tbody tr:visible").count(), 2);
  await page.keyboard.press("Enter");
  assert.equal(await page.textContent("#about-name"), "blocks.layers.1.norm2.weight");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#list tbody tr[hidden]").count(), 0);
  // A parameter has no step that computes it; its last cotangent is a step.
  assert.ok(await page.isHidden("#to-value"));
  await page.focus("#to-gradient");
  await page.keyboard.press("Enter");
  assert.match(await page.textContent("#title"), /^reverse: v\S+ gives blocks\.layers\.1\.norm2\.weight a cotangent$/);
  assert.match(await page.textContent("#live"), /^step \d+ of 199\. reverse: /);
  const left = () => page.evaluate(() => document.getElementById("n0").getBoundingClientRect().left);
  const before = await left();
  await page.keyboard.press("Shift+ArrowRight");
  assert.ok((await left()) < before - 20);
  // Wherever the focus is, it is seen.
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const e = document.activeElement;
      if (e === document.body) return "body";
      return getComputedStyle(e).outlineStyle !== "none" ? "seen" : e.outerHTML.slice(0, 80);
    });
    assert.ok(["seen", "body"].includes(seen), seen);
  }
  assert.deepEqual(faults, []);
  await close();
});

test("the step's row and node are in sight, with the node that gives", async () => {
  const { url } = make("sight", "gpt");
  const { page, close } = await open(browser, url);
  for (const at of [30, 90, 150, 199]) {
    await page.evaluate((at) => {
      document.getElementById("slider").value = at;
      document.getElementById("slider").dispatchEvent(new Event("input"));
    }, at);
    const inside = await page.evaluate(() => {
      const within = (e, room) => {
        const [a, b] = [e.getBoundingClientRect(), document.querySelector(room).getBoundingClientRect()];
        return a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
      };
      const box = document.querySelector(".node.forward rect, .node.reverse rect");
      return [within(box, "#stage"), within(document.querySelector("tr.active"), "#list")];
    });
    assert.deepEqual(inside, [true, true], `step ${at}`);
  }
  await close();
});
