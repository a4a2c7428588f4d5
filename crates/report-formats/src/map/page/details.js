// The panel beside the views: what is allowed, and which rule of which side says so.

/** Lists longer than this are cut, and say so. */
const LONGEST_LIST = 200;

/**
 * `choice` is `{ row }`, `{ from, to }` without a row, `{ end }`, `{ rows, title }` or null.
 * `choose` is called with another choice when a person follows a link.
 */
function showDetails(panel, model, choice, choose) {
  panel.replaceChildren(...contentOf(model, choice, choose));
  panel.scrollTop = 0;
}

function contentOf(model, choice, choose) {
  if (choice === null) return emptyDetails(model);
  if (choice.row) return rowDetails(model, choice.row, choose);
  if (choice.end) return endDetails(model, choice.end, choose);
  if (choice.rows) return [element("h2", {}, choice.title), rowLinks(choice.rows, choose, rowText)];
  return deniedDetails(model, choice, choose);
}

function emptyDetails(model) {
  const reasons = Object.entries(model.head.reasons);
  return [
    element("h2", {}, "Choose a cell, a name or a line"),
    element("p", { className: "quiet" }, "Its rules are shown here, with the file and line of each."),
    element("p", { className: "quiet" }, "In the matrix: arrow keys move, Enter chooses, + and − zoom."),
    reasons.length > 0 ? element("h3", {}, "Why something is undefined") : null,
    ...reasons.map(([code, text]) => element("p", {}, element("span", { className: "ports" }, code), `: ${text}`)),
  ].filter((part) => part !== null);
}

function rowDetails(model, row, choose) {
  const { traffic, detail } = row;
  const content = [heading(row, choose)];
  if (traffic.allowed !== null) content.push(verdict("allowed", traffic.allowed));
  if (traffic.undefined !== null) {
    content.push(verdict("undefined", traffic.undefined));
    content.push(...traffic.reasons.map((code) =>
      element("p", { className: "quiet" }, `${code}: ${model.head.reasons[code]}`)));
  }
  if (detail === null) {
    content.push(element("p", { className: "quiet" }, "A map by workload shows the rules of each connection."));
    return content;
  }
  if (detail.some) {
    content.push(element("p", { className: "quiet" }, "The pods differ; the rules of some pairs of them are shown."));
  }
  if (detail.few) {
    content.push(element("p", { className: "quiet" },
      "Policies cut these addresses into many pieces; the rules of the first of them are shown."));
  }
  for (const [protocol, ports, isAllowed, egress, ingress] of detail.parts) {
    content.push(element("h3", {},
      element("span", { className: "ports" }, `${ports}/${protocol.toLowerCase()}`), " ",
      badge(isAllowed ? "allowed" : "undefined")));
    content.push(...sideDetails(model, "egress", row.from, egress));
    content.push(...sideDetails(model, "ingress", row.to, ingress));
  }
  return content;
}

function heading({ from, to }, choose) {
  return element("h2", {}, endLink(from, choose), " → ", endLink(to, choose));
}

function endLink(end, choose) {
  return element("button", { className: "link", type: "button", onclick: () => choose({ end }) }, end.label);
}

function verdict(kind, ports) {
  return element("p", {}, badge(kind), " ", element("span", { className: "ports" }, ports === "all" ? "all ports" : ports));
}

function badge(kind) {
  return element("span", { className: `badge ${kind}` }, kind);
}

function sideDetails(model, direction, end, causes) {
  const title = element("h4", {}, direction === "egress" ? `out of ${end.label}` : `into ${end.label}`);
  return [title, ...causes.flatMap((cause) => causeDetails(model, direction, model.causes[cause]))];
}

function causeDetails(model, direction, cause) {
  const sentence = (text) => [element("p", { className: "quiet" }, text)];
  switch (cause.kind) {
    case "rule":
      return ruleDetails(model.rules[cause.rule]);
    case "isolation": {
      const policy = model.policies[cause.policy];
      return [element("p", {}, `isolated by ${policy.id}; none of its rules decides`), place(policy.file)];
    }
    case "no-policy":
      return sentence(`no policy limits its ${direction}`);
    case "not-a-pod":
      return sentence("not a pod, so no policy applies on this side");
    case "own-node":
      return sentence("traffic from the pod's own node is always allowed");
    case "self":
      return sentence("a pod always reaches itself");
    default:
      throw new Error(`unknown cause ${cause.kind}`);
  }
}

function ruleDetails(rule) {
  const name = rule.name === null ? "" : ` “${rule.name}”`;
  return [
    element("p", {}, `${rule.policy} ${rule.place}${name}`),
    element("p", { className: "quiet" }, `${rule.tier} tier, ${rule.action}`),
    place(rule.file),
    element("pre", {}, rule.text),
  ];
}

