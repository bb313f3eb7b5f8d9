import { helperLists, type AnyPush } from "./events.gen.ts";

/** Any object, by its members. */
export type Members = Readonly<Record<string, unknown>>;

/** Tells whether a value has members. */
export function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A member's name in JSON: leading capitals become small, but the last one of
 * several stays before a small letter. CBRId is cbrId, SMSTo smsTo, RUser rUser.
 */
export function camelCase(name: string): string {
  const isUpper = (c: string | undefined): boolean => c !== undefined && c !== c.toLowerCase() && c === c.toUpperCase();
  const letters = [...name];
  if (!isUpper(letters[0])) return name;
  for (let i = 0; i < letters.length; i++) {
    if (i === 1 && !isUpper(letters[i])) break;
    if (i > 0 && i + 1 < letters.length && !isUpper(letters[i + 1])) break;
    letters[i] = letters[i]!.toLowerCase();
  }
  return letters.join("");
}

/** An object whose members have the names of JSON; the values stay. */
export function camelMembers(value: unknown): unknown {
  if (!isMembers(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [camelCase(name), v]));
}

/** A list of results in the shape of JSON. */
export function camelList(value: unknown): unknown {
  return Array.isArray(value) ? value.map(camelMembers) : value;
}

/**
 * An argument of MessageReceived in the shape of JSON, which MessagePack's
 * differs from: there members have their declared names. Null if it is none.
 * JSON goes through as it is, but for the names: they are right already.
 */
export function pushOf(argument: unknown, packed: boolean): AnyPush | null {
  const push = packed ? camelMembers(argument) : argument;
  if (!isMembers(push)) return null;
  const subscription = packed ? camelMembers(push["subscription"]) : push["subscription"];
  if (!isMembers(subscription)) return null;
  const { entityId, eventName } = subscription;
  if (typeof entityId !== "string" || typeof eventName !== "string") return null;
  if (!packed) return push as unknown as AnyPush;
  const time = push["time"];
  const told = typeof time === "string" ? { ...push, time: inMilliseconds(time) } : push;
  return { ...told, subscription, data: payload(push["data"], eventName) } as unknown as AnyPush;
}

/** A message's time, which in JSON always has three digits behind the seconds. */
function inMilliseconds(time: string): string {
  return time.replace(/(?:\.(\d+))?Z$/, (_, fraction: string | undefined) => `.${(fraction ?? "").padEnd(3, "0")}Z`);
}

/** A payload in the shape of JSON: only the lists of the catalogue's helpers have names to change inside. */
function payload(data: unknown, eventName: string): unknown {
  const lists = helperLists[eventName.toLowerCase()] ?? [];
  const members = camelMembers(data);
  if (!isMembers(members) || lists.length === 0) return members;
  return Object.fromEntries(Object.entries(members).map(([name, v]) => [name, lists.includes(name) ? camelList(v) : v]));
}

/** What MessagePack's dates become: the text that JSON has. */
export const datesAsText = {
  tryToEncode: (): null => null,
  decode(data: Uint8Array, type: number): unknown {
    if (type !== -1) throw new Error(`MessagePack extension ${type} is not known`);
    return dateText(data);
  },
};

/** A timestamp of MessagePack (32, 64 or 96 bits) as text, exact to the nanosecond. */
function dateText(data: Uint8Array): string {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let seconds: number;
  let nanos = 0;
  switch (data.byteLength) {
    case 4:
      seconds = view.getUint32(0);
      break;
    case 8: {
      const high = view.getUint32(0);
      nanos = high >>> 2;
      seconds = (high & 3) * 2 ** 32 + view.getUint32(4);
      break;
    }
    case 12:
      nanos = view.getUint32(0);
      seconds = Number(view.getBigInt64(4));
      break;
    default:
      throw new Error(`a MessagePack timestamp of ${data.byteLength} bytes`);
  }
  const whole = new Date(seconds * 1000).toISOString().replace(/\.000Z$/, "");
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return `${whole}${fraction}Z`;
}
