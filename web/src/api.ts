// The API's answers as the page uses them; docs/sessions-api.md is their reference. Members that the page does
// not show are left out. All text in them was written by whoever opened a session: it is shown through
// `Foreign` and never becomes markup.

export type State = "open" | "sealed" | "recovered" | "damaged" | "missing";

export interface Session {
  session: string;
  state: State;
  startedAt: string;
  durationUs: number;
  user: string;
  groups: string[];
  cluster: string;
  verb: string;
  namespace?: string;
  name?: string;
  container?: string;
  command: string[];
  terminal: boolean;
  reason?: string;
  rule: string;
  ending?: string;
  hold?: { by: string; why: string };
  live: boolean;
  frozen: boolean;
}

export interface CommandLine {
  atUs: number;
  text: string;
  source: "argv" | "screen" | "input" | "hidden";
}

export interface Moment {
  atUs: number;
  kind: "resize" | "marker" | "notice" | "frozen" | "thawed";
  text: string;
}

export interface FileEntry {
  path: string;
  direction: "upload" | "download";
  size: number;
  sha256?: string;
  warnings: string[];
}

export interface View {
  at: string;
  by: string;
  how: string;
}

export interface Detail extends Session {
  commands: CommandLine[];
  moments: Moment[];
  files: FileEntry[];
  views: View[];
  may: Permission[];
  readable: boolean;
}

export type Permission = "list" | "view" | "kill" | "freeze" | "note" | "hold" | "input";

export interface Proof {
  verdict: "proven" | "unproven" | "altered";
  statements: { holds: boolean | null; text: string; help?: string }[];
}

export interface Hit {
  session: string;
  atUs: number;
  where: "screen" | "argv" | "path";
  text: string;
}

export interface Who {
  user: string;
  groups: string[];
}

/** What went wrong, in the API's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const ROOT = "/api/v1";

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(ROOT + path, {
    ...init,
    headers: { accept: "application/json", ...(init?.body ? { "content-type": "application/json" } : {}) },
  });
  if (!answer.ok) {
    const said = await answer.json().catch(() => undefined);
    throw new ApiError(answer.status, said?.message ?? `the server answered ${answer.status}`);
  }
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}

const of = (session: string) => `/sessions/${encodeURIComponent(session)}`;

export const api = {
  who: () => call<Who>("/whoami"),
  sessions: (filter: URLSearchParams) => call<{ items: Session[]; next?: string }>(`/sessions?${filter}`),
  session: (session: string) => call<Detail>(of(session)),
  proof: (session: string) => call<Proof>(`${of(session)}/proof`),
  search: (text: string) => call<{ items: Hit[]; searched: number; unread: number }>(`/search?${new URLSearchParams({ text })}`),
  kill: (session: string, why: string) => act(session, "kill", { why }),
  freeze: (session: string) => act(session, "freeze", {}),
  thaw: (session: string) => act(session, "thaw", {}),
  note: (session: string, atUs: number, text: string) => act(session, "notes", { atUs, text }),
  castUrl: (session: string) => `${ROOT}${of(session)}/cast`,
  liveUrl: (session: string) => `${ROOT}${of(session)}/live`,
};

function act(session: string, what: string, body: object): Promise<void> {
  return call<void>(`${of(session)}/${what}`, { method: "POST", body: JSON.stringify(body) });
}
