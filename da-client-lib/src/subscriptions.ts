import { keyOf, stateEvents } from "./pair.js";
import type { SubscriptionItem, SubscriptionResult } from "./types.js";

/** An item as the hub is asked. */
export interface HubItem {
  EntityId: unknown;
  EventName: unknown;
  After?: string | null;
  Snapshot?: boolean;
}

/** A pair that the app wants, and how far it has come. */
interface Pair {
  entityId: string;
  eventName: string;
  /** The cursor behind which to go on. */
  after: string;
  /** The cursor of the last message; the place of a join is none. */
  last: string | undefined;
  /** The newest value was asked for and has not come. */
  snapshot: boolean;
  /** The hub gives no cursors for this pair: what happens during an outage is lost. */
  blind: boolean;
  /** The hub has said yes, once at least. */
  joined: boolean;
  /** Messages that have come since it was asked for last. */
  heard: number;
}

/** The texts with which the hub says that a pair will not be heard, however often it is asked. */
const final = new Set(["Invalid EntityId", "Invalid event name", "Unauthorized"]);

/** What becomes of the pairs when a connection is made anew. */
export interface Restored {
  missed: SubscriptionResult[];
  removed: SubscriptionResult[];
  /** To be asked again later: "Too many subscriptions". */
  later: HubItem[];
}

/** The pairs that the app wants, and their places in the store. No connection in here. */
export class Subscriptions {
  readonly #pairs = new Map<string, Pair>();

  constructor(private readonly snapshot: boolean) {}

  /** Puts an app's items into the form that the hub is asked in, and notes the pairs before the first message can come. */
  ask(items: readonly SubscriptionItem<string>[]): HubItem[] {
    return items.map((item) => {
      const { EntityId, EventName, After, Snapshot } = item ?? ({} as Partial<SubscriptionItem<string>>);
      const key = keyOf(EntityId, EventName);
      const old = this.#pairs.get(key);
      const snapshot = Snapshot ?? this.snapshot;
      if (old?.joined) return { EntityId, EventName, After: After ?? "", ...(snapshot && { Snapshot: true }) };
      // Asked for before, and the connection was lost meanwhile: go on where it was.
      const pair = old ?? { entityId: String(EntityId), eventName: String(EventName), after: After ?? "", last: undefined, snapshot, blind: false, joined: false, heard: 0 };
      this.#pairs.set(key, pair);
      return this.#item(pair, EntityId, EventName);
    });
  }

  #item(pair: Pair, EntityId: unknown = pair.entityId, EventName: unknown = pair.eventName): HubItem {
    pair.heard = 0;
    // A state whose value was asked for and has not come is asked for again.
    const anew = pair.snapshot && stateEvents.has(String(EventName).toLowerCase());
    return { EntityId, EventName, After: anew || pair.blind ? "" : pair.after, ...(pair.snapshot && { Snapshot: true }) };
  }

  /** Takes in what the hub has answered to ask, and returns what the app is to see of it. */
  answered(items: readonly SubscriptionItem<string>[], results: SubscriptionResult[]): SubscriptionResult[] {
    return results.map((result, i) => {
      const item = items[i];
      const key = keyOf(item?.EntityId, item?.EventName);
      const pair = this.#pairs.get(key);
      if (pair && !pair.joined) {
        if (result.subscribed) this.#join(pair, result, pair.after !== "");
        else this.#pairs.delete(key);
      }
      // The page's four members, unless the app has asked for more.
      if (item?.After !== undefined || item?.Snapshot !== undefined) return result;
      const { recovered: _, cursor: __, ...rest } = result;
      return rest;
    });
  }

  /** The pair is heard from here on. */
  #join(pair: Pair, result: SubscriptionResult, resumed: boolean): void {
    pair.joined = true;
    if (result.entityId) pair.entityId = result.entityId;
    if (result.cursor === undefined) {
      pair.blind = true;
      return;
    }
    // What was missed comes only now, and the answer's place is behind it: until
    // it has come, the old place holds. A message may have come already.
    if (pair.heard === 0 && (!resumed || result.recovered === false)) pair.after = result.cursor;
  }

  /** All pairs that were heard before, as items for a new connection. */
  all(): HubItem[] {
    return [...this.#pairs.values()].filter((p) => p.joined).map((p) => this.#item(p));
  }

  /** Takes in what the hub has answered to some of all(). */
  restored(items: readonly HubItem[], results: readonly SubscriptionResult[]): Restored {
    const out: Restored = { missed: [], removed: [], later: [] };
    items.forEach((item, i) => {
      const key = keyOf(item.EntityId, item.EventName);
      const pair = this.#pairs.get(key);
      const result = results[i];
      if (!pair || !result) return;
      if (!result.subscribed) {
        if (result.message !== null && !final.has(result.message)) {
          out.later.push(item);
          return;
        }
        this.#pairs.delete(key);
        out.removed.push(result);
        return;
      }
      const blind = pair.blind;
      // Whether messages carry cursors shows anew on each connection.
      pair.blind = false;
      this.#join(pair, result, !blind && item.After !== "");
      if (blind || pair.blind || result.recovered === false) out.missed.push(result);
    });
    return out;
  }

  /** A message has come. False if it has come before. */
  came(entityId: string, eventName: string, cursor: string | undefined): boolean {
    const pair = this.#pairs.get(keyOf(entityId, eventName));
    if (!pair) return true;
    pair.heard++;
    pair.snapshot = false;
    if (cursor === undefined) {
      pair.blind = true;
      return true;
    }
    if (cursor === pair.last) return false;
    pair.blind = false;
    pair.last = pair.after = cursor;
    return true;
  }

  /** The hub has refused the whole call: pairs that were new in it are not wanted. */
  forget(items: readonly SubscriptionItem<string>[]): void {
    for (const item of items) {
      const key = keyOf(item?.EntityId, item?.EventName);
      if (this.#pairs.get(key)?.joined === false) this.#pairs.delete(key);
    }
  }

  has(entityId: unknown, eventName: unknown): boolean {
    return this.#pairs.has(keyOf(entityId, eventName));
  }

  /** The pair is not wanted any more. */
  remove(entityId: unknown, eventName: unknown): void {
    this.#pairs.delete(keyOf(entityId, eventName));
  }

  clear(): void {
    this.#pairs.clear();
  }
}
