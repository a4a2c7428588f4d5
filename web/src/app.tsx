import { createResource, createSignal, onCleanup, Show, type JSX } from "solid-js";
import { api } from "./api";
import { Foreign } from "./foreign";
import { SessionList } from "./list";
import { SearchPage } from "./search";
import { SessionPage } from "./session";

const BASE = "/console/";

/** Where the page is: `/console/`, `/console/sessions/ID` or `/console/search`. */
const [place, setPlace] = createSignal(location.pathname + location.search);

export function go(path: string): void {
  history.pushState(null, "", BASE + path);
  setPlace(location.pathname + location.search);
}

export function Link(props: { to: string; children: JSX.Element; class?: string }): JSX.Element {
  return (
    <a
      class={props.class ?? ""}
      href={BASE + props.to}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        go(props.to);
      }}
    >
      {props.children}
    </a>
  );
}

export function App(): JSX.Element {
  const moved = () => setPlace(location.pathname + location.search);
  window.addEventListener("popstate", moved);
  onCleanup(() => window.removeEventListener("popstate", moved));
  const [who] = createResource(() => api.who());
  const url = () => new URL(place(), location.origin);
  const session = () => /^\/console\/sessions\/([0-9a-f-]{36})$/.exec(url().pathname)?.[1];
  return (
    <>
      <header>
        <Link to="" class="brand">
          Weir <span>sessions</span>
        </Link>
        <nav>
          <Link to="">Sessions</Link>
          <Link to="search">Search</Link>
        </nav>
        <span class="who">
          <Show when={!who.error && who()}>{(known) => <Foreign text={known().user} />}</Show>
        </span>
      </header>
      <main>
        <Show
          when={session()}
          keyed
          fallback={
            <Show when={url().pathname === "/console/search"} fallback={<SessionList query={url().searchParams} />}>
              <SearchPage text={url().searchParams.get("text") ?? ""} />
            </Show>
          }
        >
          {(id) => <SessionPage session={id} at={Number(url().searchParams.get("t") ?? 0)} />}
        </Show>
      </main>
    </>
  );
}

/** What went wrong, where a person looks for the answer. */
export function Failure(props: { error: unknown }): JSX.Element {
  return (
    <p class="failure" role="alert">
      <Foreign text={props.error instanceof Error ? props.error.message : String(props.error)} />
    </p>
  );
}