function place(file) {
  return element("p", { className: "place" }, file ?? "no file");
}

/** Two ends between which nothing is allowed: what isolates each. */
function deniedDetails(model, { from, to }, choose) {
  if (from === to) {
    return [element("h2", {}, endLink(from, choose)),
      element("p", { className: "quiet" }, "A map says nothing of a peer and itself.")];
  }
  const unknown = unknownText(model, from, to);
  if (unknown !== null) return [heading({ from, to }, choose), element("p", { className: "quiet" }, unknown)];
  const parts = rowsOfParts(model, from, to);
  const content = [heading({ from, to }, choose)];
  if (parts.length > 0) {
    content.push(element("p", {}, "Some of these addresses have a row of their own:"), rowLinks(parts, choose, rowText));
  }
  content.push(element("p", {}, badge("denied"), parts.length > 0 ? " on every port for the rest" : " on every port"));
  content.push(element("p", {}, denyingText(model, from, to)));
  content.push(...policiesOf(model, from, "egress"), ...policiesOf(model, to, "ingress"));
  return content;
}

/** Why the map says nothing of two ends, if it does not. */
function unknownText(model, from, to) {
  if (from.isOutside && to.isOutside) return "Neither end is in the cluster, so no policy applies.";
  if (!from.inFocus && !to.inFocus) return `Not in this map, which has only connections of ${model.head.focus}.`;
  return null;
}

/** Which side denies a connection of which no port passes. */
function denyingText(model, from, to) {
  if (from.isOutside) return `The ingress of ${to.label} denies it.`;
  if (to.isOutside) return `The egress of ${from.label} denies it.`;
  const passes = passesOf(model, from, to);
  if (passes === null) {
    return "Egress, ingress or both deny it; `weir explain` and a map by workload of fewer peers say which.";
  }
  const [out, into] = [`egress of ${from.label}`, `ingress of ${to.label}`];
  if (passes.egress && passes.ingress) return `The ${out} and the ${into} let different ports through, so none passes both.`;
  if (passes.egress) return `The ${into} denies it; the ${out} lets something through.`;
  if (passes.ingress) return `The ${out} denies it; the ${into} lets something through.`;
  return `The ${out} and the ${into} both deny it.`;
}

function policiesOf(model, end, direction) {
  const title = element("h4", {}, direction === "egress" ? `out of ${end.label}` : `into ${end.label}`);
  if (end.isOutside) return [title, element("p", { className: "quiet" }, "not a pod, so no policy applies on this side")];
  const { isolated: [isolated, pods], policies } = end[direction];
  const some = isolated < pods ? `${isolated} of ${pods} pods isolated` : "isolated";
  const state = isolated > 0 ? some : "not isolated";
  const list = policies.map((index) => model.policies[index]).map((policy) =>
    element("li", {}, policy.id, " ", element("span", { className: "place" }, policy.file ?? "")));
  return [
    title,
    element("p", {}, `${state} for ${direction}`),
    list.length > 0 ? element("ul", {}, list) : element("p", { className: "quiet" }, "no policy applies"),
  ];
}

function endDetails(model, end, choose) {
  const content = [element("h2", {}, end.label), element("p", { className: "quiet" }, end.kind)];
  if (end.hostNetwork) {
    content.push(element("p", { className: "quiet" }, "Uses its node's network, so most policies do not see it as a pod."));
  }
  if (end.caveat) {
    content.push(element("p", { className: "caveat" }, "An object that was left out could change its connections."));
  }
  if (!end.isOutside) {
    content.push(...policiesOf(model, end, "ingress"), ...policiesOf(model, end, "egress"));
  }
  const reaches = model.rows.filter((row) => row.from === end);
  const reachedBy = model.rows.filter((row) => row.to === end);
  content.push(element("h3", {}, `Reaches ${reaches.length}`), rowLinks(reaches, choose, (row) => row.to.label));
  content.push(element("h3", {}, `Reached by ${reachedBy.length}`), rowLinks(reachedBy, choose, (row) => row.from.label));
  return content;
}

function rowText(row) {
  return `${row.from.label} → ${row.to.label}`;
}

function rowLinks(rows, choose, label) {
  if (rows.length === 0) return element("p", { className: "quiet" }, "nothing");
  const items = rows.slice(0, LONGEST_LIST).map((row) => element("li", {},
    element("button", { className: "link", type: "button", onclick: () => choose({ row }) }, label(row)), " ",
    element("span", { className: "ports quiet" }, textOf(row.traffic))));
  const rest = rows.length - items.length;
  if (rest > 0) items.push(element("li", { className: "quiet" }, `and ${counted(rest, "more connection")}: see the list`));
  return element("ul", {}, items);
}
