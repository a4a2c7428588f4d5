// The matrix: sources down, destinations across, drawn on a canvas the size of what is seen.

const CELL = { least: 4, most: 48, comfortable: 26 };
/** Names need this much to be read. */
const READABLE = 11;
/** The most that names take on each side. */
const GUTTER = { name: 190, namespace: 130 };

class Matrix {
  /** `choose` is called with what a person chose. */
  constructor(root, model, choose) {
    this.model = model;
    this.choose = choose;
    this.zoomed = null;
    this.cursor = null;
    this.chosen = null;
    this.canvas = element("canvas", {});
    this.sizer = element("div", {});
    this.scroll = element("div", {
      className: "scroll", tabIndex: 0, role: "application", "aria-label": "Matrix of connections",
      "aria-describedby": "matrix-status",
    }, this.canvas, this.sizer);
    this.tip = element("div", { className: "tip", hidden: true });
    this.empty = element("p", { className: "empty", hidden: true });
    this.status = element("p", { id: "matrix-status", "aria-live": "polite", className: "tip", hidden: true });
    root.append(this.scroll, this.tip, this.empty, this.status);
    this.scroll.addEventListener("scroll", () => this.draw());
    this.scroll.addEventListener("mousemove", (event) => this.hover(event));
    this.scroll.addEventListener("mouseleave", () => this.leave());
    this.scroll.addEventListener("click", (event) => this.click(event));
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Buttons and what the colours mean. */
  tools() {
    const button = (text, label, by) => element("button", {
      type: "button", title: label, "aria-label": label, onclick: () => this.zoom(by),
    }, text);
    const swatch = (kind, text) => element("span", {}, element("span", { className: `swatch ${kind}` }), ` ${text}`);
    return [
      swatch("all", "all ports"), swatch("some", "some ports"), swatch("undefined", "undefined"),
      element("span", {}, button("−", "Smaller", 1 / 1.3), " ", button("fit", "Fit", 0), " ", button("+", "Larger", 1.3)),
    ];
  }

  /** `isAll`: every peer has its row and column, whether or not it has a connection. */
  show(rows, isAll) {
    this.rows = axis(this.model, rows.map((row) => row.from), isAll);
    this.columns = axis(this.model, rows.map((row) => row.to), isAll);
    this.cells = new Map(rows.map((row) => [pairKey(row.from, row.to), row]));
    this.cursor = null;
    const isEmpty = rows.length === 0 && !isAll;
    this.empty.hidden = !isEmpty;
    this.scroll.hidden = isEmpty;
    this.empty.textContent = "No connection fits the filters.";
    this.draw();
  }

  zoom(by) {
    this.zoomed = by === 0 ? null : clamp(this.cell * by, CELL.least, CELL.most);
    this.draw();
  }

  /** Sizes that depend on the window: gutters are as wide as their names, and cells fit beside them. */
  measure() {
    this.view = { width: this.scroll.clientWidth, height: this.scroll.clientHeight };
    if (this.zoomed !== null) {
      this.cell = this.zoomed;
    } else {
      this.cell = CELL.comfortable;
      this.measureGutters();
      const across = (this.view.width - this.left.all - 10) / this.columns.ends.length;
      const down = (this.view.height - this.top.all - 10) / this.rows.ends.length;
      this.cell = clamp(Math.floor(Math.min(across, down)), READABLE + 2, CELL.comfortable);
    }
    this.measureGutters();
    const width = this.left.all + this.columns.ends.length * this.cell + 8;
    const height = this.top.all + this.rows.ends.length * this.cell + 8;
    this.sizer.style.width = `${width}px`;
    this.sizer.style.height = `${Math.max(0, height - this.view.height)}px`;
  }

  measureGutters() {
    const context = this.canvas.getContext("2d");
    const longest = (items, weight) => {
      context.font = `${weight} ${font(this.cell)}`;
      return items.reduce((most, item) => Math.max(most, context.measureText(item.name).width), 0);
    };
    const gutter = (side) => {
      const names = this.cell >= READABLE ? Math.min(GUTTER.name, longest(side.ends, 400) + 14) : 0;
      const groups = Math.min(GUTTER.namespace, longest(side.groups, 600) + 18);
      return { names, groups, all: names + groups };
    };
    this.left = gutter(this.rows);
    this.top = gutter(this.columns);
  }

  draw() {
    if (this.rows === undefined || this.scroll.clientWidth === 0 || this.scroll.hidden) return;
    this.measure();
    const { width, height } = this.view;
    const scale = devicePixelRatio || 1;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    const colours = coloursOf(this.scroll);
    context.fillStyle = colours.surface;
    context.fillRect(0, 0, width, height);
    const offset = { x: this.left.all - this.scroll.scrollLeft, y: this.top.all - this.scroll.scrollTop };
    context.save();
    context.beginPath();
    context.rect(this.left.all, this.top.all, width, height);
    context.clip();
    this.drawCells(context, colours, offset);
    context.restore();
    this.drawLabels(context, colours, offset);
  }

  /** The places of an axis that are in sight. */
  seen(start, length, room) {
    const first = Math.max(0, Math.floor(-start / this.cell));
    return [first, Math.min(length, Math.ceil((room - start) / this.cell))];
  }

  drawCells(context, colours, offset) {
    const { cell } = this;
    const [firstRow, lastRow] = this.seen(offset.y - this.top.all, this.rows.ends.length, this.view.height);
    const [firstColumn, lastColumn] = this.seen(offset.x - this.left.all, this.columns.ends.length, this.view.width);
    const stripes = stripesOf(context, colours);
    const right = offset.x + this.columns.ends.length * cell;
    const bottom = offset.y + this.rows.ends.length * cell;
    if (this.cursor !== null) {
      context.fillStyle = colours.hover;
      context.fillRect(offset.x, offset.y + this.cursor.row * cell, right - offset.x, cell);
      context.fillRect(offset.x + this.cursor.column * cell, offset.y, cell, bottom - offset.y);
    }
    for (let row = firstRow; row < lastRow; row += 1) {
      for (let column = firstColumn; column < lastColumn; column += 1) {
        const from = this.rows.ends[row];
        const to = this.columns.ends[column];
        const found = this.cells.get(pairKey(from, to));
        const at = { x: offset.x + column * cell, y: offset.y + row * cell };
        if (found) this.drawCell(context, colours, stripes, found, at);
        else if (from === to && !from.isOutside) fill(context, colours.self, at.x, at.y, cell, cell);
      }
    }
    context.lineWidth = 1;
    const lines = (colour, rows, columns) => {
      context.strokeStyle = colour;
      context.beginPath();
      for (const row of rows) line(context, [offset.x, offset.y + row * cell], [right, offset.y + row * cell]);
      for (const column of columns) line(context, [offset.x + column * cell, offset.y], [offset.x + column * cell, bottom]);
      context.stroke();
    };
    if (cell >= 8) lines(colours.line, range(firstRow, lastRow), range(firstColumn, lastColumn));
    lines(colours["strong-line"], this.rows.edges, this.columns.edges);
    for (const [place, colour] of [[this.placeOf(this.chosen), colours.mark], [this.cursor, colours.ink]]) {
      if (place === null) continue;
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.strokeRect(offset.x + place.column * cell, offset.y + place.row * cell, cell, cell);
    }
  }

  drawCell(context, colours, stripes, row, { x, y }) {
    const { cell } = this;
    const kind = kindOf(row.traffic);
    fill(context, kind === "undefined" ? stripes : colours[kind], x, y, cell, cell);
    if (kind !== "undefined" && row.traffic.undefined !== null && cell >= 8) {
      context.fillStyle = colours.undefined;
      context.beginPath();
      context.moveTo(x + cell, y);
      context.lineTo(x + cell, y + cell * 0.45);
      context.lineTo(x + cell * 0.55, y);
      context.fill();
    }
    if (cell < 34 || row.traffic.allowed === null) return;
    context.fillStyle = kind === "all" ? colours.surface : "#fff";
    context.font = "11px ui-monospace, Menlo, Consolas, monospace";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const text = row.traffic.allowed.replace(/\/(tcp|udp|sctp)/g, "").split(/[ ,]/)[0];
    context.fillText(clip(context, text, cell - 4), x + cell / 2, y + cell / 2);
  }

  drawLabels(context, colours, offset) {
    const { cell, view } = this;
    fill(context, colours.surface, 0, 0, this.left.all, view.height);
    fill(context, colours.surface, 0, 0, view.width, this.top.all);
    const side = (isTop) => {
      const [own, start, room] = isTop ? [this.columns, offset.x, view.width] : [this.rows, offset.y, view.height];
      const gutter = isTop ? this.top : this.left;
      const head = isTop ? this.left.all : this.top.all;
      const [first, last] = this.seen(start - head, own.ends.length, room);
      context.save();
      context.beginPath();
      context.rect(...(isTop ? [head, 0, room, gutter.all] : [0, head, gutter.all, room]));
      context.clip();
      const write = (text, along, away, most, align) => {
        context.save();
        context.translate(...(isTop ? [along, away] : [away, along]));
        if (isTop) context.rotate(-Math.PI / 2);
        context.textAlign = isTop ? (align === "near" ? "left" : "right") : (align === "near" ? "right" : "left");
        context.fillText(clip(context, text, most), 0, 0);
        context.restore();
      };
      context.textBaseline = "middle";
      context.font = font(cell);
      if (gutter.names > 0) {
        for (let place = first; place < last; place += 1) {
          const isMarked = this.cursor !== null && (isTop ? this.cursor.column : this.cursor.row) === place;
          context.fillStyle = isMarked ? colours.mark : colours.ink;
          write(own.ends[place].name, start + (place + 0.5) * cell, gutter.all - 6, gutter.names - 8, "near");
        }
      }
      context.font = `600 ${context.font}`;
      context.fillStyle = colours.ink;
      for (const group of own.groups) {
        const size = (group.last - group.first) * cell;
        if (size < 9) continue;
        // A name stays in sight while its group is.
        const begin = Math.max(head, start + group.first * cell);
        const end = Math.min(room, start + group.last * cell);
        if (end - begin < 9) continue;
        write(group.name, (begin + end) / 2, gutter.groups - 8, gutter.groups - 12, "near");
      }
      context.strokeStyle = colours["strong-line"];
      context.lineWidth = 1;
      context.beginPath();
      for (const edge of own.edges) {
        const at = start + edge * cell;
        if (isTop) line(context, [at, 0], [at, gutter.all]);
        else line(context, [0, at], [gutter.all, at]);
      }
      context.stroke();
      context.restore();
    };
    side(true);
    side(false);
    fill(context, colours.surface, 0, 0, this.left.all, this.top.all);
    context.fillStyle = colours.quiet;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "bottom";
    context.fillText("from ↓   to →", this.left.all - 8, this.top.all - 6);
  }

  /** The place under the mouse: a cell, or a name. */
  at(event) {
    const box = this.scroll.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const column = Math.floor((x - this.left.all + this.scroll.scrollLeft) / this.cell);
    const row = Math.floor((y - this.top.all + this.scroll.scrollTop) / this.cell);
    const place = {
      row: y < this.top.all ? null : row,
      column: x < this.left.all ? null : column,
      x, y,
    };
    const isOff = (at, own) => at !== null && (at < 0 || at >= own.ends.length);
    return isOff(place.row, this.rows) || isOff(place.column, this.columns) ? null : place;
  }

  hover(event) {
    const place = this.at(event);
    const isCell = place !== null && place.row !== null && place.column !== null;
    const end = place === null || isCell ? undefined : this.rows.ends[place.row] ?? this.columns.ends[place.column];
    this.cursor = isCell ? { row: place.row, column: place.column } : null;
    this.scroll.style.cursor = isCell || end ? "pointer" : "default";
    this.draw();
    this.tip.hidden = !isCell && !end;
    if (this.tip.hidden) return;
    this.tip.textContent = isCell ? this.textAt(this.cursor) : end.label;
    const most = { x: this.view.width - this.tip.offsetWidth - 8, y: this.view.height - this.tip.offsetHeight - 8 };
    this.tip.style.left = `${Math.max(4, Math.min(place.x + 14, most.x))}px`;
    this.tip.style.top = `${Math.max(4, Math.min(place.y + 18, most.y))}px`;
  }

  leave() {
    this.cursor = null;
    this.tip.hidden = true;
    this.draw();
  }

  textAt({ row, column }) {
    const [from, to] = [this.rows.ends[row], this.columns.ends[column]];
    const found = this.cells.get(pairKey(from, to));
    const isUnknown = from !== to && unknownText(this.model, from, to) !== null;
    const isCut = rowsOfParts(this.model, from, to).length > 0;
    const none = isUnknown ? "not in this map" : isCut ? "some of it, in cells of their own" : "nothing";
    const nothing = rowBetween(this.model, from, to) ? "filtered out" : none;
    const otherwise = from === to ? "itself" : nothing;
    return `${from.label} → ${to.label}: ${found ? textOf(found.traffic) : otherwise}`;
  }

  click(event) {
    const place = this.at(event);
    if (place === null || (place.row === null && place.column === null)) return;
    if (place.row === null) this.choose({ end: this.columns.ends[place.column] });
    else if (place.column === null) this.choose({ end: this.rows.ends[place.row] });
    else this.chooseAt(place);
  }

  chooseAt({ row, column }) {
    const [from, to] = [this.rows.ends[row], this.columns.ends[column]];
    const found = rowBetween(this.model, from, to);
    this.choose(found ? { row: found } : { from, to });
  }

  key(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0] };
    const move = moves[event.key];
    if (move) this.move(...move);
    else if (event.key === "Home") this.move(0, -Infinity);
    else if (event.key === "End") this.move(0, Infinity);
    else if (event.key === "+" || event.key === "=") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else if ((event.key === "Enter" || event.key === " ") && this.cursor !== null) this.chooseAt(this.cursor);
    else return;
    event.preventDefault();
  }

  move(down, right) {
    const start = this.cursor ?? this.placeOf(this.chosen) ?? { row: 0, column: 0 };
    this.cursor = {
      row: clamp(start.row + down, 0, this.rows.ends.length - 1),
      column: clamp(start.column + right, 0, this.columns.ends.length - 1),
    };
    const reveal = (at, head, room, scrolled) => {
      if (at < scrolled) return at;
      return Math.max(scrolled, at + this.cell + head - room + 12);
    };
    const { scroll } = this;
    scroll.scrollTop = reveal(this.cursor.row * this.cell, this.top.all, this.view.height, scroll.scrollTop);
    scroll.scrollLeft = reveal(this.cursor.column * this.cell, this.left.all, this.view.width, scroll.scrollLeft);
    this.tip.hidden = true;
    this.status.hidden = false;
    this.status.style.right = "10px";
    this.status.style.bottom = "10px";
    this.status.textContent = this.textAt(this.cursor);
    this.draw();
  }

  /** Marks what is shown in the panel. */
  mark(choice) {
    this.chosen = choice;
    this.draw();
  }

  placeOf(choice) {
    const ends = choice?.row ?? choice;
    if (!ends?.from) return null;
    const place = { row: this.rows.ends.indexOf(ends.from), column: this.columns.ends.indexOf(ends.to) };
    return place.row < 0 || place.column < 0 ? null : place;
  }
}
