/** Seconds as mm:ss, from an hour on as h:mm:ss. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n: number): string => String(n).padStart(2, "0");
  const h = Math.floor(whole / 3600);
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return h > 0 ? `${h}:${rest}` : rest;
}

/** A share from 0 to 1 in whole hundredths: 93 %. All is said of all only. */
export function percent(share: number): string {
  const n = share >= 1 ? 100 : Math.min(99, Math.round(share * 100));
  return `${Math.max(0, n)} %`;
}

/**
 * Reads a payload's date as milliseconds since 1970. A date without a zone is
 * UTC; year 9999 is an open end and gives Infinity; anything else null.
 */
export function date(text: string | null): number | null {
  if (text === null) return null;
  if (text.startsWith("9999-")) return Infinity;
  const at = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : text + "Z");
  return Number.isNaN(at) ? null : at;
}

/** A time of day as the reader's place writes it, with seconds. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

/** "until 14:30", on another day with the day's name; empty for an open end. */
export function until(end: number | null, now: number): string {
  if (end === null || !Number.isFinite(end)) return "";
  const time: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const otherDay = new Date(end).toDateString() !== new Date(now).toDateString();
  return "until " + new Date(end).toLocaleString(undefined, otherDay ? { weekday: "short", ...time } : time);
}

/** A person's name from a login name: anna.de-vries@example.com is Anna De-Vries. */
export function personName(userName: string): string {
  const local = userName.split("@")[0] ?? "";
  const words = local.split(/[._\s]+/).filter((w) => w !== "");
  if (words.length === 0) return userName;
  return words.map((w) => w.replace(/(^|-)\p{Ll}/gu, (c) => c.toUpperCase())).join(" ");
}

/** A short stand-in for a name that is not known: the id's first block. */
export function shortId(id: string): string {
  return id.split("-")[0] ?? id;
}

/**
 * A telephone number that may hang on a wall: at most the first half of its
 * digits, never the last four. What is no number is not shown at all.
 */
export function maskNumber(number: string | null): string {
  if (number === null || !/^\+?[\d\s()-]{3,}$/.test(number)) return "hidden number";
  const digits = number.replace(/\D/g, "");
  const shown = Math.max(0, Math.min(digits.length - 4, Math.ceil(digits.length / 2)));
  return (number.startsWith("+") ? "+" : "") + digits.slice(0, shown) + "•".repeat(digits.length - shown);
}
