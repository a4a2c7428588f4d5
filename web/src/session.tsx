import { createMemo, createResource, createSignal, For, Show, type JSX } from "solid-js";
import { api, type Detail, type Permission } from "./api";
import { Failure } from "./app";
import { commandLine, Foreign } from "./foreign";
import { StateBadge } from "./list";
import { Live, type Playing, Recorded } from "./player";
import { bytes, clock, moment } from "./time";
import { Strip, Timeline } from "./timeline";

/** What a page holds of a recording at once. */
const LONGEST_BYTES = 256 * 2 ** 20;

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
            <Show when={unshown(session())} fallback={<Replay session={session()} at={props.at} ready={setPlaying} seek={seek} again={() => void refetch()} />}>
              {(why) => <p class="quiet notice">{why()}</p>}
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

/** Why there is nothing to play. */
function unshown(session: Detail): string | undefined {
  if (!session.may.includes("view")) return "You may see that this session was, and not what it showed.";
  if (session.state === "missing") return "The ledger says that this session began. There is no recording of it.";
  if (session.state === "unreadable") return "The recording cannot be read; the proof says why.";
  if (!session.live && !session.readable)
    return "This server has no key that opens the recording: play it with `weir sessions play` and yours.";
  if (!session.live && (session.outputBytes ?? 0) > LONGEST_BYTES)
    return "The recording is too long for a page: play it with `weir sessions play`, or export it.";
  return undefined;
}

function Replay(props: {
  session: Detail;
  at: number;
  ready: (playing: Playing) => void;
  seek: (atUs: number) => void;
  again: () => void;
}): JSX.Element {
  const [over, setOver] = createSignal(false);
  // What changes beside it leaves the screen as it is.
  const live = createMemo(() => props.session.live);
  return (
    <div class="replay">
      <div>
        <Show when={live()} fallback={<Recorded session={props.session} startUs={props.at} ready={props.ready} />}>
          <Live session={props.session} ready={props.ready} over={() => setOver(true)} />
          <Show when={over()}>
            <p class="notice">
              The session is over. <button onClick={() => props.again()}>Play it</button>
            </p>
          </Show>
        </Show>
        <Show when={props.session.whole === false && !live()}>
          <p class="failure">The recording could not be read to its end; the proof says why.</p>
        </Show>
        <Strip session={props.session} seek={props.seek} />
      </div>
      <Timeline session={props.session} seek={props.seek} />
    </div>
  );
}

function Title(props: { session: Detail }): JSX.Element {
  return (
    <h1>
      <StateBadge session={props.session} /> <Foreign text={props.session.verb} />{" "}
      <Foreign text={[props.session.namespace, props.session.name].filter((part) => part !== null).join("/")} /> by{" "}
      <Foreign text={props.session.user} />
    </h1>
  );
}

function Facts(props: { session: Detail }): JSX.Element {
  const rows = (): [string, string | null][] => [
    ["session", props.session.session],
    ["began", moment(props.session.startedAt)],
    ["took", clock(props.session.durationUs)],
    ["user", props.session.user],
    ["groups", props.session.groups.join(", ")],
    ["proof", props.session.proof],
    ["from", props.session.client],
    ["client", props.session.userAgent],
    ["cluster", props.session.cluster],
    ["container", props.session.container],
    ["command", commandLine(props.session.command)],
    ["reason", props.session.reason],
    ["allowed by rule", props.session.rule],
    ["ended", props.session.ending],
    ["held", props.session.holds.map((hold) => `${hold.why} (${hold.by})`).join(", ")],
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
    <Show when={(props.session.files ?? []).length > 0}>
      <section>
        <h2>Files</h2>
        <table>
          <For each={props.session.files ?? []}>
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
        <Show when={(props.session.moreFiles ?? 0) > 0}>
          <p class="quiet">and {props.session.moreFiles} more</p>
        </Show>
      </section>
    </Show>
  );
}

function Views(props: { session: Detail }): JSX.Element {
  return (
    <Show when={props.session.views}>
      {(views) => (
        <section>
          <h2>Who looked</h2>
          <ul>
            <For each={views()}>
              {(view) => (
                <li>
                  {moment(view.at)} <Foreign text={view.by} /> <span class="quiet">{view.how}</span>
                </li>
              )}
            </For>
          </ul>
          <Show when={(props.session.moreViews ?? 0) > 0}>
            <p class="quiet">and {props.session.moreViews} before</p>
          </Show>
        </section>
      )}
    </Show>
  );
}

function Actions(props: { session: Detail; now: () => number; done: () => void }): JSX.Element {
  const [failed, setFailed] = createSignal<unknown>();
  const [text, setText] = createSignal("");
  const may = (permission: Permission) => props.session.may.includes(permission);
  const run = async (action: Promise<void>) => {
    setFailed(undefined);
    await action.then(() => {
      setText("");
      props.done();
    }, setFailed);
  };
  const id = () => props.session.session;
  const acts = () => (["note", "hold"] as const).some(may) || (props.session.live && (["freeze", "kill"] as const).some(may));
  return (
    <Show when={acts()}>
    <div class="actions">
      <input
        placeholder="note, or reason"
        value={text()}
        onInput={(event) => setText(event.currentTarget.value)}
        aria-label="note or reason"
      />
      <Show when={may("note")}>
        <button disabled={text() === ""} onClick={() => void run(api.note(id(), props.now(), text()))}>
          Note at this moment
        </button>
      </Show>
      <Show when={may("hold")}>
        <button disabled={text() === ""} onClick={() => void run(api.hold(id(), text()))}>
          Hold
        </button>
        <Show when={props.session.holds.length > 0}>
          <button onClick={() => void run(api.release(id()))}>Let go</button>
        </Show>
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
    </Show>
  );
}
