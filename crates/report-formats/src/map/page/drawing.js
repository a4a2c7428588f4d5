// What the drawings share: places on an axis, colours, and small steps of a canvas.

/** The ends along one side, in order, with the namespaces that they share. */
function axis(model, used, isAll) {
  const indices = new Set(used.map((end) => end.index));
  const ends = model.ends.filter((end) => indices.has(end.index) || (isAll && !end.isOutside));
  const groups = [];
  ends.forEach((end, place) => {
    const last = groups.at(-1);
    if (last?.group === end.group) last.last = place + 1;
    else groups.push({ group: end.group, name: model.groups[end.group], first: place, last: place + 1 });
  });
  return { ends, groups, edges: [...groups.map((group) => group.first), ends.length] };
}

const COLOUR_NAMES = [
  "surface", "ink", "quiet", "line", "strong-line", "all", "some", "undefined", "self", "hover", "mark",
];

function coloursOf(node) {
  const style = getComputedStyle(node);
  return Object.fromEntries(COLOUR_NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Undefined is striped, so that it is told apart without its colour. */
function stripesOf(context, colours) {
  const tile = document.createElement("canvas");
  tile.width = 6;
  tile.height = 6;
  const inside = tile.getContext("2d");
  inside.fillStyle = colours.surface;
  inside.fillRect(0, 0, 6, 6);
  inside.strokeStyle = colours.undefined;
  inside.lineWidth = 3;
  inside.beginPath();
  for (const shift of [-6, 0, 6]) line(inside, [shift - 1, 7], [shift + 7, -1]);
  inside.stroke();
  return context.createPattern(tile, "repeat");
}

/** Of names beside cells of a size. */
function font(cell) {
  return `${clamp(Math.round(cell * 0.75), 9, 13)}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
}

function fill(context, colour, x, y, width, height) {
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
}

function line(context, from, to) {
  context.moveTo(...from);
  context.lineTo(...to);
}

/** The text, or as much of it as there is room for. */
function clip(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let [fits, beyond] = [0, text.length];
  while (fits + 1 < beyond) {
    const middle = (fits + beyond) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= room) fits = middle;
    else beyond = middle;
  }
  return `${text.slice(0, fits)}…`;
}

function range(first, last) {
  return Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}
