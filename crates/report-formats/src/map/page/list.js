// The list: every connection as a line, some at a time.

const LINES = 300;

class List {
  constructor(root, model, choose) {
    this.choose = choose;
    this.body = element("tbody", {});
    const head = ["From", "To", "Allowed", "Undefined"].map((text) => element("th", {}, text));
    this.more = element("button", { type: "button", className: "more", onclick: () => this.extend() });
    this.empty = element("p", { className: "empty", hidden: true }, "No connection fits the filters.");
    this.table = element("table", {}, element("thead", {}, element("tr", {}, head)), this.body);
    root.append(element("div", { className: "scroll" }, this.table, this.more, this.empty));
  }

  tools() {
    return [];
  }

  show(rows) {
    this.rows = rows;
    this.body.replaceChildren();
    this.empty.hidden = rows.length > 0;
    this.table.hidden = rows.length === 0;
    this.extend();
  }

  extend() {
    const start = this.body.childElementCount;
    this.body.append(...this.rows.slice(start, start + LINES).map((row) => this.line(row)));
    const rest = this.rows.length - this.body.childElementCount;
    this.more.hidden = rest <= 0;
    this.more.textContent = `Show more of ${counted(rest, "connection")}`;
  }

  line(row) {
    const { from, to, traffic } = row;
    const reasons = traffic.reasons.length > 0 ? ` (${traffic.reasons.join(", ")})` : "";
    const open = element("button", { type: "button" }, from.label);
    const line = element("tr", {},
      element("td", {}, open),
      element("td", {}, to.label),
      element("td", {}, traffic.allowed ?? ""),
      element("td", {}, traffic.undefined === null ? "" : `${traffic.undefined}${reasons}`));
    line.addEventListener("click", () => this.choose({ row }));
    return line;
  }

  mark() {}
}
