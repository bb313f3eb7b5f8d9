import { backoff } from "../backoff.ts";
import type { DAError } from "../errors.ts";
import type { HubOptions } from "../hub.ts";
import { isRefusal } from "../link.ts";
import { claims, getToken } from "../token.ts";

/** Tells whether tabs can share here: browsers can, on pages that came by TLS or from loopback. */
export function canShare(): boolean {
  const { navigator, BroadcastChannel } = globalThis as { navigator?: Partial<Navigator>; BroadcastChannel?: unknown };
  return typeof BroadcastChannel === "function" && typeof navigator?.locks?.request === "function";
}

/**
 * Whose events these are, by the token's claims: tabs of different users have
 * nothing to share. Tries until there is a token; failed is told of each try
 * that was in vain. Null when the signal is raised.
 *
 * @throws DAError if the token function says that there will be none.
 */
export async function whoAmI(
  { world, settings, tokens }: HubOptions,
  signal: AbortSignal,
  failed: (error: DAError, retryIn: number) => void,
): Promise<string | null> {
  const delays = { first: settings.reconnect?.first ?? 1000, most: settings.reconnect?.most ?? 30_000 };
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      const { sub, org, iss } = claims(await getToken(tokens.source));
      return JSON.stringify([sub ?? null, org ?? null, iss ?? null]);
    } catch (error) {
      if (signal.aborted) return null;
      const problem = error as DAError;
      if (isRefusal(problem)) throw problem;
      const retryIn = backoff(tries, delays, () => world.random());
      failed(problem, retryIn);
      await new Promise<void>((resolve) => void world.after(retryIn, resolve));
    }
  }
  return null;
}
