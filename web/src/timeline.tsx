import { For, Show, type JSX } from "solid-js";
import type { CommandLine, Detail, Moment } from "./api";
import { Foreign } from "./foreign";
import { moments } from "./time";

interface Row {
  atUs: number;
  kind: string;
  text: string;
}

const SOURCES: Record<CommandLine["source"], string> = {
  argv: "command",
  screen: "entered",
  marked: "entered",
  "full-screen": "in a program",
  input: "sent",
  hidden: "typed",
};
/** Kinds with a colour of their own. */
const TICKS: Record<string, string> = { marker: "marker", notice: "marker", frozen: "frozen", odd: "frozen" };
const NOT_SHOWN = "(not shown on the screen)";

/** What happened when, beside the screen: a click goes there. */
export function Timeline(props: { session: Detail; seek: (atUs: number) => void }): JSX.Element {
  const rows = (): Row[] =>
    [
      ...(props.session.commands ?? []).map(row),
      ...(props.session.moments ?? []).map((moment: Moment) => ({ atUs: moment.atUs, kind: moment.kind, text: moment.text })),
      ...(props.session.notes ?? []).map((note) => ({ atUs: note.atUs, kind: "note", text: `${note.text} (${note.by})` })),
    ].sort((one, other) => one.atUs - other.atUs);
  const more = () => (props.session.moreCommands ?? 0) + (props.session.moreMoments ?? 0);
  return (
    <ol class="timeline">
      <For each={rows()} fallback={<li class="quiet">Nothing but bytes happened.</li>}>
        {(row) => (
          <li>
            <button type="button" onClick={() => props.seek(row.atUs)}>
              {moments(row.atUs)}
            </button>
            <span class="kind">{row.kind}</span>
            <Foreign text={row.text} />
          </li>
        )}
      </For>
      <Show when={more() > 0}>
        <li class="quiet">and {more()} more: `weir sessions show` has them all</li>
      </Show>
    </ol>
  );
}

/** What was typed and what the screen showed of it need not be the same. */
function row(command: CommandLine): Row {
  const text = command.source === "hidden" ? NOT_SHOWN : command.text;
  const kind = SOURCES[command.source];
  return { atUs: command.atUs, kind: command.keysSay === "different" ? `${kind}, typed differently` : kind, text };
}

/** The same on one line, to see where in the session things lie. */
export function Strip(props: { session: Detail; seek: (atUs: number) => void }): JSX.Element {
  const x = (atUs: number) => {
    const duration = props.session.durationUs ?? 0;
    return duration > 0 ? Math.min(atUs / duration, 1) * 997 : 0;
  };
  return (
    <svg class="strip" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label="commands and resizes over time">
      <rect class="ground" width="1000" height="24" />
      <For each={props.session.moments ?? []}>
        {(moment) => <rect class={`tick ${TICKS[moment.kind] ?? ""}`} x={x(moment.atUs)} y="14" width="3" height="10" onClick={() => props.seek(moment.atUs)} />}
      </For>
      <For each={props.session.commands ?? []}>
        {(command) => <rect class="tick command" x={x(command.atUs)} y="0" width="3" height="14" onClick={() => props.seek(command.atUs)} />}
      </For>
    </svg>
  );
}
