import { createResource, createSignal, For, Show, type JSX } from "solid-js";
import { api, type Detail, type Permission } from "./api";
import { Failure } from "./app";
import { commandLine, Foreign } from "./foreign";
import { StateBadge } from "./list";
import { type Playing, Screen } from "./player";
import { bytes, clock, moment } from "./time";
import { Strip, Timeline } from "./timeline";

export function SessionPage(props: { session: string; at: number }): JSX.Element {
  const [detail, { refetch }] = createResource(() => props.session, (session) => api.session(session));
  const [playing, setPlaying] = createSignal<Playing>();
  const seek = (atUs: number) => playing()?.seek(atUs);
  return (
    <Show when={!detail.error} fallback={<Failure error={detail.error} />}>
      <Show when={detail()} fallback={<p class="quiet">Loading …</p>}>
        {(session) => (
          <>
            <Title session={session()} />
            <Show
              when={session().live || session().readable}
              fallback={<p class="quiet">This server has no key that opens the recording: play it with `weir sessions play` and yours.</p>}
            >
              <div class="replay">
                <div>
                  <Screen session={session()} startUs={props.at} ready={setPlaying} />
                  <Strip session={session()} seek={seek} />
                </div>
                <Timeline session={session()} seek={seek} />
              </div>
            </Show>
            <Actions session={session()} now={() => playing()?.now() ?? 0} done={() => void refetch()} />
            <div class="facts">
              <Facts session={session()} />
              <ProofBox session={session().session} />
              <Files session={session()} />
              <Views session={session()} />
            </div>
          </>
        )}
      </Show>
    </Show>
  );
}

function Title(props: { session: Detail }): JSX.Element {
  return (
    <h1>
      <StateBadge session={props.session} /> {props.session.verb}{" "}
      <Foreign text={[props.session.namespace, props.session.name].filter((part) => part !== undefined).join("/")} /> by{" "}
      <Foreign text={props.session.user} />
    </h1>
  );
}

function Facts(props: { session: Detail }): JSX.Element {
  const rows = (): [string, string | undefined][] => [
    ["session", props.session.session],
    ["began", moment(props.session.startedAt)],
    ["took", clock(props.session.durationUs)],
    ["user", props.session.user],
    ["groups", props.session.groups.join(", ")],
    ["cluster", props.session.cluster],
    ["container", props.session.container],
    ["command", commandLine(props.session.command)],
    ["reason", props.session.reason],
    ["allowed by rule", props.session.rule],
    ["ended", props.session.ending],
    ["hold", props.session.hold && `${props.session.hold.why} (${props.session.hold.by})`],
  ];
  return (
    <section>
      <h2>Facts</h2>
      <dl>
        <For each={rows().filter(([, value]) => value)}>
          {([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>
                <Foreign text={value ?? ""} />
              </dd>
            </>
          )}
        </For>
      </dl>
    </section>
  );
}

const MARKS = { true: "✓", false: "✗", null: "?" } as const;

function ProofBox(props: { session: string }): JSX.Element {
  const [proof] = createResource(() => props.session, (session) => api.proof(session));
  return (
    <section>
      <h2>Proof</h2>
      <Show when={!proof.error} fallback={<Failure error={proof.error} />}>
        <Show when={proof()} fallback={<p class="quiet">Verifying …</p>}>
          {(known) => (
            <>
              <p class={`verdict ${known().verdict}`}>{known().verdict}</p>
              <ul class="proof">
                <For each={known().statements}>
                  {(statement) => (
                    <li class={`holds-${statement.holds}`}>
                      {MARKS[`${statement.holds}`]} <Foreign text={statement.text} />
                      <Show when={statement.help}>{(help) => <small> {help()}</small>}</Show>
                    </li>
                  )}
                </For>
              </ul>
            </>
          )}
        </Show>
      </Show>
    </section>
  );
}

function Files(props: { session: Detail }): JSX.Element {
  return (
    <Show when={props.session.files.length > 0}>
      <section>
        <h2>Files</h2>
        <table>
          <For each={props.session.files}>
            {(file) => (
              <tr>
                <td>{file.direction}</td>
                <td>
                  <Foreign text={file.path} />
                  <For each={file.warnings}>{(warning) => <div class="failure">{warning}</div>}</For>
                </td>
                <td class="time">{bytes(file.size)}</td>
                <td class="digest">{file.sha256?.slice(0, 16)}</td>
              </tr>
            )}
          </For>
        </table>
      </section>
    </Show>
  );
}

function Views(props: { session: Detail }): JSX.Element {
  return (
    <section>
      <h2>Who looked</h2>
      <ul>
        <For each={props.session.views} fallback={<li class="quiet">Nobody yet.</li>}>
          {(view) => (
            <li>
              {moment(view.at)} <Foreign text={view.by} /> <span class="quiet">{view.how}</span>
            </li>
          )}
        </For>
      </ul>
    </section>
  );
}

function Actions(props: { session: Detail; now: () => number; done: () => void }): JSX.Element {
  const [failed, setFailed] = createSignal<unknown>();
  const [text, setText] = createSignal("");
  const may = (permission: Permission) => props.session.may.includes(permission);
  const run = async (action: Promise<void>) => {
    setFailed(undefined);
    await action.then(props.done, setFailed);
  };
  const id = () => props.session.session;
  return (
    <div class="actions">
      <input
        placeholder="note, or reason to end the session"
        value={text()}
        onInput={(event) => setText(event.currentTarget.value)}
        aria-label="note or reason"
      />
      <Show when={may("note")}>
        <button disabled={text() === ""} onClick={() => void run(api.note(id(), props.now(), text()))}>
          Note at this moment
        </button>
      </Show>
      <Show when={props.session.live && may("freeze")}>
        <button onClick={() => void run(props.session.frozen ? api.thaw(id()) : api.freeze(id()))}>
          {props.session.frozen ? "Thaw" : "Freeze"}
        </button>
      </Show>
      <Show when={props.session.live && may("kill")}>
        <button class="danger" disabled={text() === ""} onClick={() => void run(api.kill(id(), text()))}>
          End session
        </button>
      </Show>
      <Show when={failed()}>{(error) => <Failure error={error()} />}</Show>
    </div>
  );
}
