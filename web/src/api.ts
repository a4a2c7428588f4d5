// The API's answers as the page uses them; docs/sessions-api.md is their reference. Members that the page does
// not show are left out. All text in them was written by whoever opened a session: it is shown through
// `Foreign` and never becomes markup.

export type State = "open" | "sealed" | "recovered" | "damaged" | "unreadable" | "missing";

export interface Session {
  session: string;
  state: State;
  startedAt: string;
  durationUs: number | null;
  user: string;
  groups: string[];
  cluster: string;
  verb: string;
  namespace: string | null;
  name: string | null;
  container: string | null;
  client: string | null;
  userAgent: string | null;
  proof: string | null;
  command: string[];
  terminal: boolean;
  reason: string | null;
  rule: string;
  ending: string | null;
  live: boolean;
  frozen: boolean;
}

export interface CommandLine {
  atUs: number;
  text: string;
  source: "argv" | "screen" | "marked" | "full-screen" | "input" | "hidden";
  keysSay: "nothing" | "same" | "different";
}

export interface Moment {
  atUs: number;
  kind: string;
  text: string;
}

export interface FileEntry {
  path: string;
  direction: "upload" | "download";
  size: number;
  sha256: string | null;
  warnings: string[];
}

export interface View {
  at: string;
  by: string;
  how: string;
}

export interface Note {
  by: string;
  writtenAt: string;
  atUs: number;
  text: string;
}

/** What is there depends on what the caller may, and on whether the server has a key. */
export interface Detail extends Session {
  may: Permission[];
  readable: boolean;
  holds: { by: string; why: string; at: string }[];
  notes?: Note[];
  views?: View[];
  moreViews?: number;
  whole?: boolean;
  commands?: CommandLine[];
  moreCommands?: number;
  moments?: Moment[];
  moreMoments?: number;
  files?: FileEntry[];
  moreFiles?: number;
  outputBytes?: number;
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

export interface Found {
  items: Hit[];
  searched: number;
  unread: number;
  cutShort: number;
  next: string | null;
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

async function answered(path: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(ROOT + path, {
    ...init,
    headers: { accept: "application/json", ...(init?.body ? { "content-type": "application/json" } : {}) },
  });
  if (!answer.ok) {
    const said = await answer.json().catch(() => undefined);
    throw new ApiError(answer.status, said?.message ?? `the server answered ${answer.status}`);
  }
  return answer;
}

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await answered(path, init);
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}

const of = (session: string) => `/sessions/${encodeURIComponent(session)}`;

export const api = {
  who: () => call<Who>("/whoami"),
  sessions: (filter: URLSearchParams) => call<{ items: Session[]; next?: string }>(`/sessions?${filter}`),
  session: (session: string) => call<Detail>(of(session)),
  proof: (session: string) => call<Proof>(`${of(session)}/proof`),
  search: (query: URLSearchParams) => call<Found>(`/search?${query}`),
  kill: (session: string, why: string) => act(session, "kill", { why }),
  freeze: (session: string) => act(session, "freeze", {}),
  thaw: (session: string) => act(session, "thaw", {}),
  note: (session: string, atUs: number, text: string) => act(session, "notes", { atUs, text }),
  hold: (session: string, why: string) => act(session, "hold", { why }),
  release: (session: string) => call<void>(`${of(session)}/hold`, { method: "DELETE" }),
  cast: (session: string) => answered(`${of(session)}/cast`).then((answer) => answer.text()),
  liveUrl: (session: string) => `${ROOT}${of(session)}/live`,
};

function act(session: string, what: string, body: object): Promise<void> {
  return call<void>(`${of(session)}/${what}`, { method: "POST", body: JSON.stringify(body) });
}
