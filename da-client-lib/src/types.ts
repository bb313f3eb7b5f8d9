import type { AnyPush, EventName, Guid, Push } from "./events.gen.js";
import type { MessagePackClass } from "./signalr.js";

/** A pair to subscribe to or to leave. Event names are taken in any case at run time. */
export interface SubscriptionItem<N extends string = EventName> {
  EntityId: Guid;
  EventName: N | Lowercase<N>;
  /** The cursor of the last message the app has had, to go on behind it; "" is from now on. */
  After?: string | null;
  /** The newest value first, of events that are states. Default: the option snapshot. */
  Snapshot?: boolean;
}

/** What the hub says of one pair, in the order of the items. */
export interface SubscriptionResult {
  subscribed: boolean;
  /** null, or why not: "Invalid EntityId", "Invalid event name", "Unauthorized", "Too many subscriptions". */
  message: string | null;
  entityId: string | null;
  eventName: string | null;
  /** Only for items with After or Snapshot: whether nothing behind After is missing. */
  recovered?: boolean;
  /** Only for items with After or Snapshot: where the pair was joined. */
  cursor?: string;
}

/** A pair that is subscribed, as the hub spells it. */
export interface ActiveSubscription {
  entityId: Guid;
  eventName: string;
}

/** Why the own connection does or does not hear a pair. */
export interface Explanation {
  entityId: string | null;
  eventName: string | null;
  allowed: boolean;
  subscribed: boolean;
  reason: string;
}

/** A message of any event that the catalogue has. Narrow it with isEvent. */
export type DataMessage = { [N in EventName]: Push<N> }[EventName];

/** A message as it comes: of an event of the catalogue, or of one that an installation has added. */
export type Message = DataMessage | AnyPush;

/**
 * Something about the connection, not about the contact centre.
 * missed: events of this pair are lost, because the hub does not keep them so long
 * or keeps no cursors; fetch the present state elsewhere.
 * subscriptionRemoved: the right to this pair has fallen.
 * tokenExpiring, draining, stale: what the hub says of itself.
 */
export interface Notice {
  kind: "missed" | "subscriptionRemoved" | "tokenExpiring" | "draining" | "stale" | (string & {});
  /** UTC. */
  at: string;
  subscription?: ActiveSubscription;
  reason?: string;
}

/** connected means that all subscriptions are in force, too. */
export type ConnectionState = "disconnected" | "connecting" | "connected" | "reconnecting";

export interface ConnectionStateChange {
  state: ConnectionState;
  previous: ConnectionState;
  /** What ended the connection, or kept it from being made. */
  error?: Error;
  /** Milliseconds until the next try, where one waits. */
  retryIn?: number;
}

/** All may be left out. */
export interface Options {
  /** The only transport that is used. Default: the first of the three that works. */
  transport?: "websockets" | "serversentevents" | "longpolling";
  /** MessagePack instead of JSON: true, or in browsers the class MessagePackHubProtocol. Default: false. */
  messagepack?: boolean | MessagePackClass;
  /** Each new subscription to a state begins with its newest value. Default: false. */
  snapshot?: boolean;
  /** The hub keeps a connection whose socket is lost for some seconds, where it can. Default: true. */
  statefulReconnect?: boolean;
  /** The hub is asked for notices. Default: true; missed comes in any case. */
  notices?: boolean;
  /** Milliseconds between tries: a random time below base, doubled with each try up to cap. Default: 1000 and 30000. */
  retry?: { base?: number; cap?: number };
  /** Milliseconds that one try to connect may take. Default: 30000. */
  connectTimeout?: number;
  /** Ends the service as Disconnect does. */
  signal?: AbortSignal;
}
