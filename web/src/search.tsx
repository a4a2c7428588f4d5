import { createResource, createSignal, For, Show, type JSX } from "solid-js";
import { api, type Found, type Hit } from "./api";
import { Failure, go, Link } from "./app";
import { Foreign } from "./foreign";
import { clock } from "./time";

/** Full text over what screens showed, command lines and paths. Each reading of a recording is put on record. */
export function SearchPage(props: { text: string }): JSX.Element {
  const [more, setMore] = createSignal<Found[]>([]);
  const [failed, setFailed] = createSignal<unknown>();
  const [found] = createResource(
    () => props.text || undefined,
    (text) => {
      setMore([]);
      return api.search(new URLSearchParams({ text }));
    },
  );
  const pages = (): Found[] => [...(found() ? [found() as Found] : []), ...more()];
  const sum = (of: "searched" | "unread" | "cutShort") => pages().reduce((sum, page) => sum + page[of], 0);
  const hits = (): Hit[] => pages().flatMap((page) => page.items);
  const search = (event: SubmitEvent) => {
    event.preventDefault();
    const text = new FormData(event.currentTarget as HTMLFormElement).get("text");
    if (typeof text === "string" && text.trim() !== "") go(`search?${new URLSearchParams({ text })}`);
  };
  const goOn = async (cursor: string) => {
    setFailed(undefined);
    const query = new URLSearchParams({ text: props.text, cursor });
    await api.search(query).then((page) => setMore([...more(), page]), setFailed);
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
        <Show when={!found.loading} fallback={<p class="quiet">Searching …</p>}>
          <Show when={found()}>
            <p class="quiet">
              {hits().length} found in {sum("searched")} recordings
              <Show when={sum("unread") > 0}>; of {sum("unread")} only the command line: this server has no key</Show>
              <Show when={sum("cutShort") > 0}>; {sum("cutShort")} were not searched to their end</Show>
            </p>
            <ol class="hits">
              <For each={hits()}>
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
            <Show when={pages().at(-1)?.next}>{(next) => <button onClick={() => void goOn(next())}>Search older ones</button>}</Show>
            <Show when={failed()}>{(error) => <Failure error={error()} />}</Show>
          </Show>
        </Show>
      </Show>
    </>
  );
}
