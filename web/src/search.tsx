import { createResource, For, Show, type JSX } from "solid-js";
import { api } from "./api";
import { Failure, go, Link } from "./app";
import { Foreign } from "./foreign";
import { clock } from "./time";

/** Full text over what screens showed, command lines and paths. Each reading of a recording is audited. */
export function SearchPage(props: { text: string }): JSX.Element {
  const [found] = createResource(() => props.text, (text) => api.search(text));
  const search = (event: SubmitEvent) => {
    event.preventDefault();
    const text = new FormData(event.currentTarget as HTMLFormElement).get("text");
    if (typeof text === "string" && text !== "") go(`search?${new URLSearchParams({ text })}`);
  };
  return (
    <>
      <form class="filter" onSubmit={search}>
        <label class="wide">
          text on screens, in command lines and paths
          <input name="text" value={props.text} autocomplete="off" spellcheck={false} />
        </label>
        <button type="submit">Search</button>
      </form>
      <Show when={!found.error} fallback={<Failure error={found.error} />}>
        <Show when={found()}>
          {(answer) => (
            <>
              <p class="quiet">
                {answer().items.length} found in {answer().searched} recordings
                <Show when={answer().unread > 0}>; {answer().unread} could not be read with the server's key</Show>
              </p>
              <ol class="hits">
                <For each={answer().items}>
                  {(hit) => (
                    <li>
                      <Link to={`sessions/${hit.session}?t=${hit.atUs}`}>
                        {hit.session.slice(0, 8)} at {clock(hit.atUs)}
                      </Link>{" "}
                      <span class="quiet">{hit.where}</span> <Foreign text={hit.text} />
                    </li>
                  )}
                </For>
              </ol>
            </>
          )}
        </Show>
      </Show>
    </>
  );
}
