import { createResource, createSignal, For, Show, type JSX } from "solid-js";
import { api, type Session } from "./api";
import { Failure, go, Link } from "./app";
import { commandLine, Foreign } from "./foreign";
import { clock, moment } from "./time";

const FIELDS = [
  ["user", "user"],
  ["cluster", "cluster"],
  ["namespace", "namespace"],
  ["name", "pod or node"],
  ["verb", "verb"],
  ["command", "command contains"],
  ["from", "from (UTC)"],
  ["to", "before (UTC)"],
] as const;
const STATES = ["open", "sealed", "recovered", "damaged", "unreadable", "missing"];

export function SessionList(props: { query: URLSearchParams }): JSX.Element {
  const [found, { refetch }] = createResource(() => props.query.toString(), (query) => api.sessions(new URLSearchParams(query)));
  const [more, setMore] = createSignal<Session[]>([]);
  const [next, setNext] = createSignal<string | null>();
  const following = () => (next() === undefined ? found()?.next : next());

  const filter = (event: SubmitEvent) => {
    event.preventDefault();
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(event.currentTarget as HTMLFormElement))
      if (typeof value === "string" && value !== "") wanted.set(name, value);
    setMore([]);
    setNext(undefined);
    go(`?${wanted}`);
  };
  const [failed, setFailed] = createSignal<unknown>();
  const load = async (cursor: string) => {
    const query = new URLSearchParams(props.query);
    query.set("cursor", cursor);
    setFailed(undefined);
    await api.sessions(query).then((page) => {
      setMore([...more(), ...page.items]);
      setNext(page.next ?? null);
    }, setFailed);
  };

  return (
    <>
      <form class="filter" onSubmit={filter}>
        <For each={FIELDS}>
          {([name, label]) => (
            <label>
              {label}
              <input
                name={name}
                value={props.query.get(name) ?? ""}
                placeholder={name === "from" || name === "to" ? "2026-11-28T08:00:00Z" : ""}
                autocomplete="off"
                spellcheck={false}
              />
            </label>
          )}
        </For>
        <label>
          state
          <select name="state">
            <option value="">any</option>
            <For each={STATES}>{(state) => <option selected={props.query.get("state") === state}>{state}</option>}</For>
          </select>
        </label>
        <button type="submit">Filter</button>
        <button
          type="button"
          onClick={() => {
            setMore([]);
            setNext(undefined);
            void refetch();
          }}
        >
          Reload
        </button>
      </form>
      <Show when={!found.error} fallback={<Failure error={found.error} />}>
        <table class="sessions">
          <thead>
            <tr>
              <th>began</th>
              <th>took</th>
              <th>state</th>
              <th>user</th>
              <th>verb</th>
              <th>where</th>
              <th>command</th>
            </tr>
          </thead>
          <tbody>
            <For each={[...(found()?.items ?? []), ...more()]} fallback={<Empty loading={found.loading} />}>
              {(session) => <Row session={session} />}
            </For>
          </tbody>
        </table>
        <Show when={failed()}>{(error) => <Failure error={error()} />}</Show>
        <Show when={following()}>{(cursor) => <button onClick={() => void load(cursor())}>Show more</button>}</Show>
      </Show>
    </>
  );
}

function Empty(props: { loading: boolean }): JSX.Element {
  return (
    <tr>
      <td colspan="7">{props.loading ? "Loading …" : "No session that you may list has these properties."}</td>
    </tr>
  );
}

function Row(props: { session: Session }): JSX.Element {
  const where = () => [props.session.namespace, props.session.name].filter((part) => part !== null).join("/");
  return (
    <tr>
      <td class="time">
        <Link to={`sessions/${props.session.session}`}>{moment(props.session.startedAt)}</Link>
      </td>
      <td class="time">{clock(props.session.durationUs)}</td>
      <td>
        <StateBadge session={props.session} />
      </td>
      <td>
        <Foreign text={props.session.user} />
      </td>
      <td class="verb">
        <Foreign text={props.session.verb} />
      </td>
      <td>
        <span class="cluster">
          <Foreign text={props.session.cluster} />
        </span>{" "}
        <Foreign text={where()} />
      </td>
      <td class="command">
        <Foreign text={commandLine(props.session.command)} />
      </td>
    </tr>
  );
}

export function StateBadge(props: { session: Session }): JSX.Element {
  return (
    <span class={`badge ${props.session.state}`}>
      {props.session.frozen ? "frozen" : props.session.live ? "live" : props.session.state}
    </span>
  );
}
