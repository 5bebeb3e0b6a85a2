// The page in a real browser: every step clicked forward and back, its numbers compared with the engine's.

import assert from "node:assert/strict";
import test from "node:test";
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { command, folder, launch, make, open, step } from "./browser.mjs";

const browser = await launch();
test.after(() => browser.close());

const number = (value) => {
  if (!value || value.shape.length) return null;
  const c = value.numbers[0];
  return { nan: NaN, inf: Infinity, "-inf": -Infinity }[c] ?? c;
};

/** What the trace says is known after so many steps: value and cotangent of every node, where they are numbers. */
function expected(trace) {
  const forward = trace.nodes.filter((n) => n.op).map((n) => n.number);
  const states = [trace.nodes.map((n) => ({ value: n.op ? null : number(n.value), cotangent: null }))];
  const next = (change) => {
    const state = states.at(-1).map((s) => ({ ...s }));
    change(state);
    states.push(state);
  };
  for (const i of forward) next((s) => (s[i].value = number(trace.nodes[i].value)));
  next((s) => (s[trace.output].cotangent = number(trace.nodes[trace.output].gradient)));
  for (const g of trace.reverse) next((s) => (s[g.to].cotangent = number(g.sum)));
  return states;
}

const read = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("#graph .node")].map((g, i) => {
      const exact = (e) => (e.dataset.exact === undefined ? null : Number(e.dataset.exact));
      const [value, cotangent] = [g.querySelector(".value"), g.querySelector(".cotangent")].map(exact);
      const row = document.getElementById("r" + i);
      const [v, c] = [row.querySelector(".value"), row.querySelector(".cotangent")].map(exact);
      if (!Object.is(v, value) || !Object.is(c, cotangent)) throw new Error("table and graph differ at " + i);
      return { value, cotangent };
    }),
  );

const cases = {
  expression: ["tanh(w*x + b)^2", "--at", "w=2,x=-1,b=0.5"],
  used_twice: ["z = x*x; z*sin(z) + z/y", "--at", "x=1.5,y=-2"],
  scalar: ["mlp", "--widths", "2,3,1"],
  vector: ["mlp", "--vector"],
  not_finite: ["log(x)*y + 1/x", "--at", "x=0,y=-1"],
};

for (const [name, args] of Object.entries(cases)) {
  test(`every step of ${name}, forward and back`, async () => {
    const { url, trace } = make(name, ...args);
    const states = expected(trace);
    const { page, faults, close } = await open(browser, url);
    const last = states.length - 1;
    assert.equal(await page.getAttribute("#slider", "max"), String(last));
    for (let i = 0; i <= last; i++) {
      assert.deepEqual(await read(page), states[i], `step ${i} forward`);
      if (i > 0) {
        assert.match(await page.textContent("#live"), new RegExp(`^step ${i} of ${last}\\. `));
        assert.ok((await page.locator("#equations math").count()) > 0, `step ${i} has an equation`);
      }
      if (i < last) await page.click("#next");
    }
    assert.ok(await page.isDisabled("#next"));
    for (let i = last; i >= 0; i--) {
      assert.deepEqual(await read(page), states[i], `step ${i} back`);
      if (i > 0) await page.click("#back");
    }
    assert.ok(await page.isDisabled("#back"));
    assert.deepEqual(faults, []);
    await close();
  });
}

test("300 nodes stay responsive", async () => {
  const terms = Array.from({ length: 100 }, (_, i) => `sin(${i + 1}*x)`).join(" + ");
  const { url, trace } = make("large", `${terms}`, "--at", "x=0.3");
  assert.ok(trace.nodes.length >= 300, `${trace.nodes.length} nodes`);
  const start = performance.now();
  const { page, faults, close } = await open(browser, url);
  const loaded = performance.now() - start;
  const times = await page.evaluate(async () => {
    const times = [];
    for (let i = 0; i < 200; i++) {
      const start = performance.now();
      document.getElementById("next").click();
      document.body.getBoundingClientRect();
      times.push(performance.now() - start);
      if (i % 20 === 0) await new Promise(requestAnimationFrame);
    }
    return times.sort((a, b) => a - b);
  });
  const jump = await page.evaluate(() => {
    const start = performance.now();
    document.getElementById("last").click();
    document.body.getBoundingClientRect();
    return performance.now() - start;
  });
  const last = Number(await page.getAttribute("#slider", "max"));
  assert.deepEqual(await read(page), expected(trace)[last]);
  console.log(
    `${trace.nodes.length} nodes, ${last} steps: opened in ${loaded.toFixed(0)} ms, a step ${times[100].toFixed(1)} ms ` +
      `(the slowest of 200: ${times[199].toFixed(1)} ms), to the end ${jump.toFixed(1)} ms`,
  );
  assert.ok(times[100] < 50 && times[199] < 500 && jump < 500 && loaded < 10_000);
  assert.deepEqual(faults, []);
  await close();
});

