import type { DAError } from "./errors.ts";
import type { ActiveSubscription } from "./pair.ts";
import { isMembers } from "./shape.ts";

/** Where the connection stands. */
export type ConnectionState = "Disconnected" | "Connecting" | "Connected" | "Reconnecting";

/** A change of the connection's state. */
export interface ConnectionStateChange {
  state: ConnectionState;
  previous: ConnectionState;
  /** Why it is not connected, or not any more; left out after Connect and Disconnect. */
  error?: DAError;
  /** While connecting and reconnecting: in how many milliseconds the next try comes. */
  retryIn?: number;
  /** When connected: false if events may be missing since the last connection, which notices name. */
  recovered?: boolean;
}

/** What notices can be about; hubs may send others. */
export type NoticeKind = "subscriptionRemoved" | "missed" | "stale" | "fresh" | "tokenExpiring" | "draining" | (string & {});

/**
 * Something about the connection, from the hub or from this library.
 *
 * `missed`: events of the subscription may be missing, read its data anew.
 * `subscriptionRemoved`: it is not heard any more, reason says why.
 * `stale`: its source has been silent for longer than promised, since then; `fresh`: it speaks again.
 * `tokenExpiring`: the token is about to expire; the hub may close the connection then.
 * `draining`: the node is about to go; the connection moves to another by itself.
 */
export interface Notice {
  kind: NoticeKind;
  /** When, in UTC. */
  at: string;
  subscription?: ActiveSubscription;
  reason?: string;
  /** Of `stale` and `fresh`: when the source was heard last, in UTC. */
  since?: string;
}

/** A hub's notice; null if it is none. */
export function noticeOf(argument: unknown): Notice | null {
  return isMembers(argument) && typeof argument["kind"] === "string" ? (argument as unknown as Notice) : null;
}
