// The map as the page works with it: ends, rows, and the rows that a query keeps.

/** Reads the data of the page. An end is a peer, or a set of addresses outside the cluster. */
function readModel(text) {
  const source = JSON.parse(text);
  const outsideGroup = source.namespaces.length;
  const peers = source.peers.map((peer) => ({ ...peer, group: peer.namespace, isOutside: false }));
  const outside = source.outside.map(({ label, inFocus, overlaps }) => ({
    label,
    inFocus,
    overlaps: new Set(overlaps.map((place) => source.peers.length + place)),
    name: label.replace(/^outside,? ?/, "") || "everything outside",
    kind: "addresses outside the cluster",
    group: outsideGroup,
    isOutside: true,
  }));
  const ends = [...peers, ...outside].map((end, index) => ({ ...end, index }));
  const rows = source.rows.map(([from, to, traffic, detail], index) => ({
    index,
    from: ends[from],
    to: ends[to],
    traffic: source.traffic[traffic],
    detail: source.details[detail],
  }));
  const byPair = new Map(rows.map((row) => [pairKey(row.from, row.to), row]));
  const groups = [...source.namespaces.map((name) => name || "namespaces"), "outside"];
  return { ...source, ends, rows, byPair, groups, outsideGroup, nPeers: peers.length };
}

function pairKey(from, to) {
  return `${from.index}>${to.index}`;
}

function rowBetween(model, from, to) {
  return model.byPair.get(pairKey(from, to));
}

/** For ends without a row: the rows of the same peer with some of the same outside addresses. */
function rowsOfParts(model, from, to) {
  if (from.isOutside === to.isOutside) return [];
  return model.rows.filter((row) => (to.isOutside
    ? row.from === from && to.overlaps.has(row.to.index)
    : row.to === to && from.overlaps.has(row.from.index)));
}

/** Whether each side lets some port through, for two peers between which nothing passes; null if unknown. */
function passesOf(model, from, to) {
  if (model.passes === null) return null;
  const has = (side, end, other) => model.passes.sets[model.passes[side][end.index]].split(",").some((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return range !== "" && first <= other.index && other.index <= last;
  });
  return { egress: has("egress", from, to), ingress: has("ingress", to, from) };
}

/** `{ protocol, port }`, null for an empty text, undefined for one that is no port. */
function parsePort(text) {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "") return null;
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(trimmed);
  const port = match ? Number(match[1]) : 0;
  if (port < 1 || port > 65535) return undefined;
  return { port, protocol: match[2]?.toUpperCase() };
}

function isEmptyQuery(query) {
  return query.text === "" && query.group === null && query.port === null && query.allowed && query.undefined;
}

/** The rows that a query keeps, in their order. */
function rowsOf(model, query) {
  const ends = endTest(query);
  const traffics = new Map();
  const fits = (traffic) => {
    if (!traffics.has(traffic)) traffics.set(traffic, trafficFits(traffic, query));
    return traffics.get(traffic);
  };
  return model.rows.filter((row) => fits(row.traffic) && ends(row.from, row.to));
}

/** `a` at either end, or `a > b` from one to the other. */
function endTest(query) {
  const has = (end, text) => end.label.toLowerCase().includes(text);
  const inGroup = (end) => query.group === null || end.group === query.group;
  const [from, to] = query.text.toLowerCase().split(/[>→]/).map((text) => text.trim());
  const matches = to === undefined
    ? (a, b) => has(a, from) || has(b, from)
    : (a, b) => has(a, from) && has(b, to);
  return (a, b) => (inGroup(a) || inGroup(b)) && matches(a, b);
}

function trafficFits(traffic, query) {
  const [allowed, undefinedRanges] = traffic.ranges;
  const shown = [...(query.allowed ? allowed : []), ...(query.undefined ? undefinedRanges : [])];
  if (query.port === null) return shown.length > 0;
  const { port, protocol } = query.port;
  return shown.some(([of, ranges]) =>
    (protocol === undefined || of === protocol) && ranges.some(([first, last]) => first <= port && port <= last));
}

/** How a cell or an edge looks. */
function kindOf(traffic) {
  if (traffic.allowed === null) return "undefined";
  return traffic.all ? "all" : "some";
}

function textOf(traffic) {
  const parts = [];
  if (traffic.allowed !== null) parts.push(traffic.allowed === "all" ? "all ports" : traffic.allowed);
  if (traffic.undefined !== null) parts.push(`undefined: ${traffic.undefined}`);
  return parts.join("; ");
}

/** An element with properties and children; text is only ever text. */
function element(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("aria-") || key === "role" || key === "for") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
