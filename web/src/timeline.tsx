import { For, type JSX } from "solid-js";
import type { CommandLine, Detail, Moment } from "./api";
import { Foreign } from "./foreign";
import { clock } from "./time";

interface Row {
  atUs: number;
  kind: string;
  text: string;
}

const SOURCES: Record<CommandLine["source"], string> = {
  argv: "command",
  screen: "typed",
  input: "sent",
  hidden: "not shown",
};

/** What happened when, beside the screen: a click goes there. */
export function Timeline(props: { session: Detail; seek: (atUs: number) => void }): JSX.Element {
  const rows = (): Row[] =>
    [
      ...props.session.commands.map((command) => ({ atUs: command.atUs, kind: SOURCES[command.source], text: command.text })),
      ...props.session.moments.map((moment: Moment) => ({ atUs: moment.atUs, kind: moment.kind, text: moment.text })),
    ].sort((one, other) => one.atUs - other.atUs);
  return (
    <ol class="timeline">
      <For each={rows()} fallback={<li class="quiet">Nothing but bytes happened.</li>}>
        {(row) => (
          <li>
            <button type="button" onClick={() => props.seek(row.atUs)}>
              {clock(row.atUs)}
            </button>
            <span class={`kind ${row.kind.replace(" ", "-")}`}>{row.kind}</span>
            <Foreign text={row.text} />
          </li>
        )}
      </For>
    </ol>
  );
}

/** The same on one line, to see where in the session things lie. */
export function Strip(props: { session: Detail; seek: (atUs: number) => void }): JSX.Element {
  const x = (atUs: number) => (props.session.durationUs > 0 ? (atUs / props.session.durationUs) * 1000 : 0);
  return (
    <svg class="strip" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label="commands and resizes over time">
      <rect class="ground" width="1000" height="24" />
      <For each={props.session.moments}>
        {(moment) => <rect class={`tick ${moment.kind}`} x={x(moment.atUs)} y="14" width="3" height="10" onClick={() => props.seek(moment.atUs)} />}
      </For>
      <For each={props.session.commands}>
        {(command) => <rect class="tick command" x={x(command.atUs)} y="0" width="3" height="14" onClick={() => props.seek(command.atUs)} />}
      </For>
    </svg>
  );
}
