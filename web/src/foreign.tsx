import { For, type JSX } from "solid-js";

// Control characters, characters without width, and characters that change the direction of text: what could
// make a reader see something else than what is there. They are shown as an escape instead.
const HIDDEN =
  /([\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}])\1*/gu;

interface Piece {
  text: string;
  escaped: boolean;
}

function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > from) found.push({ text: text.slice(from, match.index), escaped: false });
    const code = match[0].codePointAt(0) ?? 0;
    const times = match[0].length / (match[1] ?? match[0]).length;
    const escape = `\\u{${code.toString(16)}}`;
    found.push({ text: times > 3 ? `${escape} × ${times}` : escape.repeat(times), escaped: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from), escaped: false });
  return found;
}

/** Text that somebody else wrote: always text, in one direction, with nothing hidden in it. */
export function Foreign(props: { text: string }): JSX.Element {
  return (
    <bdi class="foreign" dir="ltr">
      <For each={pieces(props.text)}>
        {(piece) => (piece.escaped ? <span class="escaped">{piece.text}</span> : piece.text)}
      </For>
    </bdi>
  );
}

/** A command line as a shell would need it, so that the borders of arguments show. */
export function commandLine(command: string[]): string {
  return command
    .map((argument) => (/^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
