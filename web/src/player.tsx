import { create, type Marker, type Player, type Source } from "asciinema-player";
import "asciinema-player/dist/bundle/asciinema-player.css";
import { createEffect, createSignal, on, onCleanup, onMount, Show, type JSX } from "solid-js";
import { api, type Detail } from "./api";
import { Failure } from "./app";
import { parse, size, sizeOf, Times } from "./cast";

export interface Playing {
  seek: (atUs: number) => void;
  now: () => number;
}

const OPTIONS = {
  fit: "width",
  terminalFontFamily: "ui-monospace, 'DejaVu Sans Mono', monospace",
} as const;

/** The screen of a session as it was recorded. */
export function Recorded(props: { session: Detail; startUs: number; ready: (playing: Playing) => void }): JSX.Element {
  let place!: HTMLDivElement;
  let player: Player | undefined;
  let times = new Times();
  const [cutsPauses, setCutsPauses] = createSignal(true);
  const [failed, setFailed] = createSignal<unknown>();
  // Read once: another way to play it is no other look at it.
  const text = api.cast(props.session.session);
  const now = () => Math.round(times.recorded((player?.getCurrentTime() ?? 0) * 1e6));
  // Just after it: what happened at that moment is to be seen, and seconds are no exact microseconds.
  const after = (atUs: number) => (times.shown(atUs) + 1) / 1e6;
  const show = (startUs: number, cutsPauses: boolean) => {
    times = new Times();
    text.then((text) => {
      const recording = parse(text, times, cutsPauses);
      player?.dispose();
      player = create({ data: "", parser: () => recording } as Source, place, {
        ...OPTIONS,
        startAt: startUs > 0 ? after(startUs) : 0,
        preload: true,
        markers: markers(props.session, times),
      });
    }, setFailed);
  };
  onMount(() => {
    show(props.startUs, true);
    props.ready({ seek: (atUs) => void player?.seek(after(atUs)), now });
    onCleanup(() => player?.dispose());
  });
  createEffect(on(cutsPauses, (cutsPauses) => show(now(), cutsPauses), { defer: true }));
  return (
    <>
      <div class="screen" ref={place} />
      <label class="quiet">
        <input type="checkbox" checked onChange={(event) => setCutsPauses(event.currentTarget.checked)} /> cut pauses to 2 s
      </label>
      <Show when={failed()}>{(error) => <Failure error={error()} />}</Show>
    </>
  );
}

/** The screen of a session as it is now. */
export function Live(props: { session: Detail; ready: (playing: Playing) => void; over: () => void }): JSX.Element {
  let place!: HTMLDivElement;
  onMount(() => {
    const begun = performance.now() - (props.session.durationUs ?? 0) / 1e3;
    const now = () => Math.round((performance.now() - begun) * 1e3);
    // The player's own driver does not read sizes as recordings write them, and its types leave drivers out.
    const source = following(api.liveUrl(props.session.session), now, () => props.over()) as unknown as Source;
    const player = create(source, place, { ...OPTIONS, autoPlay: true, controls: false });
    props.ready({ seek: () => undefined, now });
    onCleanup(() => player.dispose());
  });
  return <div class="screen live" ref={place} />;
}

type Dispatch = (event: string, data?: unknown) => void;

/** After a gap, or when the connection breaks, the browser asks again, and the screen begins again. */
function following(url: string, now: () => number, over: () => void) {
  return ({ dispatch }: { dispatch: Dispatch }) => {
    let stream: EventSource | undefined;
    return {
      play: () => {
        if (stream) return true;
        dispatch("play");
        stream = new EventSource(url);
        stream.addEventListener("error", () => dispatch("loading"));
        stream.addEventListener("message", (event: MessageEvent<string>) => told(JSON.parse(event.data), dispatch));
        stream.addEventListener("done", () => {
          stream?.close();
          dispatch("ended", { message: "The session is over" });
          over();
        });
        return true;
      },
      stop: () => stream?.close(),
      getTiming: () => ({ time: now() / 1e6, rate: 1 }),
    };
  };
}

function told(line: unknown, dispatch: Dispatch): void {
  if (Array.isArray(line)) {
    if (line[1] === "o") dispatch("output", line[2]);
    if (line[1] === "r") dispatch("resize", sizeOf(line[2]));
    return;
  }
  const header = line as { width?: unknown; height?: unknown };
  dispatch("reset", { size: size(header.width, header.height) });
  dispatch("playing");
}

function markers(session: Detail, times: Times): Marker[] {
  const at = (atUs: number) => times.shown(atUs) / 1e6;
  const commands = (session.commands ?? []).filter((command) => command.source !== "hidden");
  const notes = session.notes ?? [];
  return [...commands, ...notes]
    .sort((one, other) => one.atUs - other.atUs)
    .map(({ atUs, text }) => [at(atUs), plain(text)] satisfies Marker);
}

/** The player draws labels itself: they get nothing but visible characters. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "·").slice(0, 60);
}
