import { create, type Player, type Source } from "asciinema-player";
import "asciinema-player/dist/bundle/asciinema-player.css";
import { onCleanup, onMount, type JSX } from "solid-js";
import { api, type Detail } from "./api";

export interface Playing {
  seek: (atUs: number) => void;
  now: () => number;
}

/** The screen of a session: its recording, or what happens on it now. */
export function Screen(props: { session: Detail; startUs: number; ready: (playing: Playing) => void }): JSX.Element {
  let place!: HTMLDivElement;
  onMount(() => {
    // The player's types leave its drivers of live streams out.
    const source = props.session.live
      ? ({ driver: "eventsource", url: api.liveUrl(props.session.session) } as unknown as Source)
      : api.castUrl(props.session.session);
    const player: Player = create(source, place, {
      fit: "width",
      idleTimeLimit: 2,
      startAt: props.startUs / 1e6,
      preload: true,
      autoPlay: props.session.live,
      markers: props.session.live ? [] : markers(props.session),
      terminalFontFamily: "ui-monospace, 'DejaVu Sans Mono', monospace",
    });
    props.ready({
      seek: (atUs) => void player.seek(atUs / 1e6),
      now: () => Math.round(player.getCurrentTime() * 1e6),
    });
    onCleanup(() => player.dispose());
  });
  return <div class="screen" ref={place} />;
}

function markers(session: Detail): [number, string][] {
  return session.commands
    .filter((command) => command.source !== "hidden")
    .map((command) => [command.atUs / 1e6, plain(command.text)]);
}

/** The player draws labels itself: they get nothing but visible characters. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "·").slice(0, 60);
}