test("a model of more than 300 nodes, as people open it", async () => {
  const run = join(folder, "deep");
  const small = ["--layers", "10", "--width", "8", "--heads", "1", "--context", "8", "--batch-size", "512"];
  execFileSync(command, ["train", "gpt", ...small, "--epochs", "1", "--out", run], { stdio: "ignore" });
  const { url, trace } = make("model", run);
  assert.ok(trace.nodes.length > 300, `${trace.nodes.length} nodes`);
  const start = performance.now();
  const { page, faults, close } = await open(browser, url);
  const loaded = performance.now() - start;
  const states = expected(trace);
  const last = states.length - 1;
  const times = await page.evaluate(async (last) => {
    const timed = (id) => {
      const start = performance.now();
      document.getElementById(id).click();
      document.body.getBoundingClientRect();
      return performance.now() - start;
    };
    const middle = (times) => times.sort((a, b) => a - b)[times.length >> 1];
    const some = async (id) => {
      const times = [];
      for (let i = 0; i < 60; i++) {
        times.push(timed(id));
        if (i % 20 === 0) await new Promise(requestAnimationFrame);
      }
      return middle(times);
    };
    return { next: await some("next"), last: timed("last"), back: await some("back"), first: timed("first") };
  }, last);
  const size = statSync(fileURLToPath(url)).size;
  console.log(
    `${trace.nodes.length} nodes, ${last} steps, ${(size / 1e6).toFixed(1)} MB: opened in ${loaded.toFixed(0)} ms; ms for a ` +
      `step ${times.next.toFixed(1)}, back ${times.back.toFixed(1)}, to the end ${times.last.toFixed(0)}, to the start ${times.first.toFixed(0)}`,
  );
  assert.ok(times.next < 100 && times.back < 100 && times.last < 1000 && times.first < 1000 && loaded < 10_000);
  assert.ok(size < 5e6);
  // The steps to and fro end where one jump does.
  for (const [key, at] of [["End", last], ["ArrowLeft", last - 1], ["Home", 0]]) {
    await page.keyboard.press(key);
    assert.deepEqual(await read(page), states[at]);
  }
  assert.deepEqual(faults, []);
  await close();
});

test("keys step, zoom and let go; a node says where its gradient comes from", async () => {
  const { url } = make("keys", ...cases.used_twice);
  const { page, faults, close } = await open(browser, url);
  const at = () => page.inputValue("#slider");
  for (const [key, want] of [["ArrowRight", "1"], ["ArrowRight", "2"], ["ArrowLeft", "1"], ["Home", "0"]]) {
    await page.keyboard.press(key);
    assert.equal(await at(), want);
  }
  // On the slider itself an arrow is one step, not two.
  await page.focus("#slider");
  await page.keyboard.press("ArrowRight");
  assert.equal(await at(), "1");
  const width = () => page.evaluate(() => document.getElementById("graph").viewBox.baseVal.width);
  const before = await width();
  await page.keyboard.press("+");
  assert.ok((await width()) < before);
  await page.keyboard.press("0");
  await page.locator("#n0").click();
  assert.match(await page.textContent("#about"), /is the sum of|is one term/);
  assert.ok((await page.locator(".node.path").count()) > 1);
  await page.keyboard.press("Escape");
  assert.ok(await page.isHidden("#about"));
  assert.equal(await page.locator(".node.path").count(), 0);
  assert.deepEqual(faults, []);
  await close();
});

test("everything is named, and reached by the keyboard in the order of reading", async () => {
  const { url } = make("names", ...cases.expression);
  const { page, close } = await open(browser, url);
  const unnamed = await page.evaluate(() =>
    [...document.querySelectorAll("button, input, svg, section, nav")]
      .filter((e) => !e.getAttribute("aria-label") && !e.labels?.length && !e.textContent.trim())
      .map((e) => e.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(unnamed, []);
  const order = [];
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.dataset.node));
  }
  // Disabled buttons are passed over.
  assert.deepEqual(order.slice(0, 9), ["smaller", "fit", "larger", "theme", "graph", "next", "last", "slider", "find"]);
  assert.equal(order[9], "0");
  await close();
});

test("dark by the system's wish, and by the switch", async () => {
  const { url } = make("dark", ...cases.expression);
  const { page, close } = await open(browser, url, { colorScheme: "dark" });
  const brightness = () =>
    page.evaluate(() => {
      const c = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
      return (c[0] + c[1] + c[2]) / 3;
    });
  assert.ok((await brightness()) < 60);
  await page.click("#theme");
  assert.ok((await brightness()) > 200);
  await page.emulateMedia({ colorScheme: "light" });
  await page.click("#theme");
  assert.ok((await brightness()) < 60);
  await close();
});

test("readable on a phone", async () => {
  const { url } = make("phone", ...cases.scalar);
  const { page, faults, close } = await open(browser, url, {
    viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2,
  });
  const last = Number(await page.getAttribute("#slider", "max"));
  for (let i = 0; i < last; i++) {
    await page.tap("#next");
    const fits = await page.evaluate(() => document.scrollingElement.scrollWidth <= window.innerWidth);
    assert.ok(fits, `step ${i + 1} is wider than the screen`);
  }
  const button = await page.locator("#next").boundingBox();
  assert.ok(button.width >= 40 && button.height >= 40);
  assert.deepEqual(faults, []);
  await close();
});

test("names that look like markup are text", async () => {
  const { writeFileSync } = await import("node:fs");
  const trace = JSON.parse(step(...cases.expression, "--format", "json"));
  const evil = "</script><img src=x onerror=document.title='broken'>{{rows}}";
  trace.title = evil;
  trace.nodes.forEach((n) => (n.name = evil + n.number));
  trace.nodes.filter((n) => n.op).forEach((n) => (n.op = evil));
  const file = join(folder, "evil.json");
  writeFileSync(file, JSON.stringify(trace));
  const { url } = make("evil", file);
  const { page, faults, close } = await open(browser, url);
  await page.keyboard.press("End");
  await page.locator("#n0").click();
  assert.equal(await page.locator("img").count(), 0);
  assert.equal(await page.textContent("h1"), evil);
  assert.deepEqual(faults, []);
  await close();
});
