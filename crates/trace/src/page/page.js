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
  // The state after a number of steps: which values are computed, which step wrote each cotangent last, and how often
  // each edge was traversed backwards. A step changes one entry, so its cost does not depend on the size of the graph.
  const known = nodes.map((n) => n.leaf);
  const written = nodes.map(() => -1);
  const walked = new Map();
  const before = [];
  const computedBy = nodes.map(() => 0);
  const lastGiven = nodes.map(() => 0);
  steps.forEach((s, i) => {
    before.push(s.kind === "forward" ? -1 : written[s.node]);
    if (s.kind === "forward") computedBy[s.node] = i + 1;
    else written[s.node] = i, lastGiven[s.node] = i + 1;
  });
  written.fill(-1);
  const edge = (s) => "e" + s.node + "-" + s.from;
  let position = -1;
  let selected = null;
  let marked = [];
  let path = [];

  function setText(element, text, exact) {
    element.textContent = text;
    if (exact === null || exact === undefined) element.removeAttribute("data-exact");
    else element.setAttribute("data-exact", exact);
  }

  function write(i) {
    const { cotangent, value, leaf } = nodes[i];
    const v = known[i] ? value : { text: "", label: "", exact: null };
    box[i].classList.toggle("pending", !known[i]);
    setText(labels[i].value, v.label, v.exact);
    setText(cells[i].value, v.text, v.exact);
    const c = written[i] < 0 ? null : steps[written[i]].sum;
    setText(labels[i].cotangent, c ? c.label : "", c && c.exact);
    setText(cells[i].cotangent, c ? cotangent + " = " + c.text : "", c && c.exact);
  }

  // Does or undoes the steps between the current and the new position, and writes what they changed.
  function move(to) {
    const changed = new Set(position < 0 ? nodes.keys() : []);
    const edges = new Set();
    for (let i = Math.max(position, 0); i < to; i++) {
      const s = steps[i];
      if (s.kind === "forward") known[s.node] = true;
      else written[s.node] = i;
      if (s.kind === "reverse") { walked.set(edge(s), (walked.get(edge(s)) ?? 0) + 1); edges.add(edge(s)); }
      changed.add(s.node);
    }
    for (let i = position - 1; i >= to; i--) {
      const s = steps[i];
      if (s.kind === "forward") known[s.node] = false;
      else written[s.node] = before[i];
      if (s.kind === "reverse") { walked.set(edge(s), walked.get(edge(s)) - 1); edges.add(edge(s)); }
      changed.add(s.node);
    }
    changed.forEach(write);
    edges.forEach((id) => by(id)?.classList.toggle("done", walked.get(id) > 0));
    position = to;
  }

  function mark(list, element, name) {
    if (!element) return;
    element.classList.add(name);
    list.push([element, name]);
  }
  const unmark = (list) => { for (const [element, name] of list) element.classList.remove(name); };

  // The paths from the selected node to the output.
  function markPath() {
    unmark(path);
    path = [];
    if (selected === null) return;
    const above = new Set([selected]);
    nodes.forEach((n, i) => { if (n.inputs.some((x) => above.has(x))) above.add(i); });
    const below = new Set([data.output]);
    for (let i = nodes.length - 1; i >= 0; i--) if (below.has(i)) nodes[i].inputs.forEach((x) => below.add(x));
    nodes.forEach((n, i) => {
      if (!above.has(i) || !below.has(i)) return;
      mark(path, box[i], "path");
      n.inputs.forEach((x) => { if (above.has(x) && below.has(x)) mark(path, by("e" + x + "-" + i), "path"); });
    });
  }

  function markStep() {
    unmark(marked);
    marked = [];
    const s = steps[position - 1];
    if (!s) return;
    mark(marked, rows[s.node], "active");
    if (s.kind === "forward") {
      mark(marked, box[s.node], "forward");
      nodes[s.node].inputs.forEach((x) => mark(marked, by("e" + x + "-" + s.node), "forward"));
    } else {
      mark(marked, box[s.node], "reverse");
      if (s.from !== null) {
        mark(marked, box[s.from], "from");
        mark(marked, by(edge(s)), "reverse");
      }
    }
  }

  // Scrolls to the row of the step if the table has its own scroll bar.
  const list = by("list");
  function bringRow(row) {
    if (row.hidden || list.scrollHeight <= list.clientHeight) return;
    const [r, l] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
    const top = list.querySelector("thead th").getBoundingClientRect().bottom;
    if (r.top >= top && r.bottom <= l.bottom) return;
    list.scrollTop += Math.min(r.top - top, (r.top + r.bottom - top - l.bottom) / 2);
  }

  function go(to) {
    to = Math.max(0, Math.min(last, to));
    if (to === position) return;
    move(to);
    markStep();
    const s = steps[to - 1];
    by("what").className = s ? s.kind : "start";
    const phase = !s ? "" : s.kind === "forward" ? "forward: " : "reverse: ";
    by("title").textContent = s ? phase + s.title : "before the first step";
    const room = by("equations");
    room.replaceChildren();
    for (const [caption, pieces, text] of s ? s.equations : []) {
      const name = document.createElement("div");
      name.className = "caption";
      name.textContent = caption;
      const equation = document.createElement("div");
      equation.className = "equation";
      equation.setAttribute("data-text", text);
      // Markup from the program that wrote this page, made from trees; names in it are escaped there.
      equation.innerHTML = pieces.join("");
      room.append(name, equation);
    }
    const slider = by("slider");
    slider.value = to;
    slider.setAttribute("aria-valuetext", s ? phase + s.title : "before the first step");
    // A screen reader already announces a slider that is moved.
    if (document.activeElement !== slider) {
      const spoken = s ? s.equations.map((e) => e[0] + ": " + e[2]).join("; ") : "";
      by("live").textContent = "step " + to + " of " + last + (s ? ". " + phase + s.title + ". " + spoken : "");
    }
    by("count").textContent = to + " / " + last;
    by("back").disabled = by("first").disabled = to === 0;
    by("next").disabled = by("last").disabled = to === last;
    if (!s) return;
    bringIntoView(s.node, s.from ?? undefined);
    // From here on the layout is read, once. An equation that is still too wide can be scrolled, also by keyboard.
    for (const equation of [...room.querySelectorAll(".equation")].filter((e) => e.scrollWidth > e.clientWidth)) {
      const ariaLabel = equation.previousElementSibling.textContent;
      Object.assign(equation, { tabIndex: 0, role: "group", ariaLabel });
    }
    bringRow(rows[s.node]);
  }

  function select(node) {
    selected = node;
    const about = by("about");
    about.hidden = node === null;
    if (node !== null) {
      const n = nodes[node];
      by("about-name").textContent = n.name;
      by("about-math").innerHTML = n.math || "";
      by("to-value").hidden = !computedBy[node];
      by("to-gradient").hidden = !lastGiven[node];
      const list = by("about-list");
      list.replaceChildren();
      for (const [what, text] of n.about) {
        const dt = document.createElement("dt");
        const dd = document.createElement("dd");
        dt.textContent = what;
        dd.textContent = text;
        list.append(dt, dd);
      }
      by("live").textContent = n.name + ": " + n.about.map((a) => a[0] + " " + a[1].split("\n")[0]).join("; ");
    }
    markPath();
    markStep();
  }

  // The visible part of the drawing.
  const whole = svg.viewBox.baseVal;
  const full = { x: whole.x, y: whole.y, w: whole.width, h: whole.height };
  let view = { ...full };
  // The view box sets the size, and a translation of the whole drawing sets the position: moving the view box would lay out
  // all nodes again.
  let size = "";
  const show = () => {
    cull();
    const now = "0 0 " + view.w + " " + view.h;
    if (now !== size) svg.setAttribute("viewBox", size = now);
    by("world").setAttribute("transform", "translate(" + -view.x + " " + -view.y + ")");
  };
  // The positions of nodes and edges; parts of a large graph that are far from the view are not drawn.
  const areas = box.map((g) => {
    const { e, f } = g.transform.baseVal.consolidate().matrix;
    const { width, height } = g.querySelector("rect");
    return [e, f, e + width.baseVal.value, f + height.baseVal.value];
  });
  const drawn = nodes.length < 600 ? [] : box.map((element, i) => ({ element, area: areas[i], seen: true }));
  if (drawn.length) {
    for (const element of svg.querySelectorAll(".edge")) {
      const numbers = element.getAttribute("d").match(/-?[\d.]+/g).map(Number);
      const [x, y] = [0, 1].map((k) => numbers.filter((_, i) => i % 2 === k));
      const area = [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
      drawn.push({ element, area, seen: true });
    }
  }
  function cull() {
    const [left, top] = [view.x - view.w / 2, view.y - view.h / 2];
    const [right, bottom] = [left + 2 * view.w, top + 2 * view.h];
    for (const d of drawn) {
      const [x, y, z, w] = d.area;
      const seen = x <= right && z >= left && y <= bottom && w >= top;
      if (seen === d.seen) continue;
      d.seen = seen;
      d.element.style.display = seen ? "" : "none";
    }
  }
  const scale = () => Math.max(view.w / svg.clientWidth, view.h / svg.clientHeight);
  function zoom(factor, cx = view.x + view.w / 2, cy = view.y + view.h / 2) {
    const most = Math.max(full.w, full.h, 400) * 3;
    const w = Math.max(80, Math.min(most, view.w * factor));
    factor = w / view.w;
    view = { x: cx - (cx - view.x) * factor, y: cy - (cy - view.y) * factor, w, h: view.h * factor };
    show();
  }
  function fit() {
    // Text stays readable: of a large graph only a part is shown, beginning at its inputs.
    view = { ...full };
    const room = { w: svg.clientWidth || 800, h: svg.clientHeight || 500 };
    const [wide, high] = [full.w / room.w, full.h / room.h];
    const small = (s) => s > 1.25 && s <= 1.5;
    const s = Math.max(wide, high) <= 1.5 ? Math.max(wide, high, 0.8) : small(wide) ? wide : 1.25;
    view.w = room.w * s;
    view.h = room.h * s;
    view.x = full.w < view.w ? (full.w - view.w) / 2 : 0;
    view.y = (full.h - view.h) / 2;
    show();
    const s0 = steps[position - 1];
    if (s0) bringIntoView(s0.node, s0.from ?? undefined);
  }
  // Moves until a node is visible, and another one as well if there is room for both.
  function bringIntoView(...wanted) {
    let all = areas[wanted[0]];
    if (wanted[1] !== undefined) {
      const other = areas[wanted[1]];
      const both = [0, 1, 2, 3].map((k) => (k < 2 ? Math.min : Math.max)(all[k], other[k]));
      if (both[2] - both[0] <= view.w && both[3] - both[1] <= view.h) all = both;
    }
    if (all[0] >= view.x && all[1] >= view.y && all[2] <= view.x + view.w && all[3] <= view.y + view.h) return;
    view.x = (all[0] + all[2] - view.w) / 2;
    view.y = (all[1] + all[3] - view.h) / 2;
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
  list.addEventListener("click", (e) => {
    const button = e.target.closest("button");
    if (!button) return;
    const node = Number(button.dataset.node);
    select(node);
    bringIntoView(node);
    // On a small screen, the details of the node are far above.
    if (list.scrollHeight <= list.clientHeight) by("about").scrollIntoView({ block: "nearest" });
  });

  // The rows that contain this text in their name, operation or equation.
  function find() {
    const sought = by("find").value.trim().toLowerCase();
    const has = (row) => [...row.cells].slice(0, 3).some((c) => c.textContent.toLowerCase().includes(sought));
    let count = 0;
    for (const row of rows) count += !(row.hidden = sought !== "" && !has(row));
    by("caption").textContent = sought ? count + " of " + rows.length + " nodes" : "The nodes after this step";
    if (sought) by("live").textContent = by("caption").textContent;
  }
  by("find").addEventListener("input", find);
  by("find").addEventListener("keydown", (e) => {
    if (e.key !== "Enter") return;
    const first = rows.findIndex((r) => !r.hidden);
    if (first < 0) return;
    select(first);
    bringIntoView(first);
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
    "to-value": () => go(computedBy[selected]), "to-gradient": () => go(lastGiven[selected]),
  };
  for (const [id, action] of Object.entries(press)) by(id).addEventListener("click", action);
  by("slider").addEventListener("input", (e) => go(Number(e.target.value)));
  const keys = {
    ArrowRight: press.next, ArrowLeft: press.back, Home: press.first, End: press.last,
    "+": press.larger, "-": press.smaller, 0: fit, d: theme, Escape: press.close, "/": () => by("find").focus(),
  };
  const pan = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    // The slider handles its own keys.
    if (e.target.id === "slider" && /^(Arrow|Home|End)/.test(e.key)) return;
    if (e.target.id === "find") {
      if (e.key === "Escape") { e.target.value = ""; find(); }
      return;
    }
    if (e.shiftKey && pan[e.key]) {
      e.preventDefault();
      view.x += pan[e.key][0] * view.w / 8;
      view.y += pan[e.key][1] * view.h / 8;
      show();
      return;
    }
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
