// The graph: namespaces around a circle, each closed to one point or open to its peers.

const SVG = "http://www.w3.org/2000/svg";
/** Up to this many peers, all namespaces start open. */
const OPEN_AT_START = 130;
/** Around the circle, in pixels. */
const SPACE = { peer: 18, closed: 26, gap: 16, radius: 190 };
/** Names on the circle are cut after this many letters. */
const LETTERS = 26;
const LETTER_WIDTH = 6.6;
/** With more lines, only names and namespaces can be pointed at. */
const MOST_TARGETS = 2000;

class Graph {
  constructor(root, model, choose) {
    this.model = model;
    this.choose = choose;
    this.scale = 1;
    this.open = null;
    this.chosen = null;
    this.scroll = element("div", { className: "scroll" });
    this.empty = element("p", { className: "empty", hidden: true }, "No connection fits the filters.");
    root.append(this.scroll, this.empty);
    new ResizeObserver(() => this.resize()).observe(root);
  }

  tools() {
    const button = (text, label, action) => element("button", {
      type: "button", title: label, "aria-label": label, onclick: action,
    }, text);
    const swatch = (kind, text) => element("span", {}, element("span", { className: `swatch ${kind}` }), ` ${text}`);
    return [
      swatch("leaves", "leaves"), swatch("arrives", "arrives at what you point at"), swatch("undefined", "undefined"),
      element("span", {},
        button("open all", "Open every namespace", () => this.openAll(true)), " ",
        button("close all", "Close every namespace", () => this.openAll(false))),
      element("span", {},
        button("−", "Smaller", () => this.zoom(1 / 1.25)), " ", button("fit", "Fit", () => this.zoom(0)), " ",
        button("+", "Larger", () => this.zoom(1.25))),
    ];
  }

  show(rows, isAll) {
    this.rows = rows;
    this.axis = axis(this.model, rows.flatMap((row) => [row.from, row.to]), isAll);
    this.open ??= new Set(this.axis.ends.length <= OPEN_AT_START ? this.axis.groups.map(({ group }) => group) : []);
    const isEmpty = this.axis.ends.length === 0;
    this.empty.hidden = !isEmpty;
    this.scroll.hidden = isEmpty;
    this.draw();
  }

  openAll(isOpen) {
    this.open = new Set(isOpen ? this.model.groups.keys() : []);
    this.draw();
  }

  toggle(group) {
    if (!this.open.delete(group)) this.open.add(group);
    this.draw();
  }

  zoom(by) {
    this.scale = by === 0 ? 1 : clamp(this.scale * by, 0.5, 6);
    this.resize();
  }

  /** As large as fits, times what a person chose. */
  resize() {
    if (!this.svg || this.scroll.clientWidth === 0) return;
    const { x, y, width, height } = this.svg.getBBox();
    const edge = 12;
    const box = { width: width + 2 * edge, height: height + 2 * edge };
    this.svg.setAttribute("viewBox", `${x - edge} ${y - edge} ${box.width} ${box.height}`);
    const room = { width: this.scroll.clientWidth, height: this.scroll.clientHeight - 6 };
    const fit = Math.min(room.width / box.width, room.height / box.height, 1.3) * this.scale;
    this.svg.setAttribute("width", box.width * fit);
    this.svg.setAttribute("height", box.height * fit);
    this.svg.style.marginLeft = `${Math.max(0, (room.width - box.width * fit) / 2)}px`;
    this.svg.style.marginTop = `${Math.max(0, (room.height - box.height * fit) / 2)}px`;
  }

