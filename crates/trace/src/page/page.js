"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = (id) => document.getElementById(id);
  const { nodes, steps } = data;
  const svg = by("graph");
  const last = steps.length;
  const box = nodes.map((_, i) => by("n" + i));
  const rows = nodes.map((_, i) => by("r" + i));
  const labels = box.map((g) => ({ value: g.querySelector(".value"), cotangent: g.querySelector(".cotangent") }));
  const cells = rows.map((r) => ({ value: r.querySelector(".value"), cotangent: r.querySelector(".cotangent") }));
  const shown = nodes.map(() => ({}));
  let position = -1;
  let selected = null;
  let marked = [];

  const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

  // What is known after so many steps.
  function stateAfter(count) {
    const state = nodes.map((n) => ({ value: n.leaf, cotangent: null }));
    const done = new Set();
    for (let i = 0; i < count; i++) {
      const s = steps[i];
      if (s.kind === "forward") state[s.node].value = true;
      else state[s.node].cotangent = s.sum;
      if (s.kind === "reverse") done.add("e" + s.node + "-" + s.from);
    }
    return { state, done };
  }

  function setText(element, text, exact) {
    element.textContent = text;
    if (exact === null || exact === undefined) element.removeAttribute("data-exact");
    else element.setAttribute("data-exact", exact);
  }

  function mark(element, name) {
    if (!element) return;
    element.classList.add(name);
    marked.push([element, name]);
  }

  function highlight(done) {
    for (const [element, name] of marked) element.classList.remove(name);
    marked = [];
    for (const id of done) mark(by(id), "done");
    if (selected !== null) {
      const above = new Set([selected]);
      nodes.forEach((n, i) => { if (n.inputs.some((x) => above.has(x))) above.add(i); });
      const below = new Set([data.output]);
      for (let i = nodes.length - 1; i >= 0; i--) if (below.has(i)) nodes[i].inputs.forEach((x) => below.add(x));
      nodes.forEach((n, i) => {
        if (!above.has(i) || !below.has(i)) return;
        mark(box[i], "path");
        n.inputs.forEach((x) => { if (above.has(x) && below.has(x)) mark(by("e" + x + "-" + i), "path"); });
      });
    }
    const s = steps[position - 1];
    if (!s) return;
    mark(rows[s.node], "active");
    if (s.kind === "forward") {
      mark(box[s.node], "forward");
      nodes[s.node].inputs.forEach((x) => mark(by("e" + x + "-" + s.node), "forward"));
    } else {
      mark(box[s.node], "reverse");
      if (s.from !== null) {
        mark(box[s.from], "from");
        mark(by("e" + s.node + "-" + s.from), "reverse");
      }
    }
  }

  function go(to) {
    to = Math.max(0, Math.min(last, to));
    if (to === position) return;
    position = to;
    const { state, done } = stateAfter(to);
    state.forEach((now, i) => {
      const n = nodes[i];
      if (shown[i].value !== now.value) {
        shown[i].value = now.value;
        box[i].classList.toggle("pending", !now.value);
        const text = now.value ? n.value.text : "";
        setText(labels[i].value, short(text, 21), now.value ? n.value.exact : null);
        setText(cells[i].value, text, now.value ? n.value.exact : null);
      }
      if (shown[i].cotangent !== now.cotangent) {
        shown[i].cotangent = now.cotangent;
        const c = now.cotangent;
        setText(labels[i].cotangent, c ? short(n.cotangent + " = " + c.text, 21) : "", c && c.exact);
        setText(cells[i].cotangent, c ? n.cotangent + " = " + c.text : "", c && c.exact);
      }
    });
    highlight(done);
    const s = steps[to - 1];
    by("what").className = s ? s.kind : "start";
    const phase = !s ? "" : s.kind === "forward" ? "forward: " : "reverse: ";
    by("title").textContent = s ? phase + s.title : "before the first step";
    const room = by("equations");
    room.replaceChildren();
    for (const [caption, mathml, text] of s ? s.equations : []) {
      const name = document.createElement("div");
      name.className = "caption";
      name.textContent = caption;
      const equation = document.createElement("div");
      equation.className = "equation";
      equation.setAttribute("data-text", text);
      // Made by the program that wrote this page, from trees; names in it are escaped there.
      equation.innerHTML = mathml.join("");
      room.append(name, equation);
    }
    const spoken = s ? s.equations.map((e) => e[0] + ": " + e[2]).join("; ") : "";
    by("live").textContent = "step " + to + " of " + last + (s ? ". " + phase + s.title + ". " + spoken : "");
    const slider = by("slider");
    slider.value = to;
    slider.setAttribute("aria-valuetext", s ? phase + s.title : "before the first step");
    by("count").textContent = to + " / " + last;
    by("back").disabled = by("first").disabled = to === 0;
    by("next").disabled = by("last").disabled = to === last;
    if (s) bringIntoView(box[s.node]);
  }

  function select(node) {
    selected = node;
    const about = by("about");
    about.hidden = node === null;
    if (node !== null) {
      by("about-name").textContent = nodes[node].name;
      by("about-math").innerHTML = nodes[node].math || "";
      const list = by("about-list");
      list.replaceChildren();
      for (const [what, text] of nodes[node].about) {
        const dt = document.createElement("dt");
        const dd = document.createElement("dd");
        dt.textContent = what;
        dd.textContent = text;
        list.append(dt, dd);
      }
      by("live").textContent = nodes[node].name + ": " + nodes[node].about.map((a) => a.join(" ")).join("; ");
    }
    highlight(stateAfter(position).done);
  }

  // The part of the drawing that is seen.
  const whole = svg.viewBox.baseVal;
  const full = { x: whole.x, y: whole.y, w: whole.width, h: whole.height };
  let view = { ...full };
  const show = () => svg.setAttribute("viewBox", [view.x, view.y, view.w, view.h].join(" "));
  const scale = () => Math.max(view.w / svg.clientWidth, view.h / svg.clientHeight);
  function zoom(factor, cx = view.x + view.w / 2, cy = view.y + view.h / 2) {
    const most = Math.max(full.w, full.h, 400) * 3;
    const w = Math.max(80, Math.min(most, view.w * factor));
    factor = w / view.w;
    view = { x: cx - (cx - view.x) * factor, y: cy - (cy - view.y) * factor, w, h: view.h * factor };
    show();
  }
  function fit() {
    // Text stays readable: a large graph is shown in part, from its inputs.
    view = { ...full };
    const room = { w: svg.clientWidth || 800, h: svg.clientHeight || 500 };
    const s = Math.min(Math.max(full.w / room.w, full.h / room.h), 1.5);
    view.w = room.w * s;
    view.h = room.h * s;
    view.x = full.w < view.w ? (full.w - view.w) / 2 : 0;
    view.y = (full.h - view.h) / 2;
    show();
    const s0 = steps[position - 1];
    if (s0) bringIntoView(box[s0.node]);
  }
  function bringIntoView(g) {
    const at = g.transform.baseVal.consolidate().matrix;
    const { width, height } = g.querySelector("rect");
    const [w, h] = [width.baseVal.value, height.baseVal.value];
    const inside = at.e >= view.x && at.f >= view.y && at.e + w <= view.x + view.w && at.f + h <= view.y + view.h;
    if (inside) return;
    view.x = at.e + w / 2 - view.w / 2;
    view.y = at.f + h / 2 - view.h / 2;
    show();
  }
  const point = (e) => {
    const r = svg.getBoundingClientRect();
    const s = scale();
    return [view.x + view.w / 2 + (e.clientX - r.left - r.width / 2) * s,
      view.y + view.h / 2 + (e.clientY - r.top - r.height / 2) * s];
  };
  svg.addEventListener("wheel", (e) => {
    e.preventDefault();
    zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY / 300))), ...point(e));
  }, { passive: false });
  const fingers = new Map();
  let moved = false;
  svg.addEventListener("pointerdown", (e) => {
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
    moved = false;
  });
  svg.addEventListener("pointermove", (e) => {
    const old = fingers.get(e.pointerId);
    if (!old) return;
    const [dx, dy] = [e.clientX - old[0], e.clientY - old[1]];
    if (!moved && Math.hypot(dx, dy) < 4) return;
    if (!moved) svg.setPointerCapture(e.pointerId);
    moved = true;
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== e.pointerId)[1];
      const distance = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      zoom(distance(old) / Math.max(1, distance([e.clientX, e.clientY])));
    } else {
      const s = scale();
      view.x -= dx * s;
      view.y -= dy * s;
      show();
    }
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, (e) => fingers.delete(e.pointerId));
  svg.addEventListener("click", (e) => {
    if (moved) return;
    const g = e.target.closest(".node");
    select(g ? Number(g.dataset.node) : null);
  });
  by("list").addEventListener("click", (e) => {
    const button = e.target.closest("button");
    if (!button) return;
    const node = Number(button.dataset.node);
    select(node);
    bringIntoView(box[node]);
  });

  function theme() {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  }
  const press = {
    first: () => go(0), back: () => go(position - 1), next: () => go(position + 1), last: () => go(last),
    smaller: () => zoom(1.25), larger: () => zoom(0.8), fit, theme, close: () => select(null),
  };
  for (const [id, action] of Object.entries(press)) by(id).addEventListener("click", action);
  by("slider").addEventListener("input", (e) => go(Number(e.target.value)));
  const keys = {
    ArrowRight: press.next, ArrowLeft: press.back, Home: press.first, End: press.last,
    "+": press.larger, "-": press.smaller, 0: fit, d: theme, Escape: press.close,
  };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    // The slider moves by itself.
    if (e.target.id === "slider" && /^(Arrow|Home|End)/.test(e.key)) return;
    const action = keys[e.key];
    if (!action) return;
    e.preventDefault();
    action();
  });
  window.addEventListener("resize", fit);
  fit();
  const asked = /^#step=(\d+|end)$/.exec(location.hash);
  go(!asked ? 0 : asked[1] === "end" ? last : Number(asked[1]));
})();
