import { TokenExpiredError } from "./errors.js";

/** A token, or a function that gives one; it is called for each connection that is made. */
export type Token = string | (() => string | Promise<string>);

/** The error of a token whose own claim says that its time is over; nothing for all others. */
export function expired(token: string, cause: unknown, now = Date.now()): TokenExpiredError | undefined {
  const end = endOf(token);
  return end !== undefined && end <= now ? new TokenExpiredError(new Date(end), cause) : undefined;
}

/** When a JWT ends, in milliseconds since 1970; undefined if it does not say. Nothing is checked here. */
function endOf(token: string): number | undefined {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const claims: unknown = JSON.parse(atob(part));
    const exp = (claims as { exp?: unknown } | null)?.exp;
    return typeof exp === "number" && Math.abs(exp) < 8e12 ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** What FetchRteToken answers. */
export interface RteToken {
  /** The hub's address, for DAService. */
  WSSEndpoint: string;
  Token: string;
}

/**
 * Gets a token as the REST API gives it: GET `{apiUrl}/token/{userId}/rte/`;
 * a query of apiUrl stays. init goes to fetch: headers for the API's own
 * sign-in, a signal.
 */
export async function FetchRteToken(apiUrl: string, userId: string, init?: RequestInit): Promise<RteToken> {
  const url = new URL(apiUrl, globalThis.location?.href);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/token/${encodeURIComponent(userId)}/rte/`;
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`No token: the API answered ${response.status}.`);
  const { WSSEndpoint, Token } = ((await response.json()) ?? {}) as Partial<RteToken>;
  if (typeof WSSEndpoint !== "string" || typeof Token !== "string") throw new Error("No token: the API's answer has no WSSEndpoint or no Token.");
  return { WSSEndpoint, Token };
}