  /** Points around the circle: open peers, and closed namespaces. */
  layout() {
    const nodes = [];
    const arcs = [];
    let along = 0;
    for (const { group, name, first, last } of this.axis.groups) {
      along += SPACE.gap;
      const begin = along;
      const ends = this.axis.ends.slice(first, last);
      const own = this.open.has(group) ? ends.map((end) => [end]) : [ends];
      for (const members of own) {
        const space = this.open.has(group) ? SPACE.peer : SPACE.closed;
        nodes.push({ group, members, at: along + space / 2, isClosed: !this.open.has(group) });
        along += space;
      }
      const letters = Math.max(...ends.map((end) => Math.min(end.name.length, LETTERS)));
      const width = this.open.has(group) ? letters * LETTER_WIDTH + 14 : 10;
      arcs.push({ group, name, begin, end: along, count: ends.length, width });
    }
    const turn = (2 * Math.PI) / along;
    this.radius = Math.max(SPACE.radius, along / (2 * Math.PI));
    nodes.forEach((node, place) => { node.place = place; node.angle = node.at * turn - Math.PI / 2; });
    arcs.forEach((arc) => { arc.angles = [arc.begin * turn - Math.PI / 2, arc.end * turn - Math.PI / 2]; });
    return { nodes, arcs };
  }

  /** Rows between the same two points are one line. */
  edges(nodes) {
    const nodeOf = new Map(nodes.flatMap((node) => node.members.map((end) => [end.index, node])));
    const edges = new Map();
    for (const row of this.rows) {
      const [from, to] = [nodeOf.get(row.from.index), nodeOf.get(row.to.index)];
      if (from === to) continue;
      const key = `${from.place}>${to.place}`;
      if (!edges.has(key)) edges.set(key, { from, to, rows: [] });
      edges.get(key).rows.push(row);
    }
    return [...edges.values()];
  }

  draw() {
    if (!this.axis || this.axis.ends.length === 0) return;
    const { nodes, arcs } = this.layout();
    this.svg = shape("svg", { role: "img", "aria-label": "Graph of connections" });
    const edges = this.edges(nodes);
    this.most = Math.max(1, ...edges.map((edge) => edge.rows.length));
    this.hasTargets = edges.length <= MOST_TARGETS;
    this.svg.style.setProperty("--edge-opacity", clamp(6 / Math.sqrt(edges.length), 0.12, 0.6));
    this.lines = edges.map((edge) => this.drawEdge(edge));
    this.svg.append(
      ...arcs.map((arc) => this.drawArc(arc)),
      ...nodes.filter((node) => !node.isClosed).map((node) => this.drawNode(node)));
    this.scroll.replaceChildren(this.svg);
    this.resize();
    this.mark(this.chosen);
  }

  drawEdge(edge) {
    const { from, to, rows } = edge;
    // There and back are two lines.
    const bend = (from.group === to.group ? 0.7 : 0.22) + (from.place < to.place ? 0 : 0.1);
    const [start, end] = [point(from.angle, this.radius - 7), point(to.angle, this.radius - 7)];
    const [near, far] = [point(from.angle, this.radius * bend), point(to.angle, this.radius * bend)];
    const path = `M${start.x} ${start.y}C${near.x} ${near.y} ${far.x} ${far.y} ${end.x} ${end.y}`;
    const isUndefined = rows.every((row) => row.traffic.allowed === null);
    const drawn = shape("path", {
      class: `edge${isUndefined ? " undefined" : ""}`, d: path,
      "stroke-width": 1.2 + (3 * (rows.length - 1)) / this.most,
    });
    this.svg.append(drawn);
    if (!this.hasTargets) return { ...edge, drawn };
    const hit = shape("path", { class: "hit", d: path });
    const title = rows.length === 1
      ? `${rowText(rows[0])}: ${textOf(rows[0].traffic)}`
      : `${this.nameOf(from)} → ${this.nameOf(to)}: ${counted(rows.length, "connection")}`;
    hit.append(shapeText("title", {}, title));
    hit.addEventListener("click", () => this.choose(rows.length === 1 ? { row: rows[0] } : { rows, title }));
    this.svg.append(hit);
    return { ...edge, drawn };
  }

  nameOf(node) {
    return node.isClosed ? this.model.groups[node.group] : node.members[0].label;
  }

  drawNode(node) {
    const [end] = node.members;
    const group = shape("g", { class: "node", tabindex: 0, role: "button", "aria-label": end.label });
    node.drawn = group;
    group.append(
      shape("circle", { ...point(node.angle, this.radius, "c"), r: 4 }),
      radialText(short(end.name, LETTERS), node.angle, this.radius + 9),
      shapeText("title", {}, `${end.label} (${end.kind})`),
    );
    activate(group, () => this.choose({ end }));
    group.addEventListener("mouseenter", () => this.highlight(node));
    group.addEventListener("mouseleave", () => this.mark(this.chosen));
    group.addEventListener("focus", () => this.highlight(node));
    group.addEventListener("blur", () => this.mark(this.chosen));
    return group;
  }

