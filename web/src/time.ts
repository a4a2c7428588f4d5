/** Microseconds as `h:mm:ss` or `m:ss`. */
export function clock(us: number | null): string {
  if (us === null) return "–";
  const seconds = Math.floor(us / 1e6);
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** With tenths, where moments are close to each other. */
export function moments(us: number): string {
  return `${clock(us)}.${Math.floor(us / 1e5) % 10}`;
}

/** A moment in UTC, to the second: what logs and other clocks can be compared with. */
export function moment(rfc3339: string): string {
  const date = new Date(rfc3339);
  return Number.isNaN(date.getTime()) ? rfc3339 : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
