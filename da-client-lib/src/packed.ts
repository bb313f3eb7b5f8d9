// What comes in MessagePack, made to look like what comes in JSON.

/** Members of payloads whose value is a list of objects with declared names, too. */
const lists: ReadonlySet<string> = new Set(["callbackAttempts", "callbackExtras", "callbackRelatedItems", "attachedUsers"]);

type Members = Record<string, unknown>;

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date) && !ArrayBuffer.isView(value);
}

/** A declared name as JSON writes it: CallBackId is callBackId, CBRId is cbrId. The policy of System.Text.Json. */
export function camelCase(name: string): string {
  const letters = [...name];
  const isUpper = (s: string | undefined) => s !== undefined && /^\p{Lu}$/u.test(s);
  for (let i = 0; i < letters.length; i++) {
    if (!isUpper(letters[i]) && i < 2) break;
    const next = letters[i + 1];
    if (i > 0 && next !== undefined && !isUpper(next)) {
      if (next === " ") letters[i] = letters[i]!.toLowerCase();
      break;
    }
    letters[i] = letters[i]!.toLowerCase();
  }
  return letters.join("");
}

/** Renames the members of one object; each says what becomes of a value. */
function rename(value: unknown, each: (value: unknown, name: string) => unknown): unknown {
  if (!isMembers(value)) return plain(value);
  const out: Members = {};
  for (const [name, v] of Object.entries(value)) {
    const camel = camelCase(name);
    out[camel] = each(v, camel);
  }
  return out;
}

/** A value whose names are not ours to change; dates become text. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (!isMembers(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, plain(v)]));
}

/** A payload: its own members, and those of the lists that the catalogue knows. */
function payload(data: unknown): unknown {
  return rename(data, (value, name) => (lists.has(name) && Array.isArray(value) ? value.map((item) => rename(item, plain)) : plain(value)));
}

/** A pushed message, a notice, or an answer's list. */
export function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => unpacked(item));
  return rename(value, (v, name) => (name === "data" ? payload(v) : name === "subscription" ? rename(v, plain) : plain(v)));
}

/** MessagePack's type of dates. */
const timestamp = -1;

/**
 * Reads MessagePack's dates as text, with all digits of the second that there
 * are; the usual reader makes them a Date, which has three.
 */
export const dates = {
  tryToEncode(value: unknown): { type: number; data: Uint8Array } | null {
    if (!(value instanceof Date)) return null;
    const ms = value.getTime();
    const seconds = Math.floor(ms / 1000);
    const data = new DataView(new ArrayBuffer(12));
    data.setUint32(0, (ms - seconds * 1000) * 1e6);
    data.setBigInt64(4, BigInt(seconds));
    return { type: timestamp, data: new Uint8Array(data.buffer) };
  },
  decode(data: Uint8Array, type: number): unknown {
    return type === timestamp ? dateText(data) : { type, data };
  },
};

function dateText(data: Uint8Array): string | null {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let nanos = 0;
  let seconds: number;
  switch (data.byteLength) {
    case 4:
      seconds = view.getUint32(0);
      break;
    case 8: {
      const high = view.getUint32(0);
      nanos = Math.floor(high / 4);
      seconds = (high % 4) * 2 ** 32 + view.getUint32(4);
      break;
    }
    case 12:
      nanos = view.getUint32(0);
      seconds = Number(view.getBigInt64(4));
      break;
    default:
      return null;
  }
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return null;
  // Milliseconds always, as JavaScript and the hub's own dates have them; more where they are not 0.
  const digits = String(nanos).padStart(9, "0").replace(/0{1,6}$/, "");
  return `${date.toISOString().slice(0, -5)}.${digits.padEnd(3, "0")}Z`;
}
