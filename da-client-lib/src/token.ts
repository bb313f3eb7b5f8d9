import { AddressError, DAError, textOf, TokenExpiredError, TokenUnavailableError, UnauthorizedError } from "./errors.ts";

/** A JWT, or what gives one; a function is called for each connection that is made. */
export type TokenSource = string | (() => string | Promise<string>);

/** Gets a token. Throws TokenUnavailableError, or what the function threw if it is an error of this library. */
export async function getToken(source: TokenSource): Promise<string> {
  let token: unknown;
  try {
    token = typeof source === "function" ? await source() : source;
  } catch (error) {
    if (error instanceof DAError) throw error;
    throw new TokenUnavailableError(`The token function failed: ${textOf(error)}`, { cause: error });
  }
  if (typeof token !== "string") throw new TokenUnavailableError("The token function gave no string");
  return token;
}

/** What a 401 means for a token: that it has expired, if it says so itself. */
export function refusal(token: string, now: number, cause: unknown): UnauthorizedError {
  const expires = expiry(token);
  if (expires !== null && expires <= now) return new TokenExpiredError(new Date(expires), { cause });
  return new UnauthorizedError("unauthorized", "The hub does not accept the token (401)", { cause });
}

/** When a JWT expires, in milliseconds since 1970; null if it does not say, or is no JWT. */
export function expiry(token: string): number | null {
  const exp = claims(token)["exp"];
  return typeof exp === "number" && Math.abs(exp * 1000) < 8.64e15 ? exp * 1000 : null;
}

/** The claims of a JWT, unverified: the hub is the one who does that. */
export function claims(token: string): Readonly<Record<string, unknown>> {
  const part = token.split(".")[1];
  if (part === undefined) return {};
  try {
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** What the REST API answers: where the hub is, and a token for it. */
export interface RteAccess {
  /** The hub's address, to be given to DAService. */
  rteUrl: string;
  token: string;
}

/** How FetchToken asks. */
export interface FetchTokenOptions {
  /** Sent with the request, such as Authorization. */
  headers?: Record<string, string>;
  /** How the hub is reached; default: as the API. */
  secure?: boolean;
  signal?: AbortSignal;
}

/**
 * Asks the REST API for access to RTE: `GET {apiUrl}/token/{userId}/rte/`,
 * which answers `{"WSSEndpoint": "host:port/rte", "Token": "…"}`. Use it in the
 * token function, so that each connection gets a fresh one.
 *
 * @throws UnauthorizedError if the API refuses (401, 403), AddressError if the
 * address is none, else TokenUnavailableError.
 */
export async function FetchToken(apiUrl: string, userId: string, options: FetchTokenOptions = {}): Promise<RteAccess> {
  let url: URL;
  try {
    url = new URL(apiUrl, (globalThis as { location?: Location }).location?.href);
  } catch (error) {
    throw new AddressError("invalidUrl", "The API's address is not a URL", { cause: error });
  }
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/token/${encodeURIComponent(userId)}/rte/`;
  let answer: Response;
  let body: unknown;
  try {
    answer = await fetch(url, { headers: { Accept: "application/json", ...options.headers }, signal: options.signal ?? null });
    body = answer.ok ? await answer.json() : null;
  } catch (error) {
    throw new TokenUnavailableError(`The API could not be asked for a token: ${textOf(error)}`, { cause: error });
  }
  if (answer.status === 401 || answer.status === 403) {
    throw new UnauthorizedError(answer.status === 401 ? "unauthorized" : "forbidden", `The API gives no token (${answer.status})`);
  }
  const { WSSEndpoint: endpoint, Token: token } = (body ?? {}) as { WSSEndpoint?: unknown; Token?: unknown };
  if (typeof endpoint !== "string" || typeof token !== "string") {
    throw new TokenUnavailableError(`The API gave no token (status ${answer.status})`);
  }
  const secure = options.secure ?? url.protocol === "https:";
  const rteUrl = /^\w+:\/\//.test(endpoint) ? endpoint.replace(/^ws/i, "http") : `${secure ? "https" : "http"}://${endpoint}`;
  return { rteUrl, token };
}
