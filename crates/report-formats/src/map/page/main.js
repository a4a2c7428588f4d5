// Puts the page together: filters, views, and the panel beside them.

function start() {
  const byId = (id) => document.getElementById(id);
  const model = readModel(byId("map").textContent);
  const state = { view: "matrix", choice: null };
  const choose = (choice) => {
    state.choice = choice;
    showDetails(byId("details"), model, choice, choose);
    views[state.view].mark(choice);
  };
  const views = {
    matrix: new Matrix(byId("view-matrix"), model, choose),
    graph: new Graph(byId("view-graph"), model, choose),
    list: new List(byId("view-list"), model, choose),
  };

  const query = () => {
    const group = byId("filter-group").value;
    const port = parsePort(byId("filter-port").value);
    byId("filter-port").setAttribute("aria-invalid", port === undefined);
    byId("filter-port").title = port === undefined ? "Write 80, or 53/udp" : "";
    return {
      text: byId("filter-text").value.trim(),
      group: group === "" ? null : Number(group),
      port: port ?? null,
      allowed: byId("filter-allowed").checked,
      undefined: byId("filter-undefined").checked,
    };
  };
  const refresh = () => {
    const asked = query();
    const rows = rowsOf(model, asked);
    const isAll = isEmptyQuery(asked) && model.head.focus === null;
    byId("count").textContent = rows.length === model.rows.length
      ? counted(rows.length, "row")
      : `${rows.length.toLocaleString("en")} of ${counted(model.rows.length, "row")}`;
    views[state.view].show(rows, isAll);
    views[state.view].mark(state.choice);
  };
  const open = (view) => {
    state.view = view;
    for (const name of Object.keys(views)) {
      byId(`view-${name}`).hidden = name !== view;
      byId(`tab-${name}`).setAttribute("aria-selected", name === view);
      byId(`tab-${name}`).tabIndex = name === view ? 0 : -1;
    }
    byId("tools").replaceChildren(...views[view].tools());
    refresh();
  };

  showHead(model, byId);
  for (const name of Object.keys(views)) {
    byId(`tab-${name}`).addEventListener("click", () => open(name));
    byId(`tab-${name}`).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const names = Object.keys(views);
      const next = names[(names.indexOf(name) + step + names.length) % names.length];
      open(next);
      byId(`tab-${next}`).focus();
    });
  }
  byId("filters").addEventListener("input", refresh);
  byId("filters").addEventListener("reset", () => setTimeout(refresh));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    const isTyping = ["INPUT", "SELECT"].includes(document.activeElement?.tagName);
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      byId("filter-text").focus();
    } else if (event.key === "Escape") {
      choose(null);
    }
  });
  choose(null);
  open("matrix");
}

function showHead(model, byId) {
  const { head } = model;
  const noun = head.by;
  const [ingress, egress] = head.isolated;
  const undefinedText = head.undefined > 0 ? `, ${head.undefined.toLocaleString("en")} more undefined` : "";
  byId("summary").textContent = `${counted(model.nPeers, noun)}, ${counted(head.allowed, "connection")}${undefinedText}; `
    + `isolated for ingress ${ingress.toLocaleString("en")}, for egress ${egress.toLocaleString("en")}`;
  byId("assumed").textContent = head.focus === null ? head.assumed : `${head.assumed}; only connections of ${head.focus}`;
  byId("caveat").hidden = head.caveat === null;
  byId("caveat").textContent = head.caveat ?? "";
  const used = new Set(model.ends.map((end) => end.group));
  for (const [index, name] of model.groups.entries()) {
    if (used.has(index)) byId("filter-group").append(element("option", { value: String(index) }, name));
  }
}

start();
