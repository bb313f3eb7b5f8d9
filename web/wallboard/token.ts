/** What the page reads from its token. Nothing is verified here: the hub does that. */
export interface Claims {
  /** Organization, lower-case Guid; empty if the token names none. */
  org: string;
  /** The user the token was made for; empty if the token names none. */
  sub: string;
  queues: string[];
  users: string[];
  /** When the token ends, in milliseconds since 1970; null if it does not say. */
  expires: number | null;
}

/** Where the token may be found and kept; a browser's objects fit. */
export interface Place {
  location: { hash: string; pathname: string; search: string };
  history: { replaceState(data: unknown, unused: string, url: string): void };
  storage: { getItem(key: string): string | null; setItem(key: string, value: string): void; removeItem(key: string): void };
}

const key = "rte.wallboard.token";

/**
 * Takes the token out of the address (`#token=…`), so that it stays neither in
 * the address bar nor in the history, and keeps it for this tab. Without one
 * in the address, the kept one; null if there is none.
 */
export function takeToken(place: Place): string | null {
  const token = new URLSearchParams(place.location.hash.replace(/^#/, "")).get("token");
  if (token !== null) {
    place.history.replaceState(null, "", place.location.pathname + place.location.search);
    if (token.trim() !== "") {
      keepToken(place, token.trim());
      return token.trim();
    }
  }
  try {
    return place.storage.getItem(key);
  } catch {
    return null; // storage is switched off in this browser
  }
}

export function keepToken(place: Place, token: string): void {
  try {
    place.storage.setItem(key, token);
  } catch {
    // Without storage the token lasts until the page is loaded again.
  }
}

export function dropToken(place: Place): void {
  try {
    place.storage.removeItem(key);
  } catch {
    // Nothing was kept.
  }
}

/** Reads the claims of a JWT; throws an Error whose message a person can use. */
export function readClaims(jwt: string): Claims {
  const parts = jwt.trim().split(".");
  if (parts.length !== 3) throw new Error("This is not a token: a token has three parts with dots between them.");
  let claims: unknown;
  try {
    const bytes = atob((parts[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    claims = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
  } catch {
    throw new Error("This token cannot be read. Was it copied in full?");
  }
  if (typeof claims !== "object" || claims === null || Array.isArray(claims)) {
    throw new Error("This token cannot be read. Was it copied in full?");
  }
  const get = (name: string): unknown => (claims as Record<string, unknown>)[name];
  const exp = get("exp");
  return {
    org: guid(get("org")) ?? "",
    sub: guid(get("sub")) ?? "",
    queues: guids(get("queues")),
    users: guids(get("users")),
    expires: typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : null,
  };
}

function guid(v: unknown): string | null {
  return typeof v === "string" && v.trim() !== "" ? v.trim().toLowerCase() : null;
}

/** A list of ids, each once, in the token's order. A single id may stand alone. */
function guids(v: unknown): string[] {
  const list = Array.isArray(v) ? v : [v];
  return [...new Set(list.map(guid).filter((id) => id !== null))];
}
