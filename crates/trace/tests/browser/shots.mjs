// The pictures of the documentation: the page, light and dark, wide and narrow, and the view in a terminal.

import { execFileSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { command, launch, make, open } from "./browser.mjs";

const out = resolve(import.meta.dirname, "../../../../docs/src/images");
mkdirSync(out, { recursive: true });
const browser = await launch();

async function shot(page, name) {
  const path = join(out, name + ".png");
  await page.screenshot({ path });
  const size = statSync(path).size;
  console.log(`${path}: ${(size / 1024).toFixed(0)} KiB`);
  if (size > 200 * 1024) throw new Error(`${name} is larger than 200 KiB`);
}

const mlp = ["mlp", "--widths", "2,3,1"];
for (const [name, args, at, options] of [
  ["step-page", mlp, 27, { viewport: { width: 1440, height: 780 } }],
  ["step-page-dark", ["tanh(w*x + b)^2", "--at", "w=2,x=-1,b=0.5"], 8, { viewport: { width: 1280, height: 600 }, colorScheme: "dark" }],
  ["step-page-phone", ["mlp", "--vector"], 14, { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true }],
]) {
  const { url } = make(name, ...args);
  const { page, close } = await open(browser, url + "#step=" + at, options);
  await shot(page, name);
  await close();
}

// The terminal: what tmux has on its screen, with its colours, drawn by the browser.
const tmux = (...args) => execFileSync("tmux", ["-L", "wengert-shots", ...args], { encoding: "utf8" });
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
function coloured(ansi) {
  const colours = { 30: "#444", 31: "#ff8a80", 32: "#9ccc65", 34: "#6db3ff", 35: "#c3a6ff", 39: "" };
  let html = "";
  const style = { colour: "", bold: false, dim: false, reverse: false };
  for (const part of ansi.split(/(\x1b\[[0-9;]*m)/)) {
    const codes = /^\x1b\[([0-9;]*)m$/.exec(part);
    if (!codes) {
      const css =
        (style.reverse ? `background:${style.colour || "#e7ebf0"};color:#14171c;` : style.colour && `color:${style.colour};`) +
        (style.bold ? "font-weight:700;" : "") + (style.dim ? "opacity:.65;" : "");
      html += `<span style="${css}">${escape(part)}</span>`;
      continue;
    }
    // Colours come as 31 or as 38;5;1.
    for (const code of (codes[1] || "0").replace(/38;5;(\d)\b/g, "3$1").split(";").map(Number)) {
      if (code === 0) Object.assign(style, { colour: "", bold: false, dim: false, reverse: false });
      else if (code === 1) style.bold = true;
      else if (code === 2) style.dim = true;
      else if (code === 22) style.bold = style.dim = false;
      else if (code === 7) style.reverse = true;
      else if (code === 27) style.reverse = false;
      else if (code in colours) style.colour = colours[code];
    }
  }
  return html;
}
const quoted = [command, "step", ...mlp].map((a) => `'${a}'`).join(" ");
tmux("new-session", "-d", "-s", "shot", "-x", "110", "-y", "30", quoted);
try {
  await wait(700);
  tmux("send-keys", "-t", "shot", "g");
  tmux("send-keys", "-t", "shot", "-l", "z_2^(1)");
  tmux("send-keys", "-t", "shot", "Enter");
  for (let i = 0; i < 14; i++) tmux("send-keys", "-t", "shot", "Right");
  await wait(400);
  const screen = tmux("capture-pane", "-t", "shot", "-e", "-p");
  const page = await (await browser.newContext({ viewport: { width: 960, height: 560 } })).newPage();
  await page.setContent(
    `<body style="margin:0;background:#14171c"><pre style="margin:12px;color:#e7ebf0;font:14px/17px DejaVu Sans Mono,monospace">${coloured(screen)}</pre></body>`,
  );
  await shot(page, "step-terminal");
} finally {
  tmux("kill-server");
}
await browser.close();
