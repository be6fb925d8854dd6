// Numbers and times as people read them. Pure.

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const power = Math.min(4, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  return `${value.toFixed(value < 100 ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

const grouped = new Intl.NumberFormat("en");
export const number = (count: number): string => grouped.format(count);

/** `27 s`, `4 min`, `1 h 12 min`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What is left, without a precision that nobody has: `27 s`, `4 min`. */
export function left(seconds: number): string {
  if (seconds < 1) return "1 s";
  return seconds < 10 ? `${Math.ceil(seconds)} s` : duration(seconds);
}

/** How long ago: `now`, `4 min`, `3 h`, then the day. */
export function age(at: string, now: number): string {
  const seconds = (now - Date.parse(at)) / 1000;
  if (seconds < 50) return "now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`;
  return day(at, now);
}

const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const second = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const clock = (at: string): string => hour.format(new Date(at));
export const exactly = (at: string): string => `${longDay.format(new Date(at))}, ${second.format(new Date(at))}`;
export const toTheSecond = (at: string): string => second.format(new Date(at));

/** `Today`, `Yesterday`, or the date. */
export function day(at: string, now: number): string {
  const date = new Date(at);
  const days = Math.round((midnight(new Date(now)) - midnight(date)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return date.getFullYear() === new Date(now).getFullYear() ? shortDay.format(date) : longDay.format(date);
}

const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** Seconds between two times; null where one is not there. */
export const between = (from: string | null, to: string | null): number | null =>
  from && to ? Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000) : null;

const SHORT = 32;
const TAIL = 12;

/** A long name in two parts, so that its end, which tells files apart, stays in sight. A short one is not cut: letters may join. */
export function split(name: string): readonly [string, string] {
  const signs = [...name];
  return signs.length <= SHORT ? [name, ""] : [signs.slice(0, -TAIL).join(""), signs.slice(-TAIL).join("")];
}
