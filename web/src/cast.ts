// An asciicast as the player takes it, with pauses cut if that is wanted. The player could cut them itself, but then
// nobody could tell which of its times is which of the recording's.

import type { Recording, RecordingEvent } from "asciinema-player";

/** Larger than any screen of a person; a terminal of a recording may say that it has billions of cells. */
const COLUMNS = 500;
const ROWS = 200;
const LONGEST_PAUSE_US = 2e6;

interface Cut {
  /** The pause in the recording, and where it begins for the player. */
  fromUs: number;
  toUs: number;
  shownFromUs: number;
}

/** Times of a recording, and of what is shown of it. */
export class Times {
  private readonly cuts: Cut[] = [];

  add(cut: Cut): void {
    this.cuts.push(cut);
  }

  shown(atUs: number): number {
    const cut = this.cuts.findLast((other) => other.fromUs <= atUs);
    if (!cut) return atUs;
    const within = Math.min(atUs, cut.toUs) - cut.fromUs;
    return cut.shownFromUs + Math.min(within, LONGEST_PAUSE_US) + Math.max(atUs - cut.toUs, 0);
  }

  recorded(shownUs: number): number {
    const cut = this.cuts.findLast((other) => other.shownFromUs <= shownUs);
    if (!cut) return shownUs;
    const after = shownUs - cut.shownFromUs - LONGEST_PAUSE_US;
    return after < 0 ? cut.fromUs + (shownUs - cut.shownFromUs) : cut.toUs + after;
  }
}

export function size(columns: unknown, rows: unknown): { cols: number; rows: number } {
  const within = (value: unknown, usual: number, most: number) =>
    typeof value === "number" && value >= 1 ? Math.min(Math.floor(value), most) : usual;
  return { cols: within(columns, 80, COLUMNS), rows: within(rows, 24, ROWS) };
}

export function sizeOf(text: unknown): { cols: number; rows: number } {
  const [columns, rows] = String(text).split("x").map(Number);
  return size(columns, rows);
}

/** Reads a cast. Lines that are no events are left out. */
export function parse(text: string, times: Times, cutsPauses: boolean): Recording {
  const lines = text.split("\n");
  const header = JSON.parse(lines[0] ?? "{}") as { width?: unknown; height?: unknown };
  const events: RecordingEvent[] = [];
  let lastUs = 0;
  let shiftUs = 0;
  for (const line of lines.slice(1)) {
    if (!line.startsWith("[")) continue;
    const [seconds, code, data] = JSON.parse(line) as [number, string, string];
    const atUs = Math.round(seconds * 1e6);
    if (cutsPauses && atUs - lastUs > LONGEST_PAUSE_US) {
      times.add({ fromUs: lastUs, toUs: atUs, shownFromUs: lastUs - shiftUs });
      shiftUs += atUs - lastUs - LONGEST_PAUSE_US;
    }
    lastUs = atUs;
    const at = (atUs - shiftUs) / 1e3;
    if (code === "o") events.push([at, "o", data]);
    if (code === "r") {
      const { cols, rows } = sizeOf(data);
      events.push([at, "r", `${cols}x${rows}`]);
    }
  }
  // The player takes a recording in which nothing happened for none.
  if (events.length === 0) events.push([0, "o", ""]);
  return { ...size(header.width, header.height), events };
}
