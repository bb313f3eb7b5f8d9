import type { AnyPush, EventName, Guid, Push } from "./events.gen.ts";

/** An event's name, as the catalogue spells it or in lower case; the hub takes any case. */
export type KnownEventName = EventName | Lowercase<EventName>;

/** Something to hear: an entity (a user, a queue, a call list) and an event. */
export interface SubscriptionItem {
  EntityId: Guid;
  EventName: KnownEventName;
  /** Go on behind this cursor, which a message of this pair had; empty or null: from now on. */
  After?: string | null;
  /** Give the newest value first; for the five states (stateEventNames), else without effect. */
  Snapshot?: boolean;
}

/** Something to hear no more, or to ask about. */
export type PairItem = Pick<SubscriptionItem, "EntityId" | "EventName">;

/** What became of an item, in the order of the items. */
export interface SubscriptionResult {
  subscribed: boolean;
  /** Why not: `Invalid EntityId`, `Invalid event name`, `Unauthorized` or another text of the hub; else null. */
  message: string | null;
  entityId: string | null;
  eventName: string | null;
  /** Only for items with After or Snapshot: whether nothing was missed since After. */
  recovered?: boolean;
  /** Only for items with After or Snapshot: where the pair was joined. */
  cursor?: string;
}

/** A pair that is subscribed. */
export interface ActiveSubscription {
  entityId: string;
  eventName: string;
}

/** Why the connection hears a pair, or does not. */
export interface Explanation {
  entityId: string | null;
  eventName: string | null;
  /** The token's rights cover it. */
  allowed: boolean;
  subscribed: boolean;
  /** In words, for people. */
  reason: string;
}

/** An event that was pushed: which it is tells isEvent. */
export type Message<N extends EventName = EventName> = { [K in N]: Push<K> }[N];

/** A pair's name in tables: case and spelling of Guids do not matter. */
export function keyOf(entityId: unknown, eventName: unknown): string {
  const id = String(entityId).trim().toLowerCase();
  const plain = id.replace(/[{}()-]/g, "");
  return `${/^[0-9a-f]{32}$/.test(plain) ? plain : id} ${String(eventName).toLowerCase()}`;
}

/** The key of a pushed message. */
export function keyOfPush(push: AnyPush): string {
  return keyOf(push.subscription.entityId, push.subscription.eventName);
}