  drawArc({ group, name, angles: [begin, end], count, width }) {
    const isOpen = this.open.has(group);
    const [start, stop] = [point(begin, this.radius - 1), point(end, this.radius - 1)];
    const isLarge = end - begin > Math.PI ? 1 : 0;
    const label = isOpen ? name : `${name} (${count})`;
    const drawn = shape("g", { class: "group", tabindex: 0, role: "button", "aria-expanded": isOpen, "aria-label": `${label}: open or close` });
    const middle = (begin + end) / 2;
    if (!isOpen) {
      drawn.append(shape("circle", { ...point(middle, this.radius, "c"), r: Math.min(4 + Math.sqrt(count) * 1.4, 11) }));
    } else {
      drawn.append(shape("path", { d: `M${start.x} ${start.y}A${this.radius - 1} ${this.radius - 1} 0 ${isLarge} 1 ${stop.x} ${stop.y}` }));
    }
    drawn.append(radialText(short(label, LETTERS), middle, this.radius + width + 10),
      shapeText("title", {}, `${name}: ${counted(count, "peer")}`));
    activate(drawn, () => this.toggle(group));
    drawn.addEventListener("mouseenter", () => this.highlightGroup(group));
    drawn.addEventListener("mouseleave", () => this.mark(this.chosen));
    return drawn;
  }

  highlight(node) {
    this.light((edge) => edge.from === node, (edge) => edge.to === node);
  }

  highlightGroup(group) {
    this.light((edge) => edge.from.group === group, (edge) => edge.to.group === group);
  }

  light(leaves, arrives) {
    this.svg.classList.add("focused");
    this.svg.querySelectorAll(".near").forEach((drawn) => drawn.classList.remove("near"));
    for (const edge of this.lines) {
      edge.drawn.classList.toggle("leaves", leaves(edge));
      edge.drawn.classList.toggle("arrives", !leaves(edge) && arrives(edge));
      if (!leaves(edge) && !arrives(edge)) continue;
      edge.from.drawn?.classList.add("near");
      edge.to.drawn?.classList.add("near");
    }
  }

  /** Lights what is shown in the panel, or nothing. */
  mark(choice) {
    this.chosen = choice;
    if (!this.svg) return;
    const row = choice?.row ?? (choice?.from ? choice : null);
    const has = (node, end) => node.members.includes(end);
    if (choice?.end) {
      this.light((edge) => has(edge.from, choice.end), (edge) => has(edge.to, choice.end));
    } else if (row && rowBetween(this.model, row.from, row.to)) {
      this.light((edge) => has(edge.from, row.from) && has(edge.to, row.to), () => false);
    } else {
      this.svg.classList.remove("focused");
      this.svg.querySelectorAll(".leaves, .arrives").forEach((drawn) => drawn.classList.remove("leaves", "arrives"));
    }
  }
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function shapeText(name, attributes, text) {
  const node = shape(name, attributes);
  node.textContent = text;
  return node;
}

function point(angle, radius, prefix = "") {
  const round = (value) => Math.round(value * 100) / 100;
  return { [`${prefix}x`]: round(Math.cos(angle) * radius), [`${prefix}y`]: round(Math.sin(angle) * radius) };
}

/** Text that points away from the middle and never stands on its head. */
function radialText(text, angle, radius) {
  const { x, y } = point(angle, radius);
  const degrees = (angle * 180) / Math.PI;
  const isLeft = Math.cos(angle) < 0;
  return shapeText("text", {
    x, y, dy: "0.35em", "text-anchor": isLeft ? "end" : "start",
    transform: `rotate(${isLeft ? degrees + 180 : degrees} ${x} ${y})`,
  }, text);
}

function short(text, letters) {
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}

/** A click, Enter or the space bar. */
function activate(node, action) {
  node.addEventListener("click", action);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    action();
  });
}
