import { stateEventNames, type AnyPush } from "./events.gen.ts";
import { keyOf, keyOfPush, type ActiveSubscription, type PairItem, type SubscriptionItem, type SubscriptionResult } from "./pair.ts";

/** What is asked of the hub for a pair. */
export interface Ask {
  EntityId: string;
  EventName: string;
  After: string | null;
  Snapshot?: true;
}

/** What became of the pairs that were asked for again on a new connection. */
export interface Restored {
  /** Pairs of which events may be missing. */
  missed: ActiveSubscription[];
  /** Pairs that the hub does not give any more, with its reason. */
  removed: (ActiveSubscription & { reason: string })[];
  /** Keys of pairs for which the hub has no room at present. */
  later: string[];
}

/** The texts with which the hub says that a pair will not be heard, however often it is asked. */
const final: ReadonlySet<string | null> = new Set(["Invalid EntityId", "Invalid event name", "Unauthorized", null]);

/** A pair that is subscribed, or about to be. */
interface Entry {
  readonly entityId: string;
  readonly eventName: string;
  /**
   * Behind which the handler has had nothing yet. The cursor of a result is one
   * only as long as nothing is due before it: what was missed, or a snapshot,
   * comes behind the result, and until it is here the old cursor counts.
   */
  cursor: string | null;
  /** Behind which the present connection has begun; what was missed since may still be under way. */
  from: string | null;
  /** A snapshot was asked for and has not come. */
  owed: boolean;
  /** The hub has accepted it. */
  confirmed: boolean;
  /** The connection on which it was accepted last. */
  link: number;
  /** Order number of the last call that asked for it. */
  asked: number;
  /** Grows with each event. */
  version: number;
}

const states: ReadonlySet<string> = new Set(stateEventNames.map((name) => name.toLowerCase()));

/** Tells whether an event is a state: its newest value counts, however old. */
export function isState(eventName: string): boolean {
  return states.has(eventName.toLowerCase());
}

/**
 * Which pairs are subscribed, and how far each has been heard. The place from
 * which a pair goes on is always the last event that the handler has had, on
 * whatever connection: so nothing is lost and nothing comes twice.
 */
export class Ledger {
  private readonly entries = new Map<string, Entry>();
  /** Pairs that were left on this connection: what was still under way is not wanted. */
  private readonly left = new Set<string>();
  /** The present connection. */
  private link = 0;

  /** moved is told of places that have changed without an event. */
  constructor(private readonly moved: (key: string, cursor: string) => void = () => {}) {}

  get size(): number {
    return this.entries.size;
  }

  /** A new connection begins. */
  begin(): void {
    this.link++;
    this.left.clear();
  }

  clear(): void {
    this.entries.clear();
  }

  /** Notes that items are about to be asked for by a call, and says how. */
  asks(items: readonly (SubscriptionItem | null)[], call: number, snapshot: boolean): (Ask | null)[] {
    return items.map((item) => {
      if (item === null || typeof item !== "object") return null;
      const key = keyOf(item.EntityId, item.EventName);
      const wanted = (item.Snapshot ?? snapshot) && isState(String(item.EventName));
      let entry = this.entries.get(key);
      if (entry === undefined) {
        entry = {
          entityId: item.EntityId, eventName: item.EventName, cursor: item.After || null, from: null, owed: wanted,
          confirmed: false, link: 0, asked: call, version: 0,
        }; // prettier-ignore
        this.entries.set(key, entry);
        this.left.delete(key);
      }
      entry.asked = call;
      // On a connection that does not have it yet it goes on where it was.
      const after = entry.confirmed && entry.link === this.link ? (item.After ?? null) : (entry.cursor ?? item.After ?? null);
      if (!entry.confirmed || entry.link !== this.link) entry.from = after;
      const ask: Ask = { EntityId: item.EntityId, EventName: item.EventName, After: after };
      if (item.Snapshot ?? snapshot) ask.Snapshot = true;
      return ask;
    });
  }

  /** Takes in the hub's answer to asks. */
  accepted(items: readonly (SubscriptionItem | null)[], results: readonly SubscriptionResult[], call: number): void {
    items.forEach((item, i) => {
      const result = results[i];
      if (item === null || typeof item !== "object" || result === undefined) return;
      const key = keyOf(item.EntityId, item.EventName);
      const entry = this.entries.get(key);
      if (entry === undefined) return;
      if (!result.subscribed) {
        if (!entry.confirmed && entry.asked === call) this.entries.delete(key);
        return;
      }
      if (!entry.confirmed && entry.version === 0 && entry.cursor === null && !entry.owed) entry.cursor = result.cursor ?? null;
      entry.confirmed = true;
      entry.link = this.link;
    });
  }

  /** Forgets items that a call asked for and that were not answered. */
  withdraw(items: readonly (SubscriptionItem | null)[], call: number): void {
    for (const item of items) {
      if (item === null || typeof item !== "object") continue;
      const key = keyOf(item.EntityId, item.EventName);
      const entry = this.entries.get(key);
      if (entry !== undefined && !entry.confirmed && entry.asked === call) this.entries.delete(key);
    }
  }

  /** Pairs were left by a call; later calls may have asked for them again. */
  unsubscribed(items: readonly ({ EntityId: string; EventName: string } | null)[] | "all", call: number): void {
    const keys = items === "all" ? [...this.entries.keys()] : items.map((item) => (item === null ? "" : keyOf(item.EntityId, item.EventName)));
    for (const key of keys) {
      const entry = this.entries.get(key);
      if (entry === undefined || entry.asked > call) continue;
      this.entries.delete(key);
      this.left.add(key);
    }
  }

  /** The hub has taken a pair away. */
  removed(pair: ActiveSubscription): void {
    this.entries.delete(keyOf(pair.entityId, pair.eventName));
  }

  /** Tells whether a pushed event is to be handed on, and notes that it is. */
  take(push: AnyPush): boolean {
    const key = keyOfPush(push);
    const entry = this.entries.get(key);
    if (entry === undefined) return !this.left.has(key);
    const cursor = push.cursor ?? null;
    if (cursor !== null && cursor === entry.cursor && entry.version > 0) return false;
    entry.cursor = cursor;
    entry.owed = false;
    entry.version++;
    return true;
  }

  /** The keys of pairs that this connection does not have yet. */
  toRestore(): string[] {
    return [...this.entries].filter(([, e]) => e.confirmed && e.link !== this.link).map(([key]) => key);
  }

  /** How to ask for pairs again; those that are not wanted any more are left out. */
  restoreAsks(keys: readonly string[]): { keys: string[]; asks: Ask[] } {
    const list = keys.flatMap((key) => {
      const e = this.entries.get(key);
      if (e === undefined || !e.confirmed || e.link === this.link) return [];
      e.from = e.cursor;
      const ask: Ask = { EntityId: e.entityId, EventName: e.eventName, After: e.cursor };
      if (e.owed) ask.Snapshot = true;
      return [{ key, ask }];
    });
    return { keys: list.map((l) => l.key), asks: list.map((l) => l.ask) };
  }

  /** Takes in the hub's answer to restoreAsks. */
  restored(keys: readonly string[], asks: readonly Ask[], results: readonly SubscriptionResult[]): Restored {
    const told: Restored = { missed: [], removed: [], later: [] };
    keys.forEach((key, i) => {
      const entry = this.entries.get(key);
      const result = results[i];
      const ask = asks[i];
      if (entry === undefined || result === undefined || ask === undefined) return;
      const pair = { entityId: result.entityId ?? entry.entityId, eventName: result.eventName ?? entry.eventName };
      if (!result.subscribed && !final.has(result.message)) {
        told.later.push(key);
        return;
      }
      if (!result.subscribed) {
        this.entries.delete(key);
        told.removed.push({ ...pair, reason: result.message ?? "" });
        return;
      }
      entry.link = this.link;
      const whole = result.recovered === true && (ask.After !== null || ask.Snapshot === true);
      if (whole) return;
      told.missed.push(pair);
      if (entry.cursor === ask.After) entry.cursor = result.cursor ?? null; // else an event has come meanwhile
    });
    return told;
  }

  /** Pairs whose cursor may become too old to go on from, because they are quiet. */
  quiet(): { keys: string[]; asks: Ask[]; versions: number[] } {
    const list = [...this.entries].filter(([, e]) => e.confirmed && e.link === this.link && e.cursor !== null && !isState(e.eventName));
    return {
      keys: list.map(([key]) => key),
      asks: list.map(([, e]) => ({ EntityId: e.entityId, EventName: e.eventName, After: null })),
      versions: list.map(([, e]) => e.version),
    };
  }

  /**
   * Takes in the answer to quiet: the hub has said how far each pair is sent,
   * which holds unless an event has come before the answer could be read. It
   * repeats the place from which a pair has begun as long as that is replayed.
   */
  refreshed(keys: readonly string[], versions: readonly number[], results: readonly SubscriptionResult[]): void {
    keys.forEach((key, i) => {
      const entry = this.entries.get(key);
      const cursor = results[i]?.cursor;
      if (entry === undefined || cursor === undefined || entry.version !== versions[i] || entry.link !== this.link) return;
      if (cursor === "" || cursor === entry.from || cursor === entry.cursor) return;
      entry.cursor = cursor;
      this.moved(key, cursor);
    });
  }

  /** Takes over a pair that was subscribed on somebody else's connection. */
  adopt({ EntityId, EventName }: PairItem, cursor: string | null, owed: boolean): void {
    const entry = { entityId: EntityId, eventName: EventName, cursor, from: null, owed, confirmed: true, link: 0, asked: 0, version: 0 };
    this.entries.set(keyOf(EntityId, EventName), entry);
  }

  /** How far a pair has been heard; undefined if it is not subscribed. */
  place(key: string): { cursor: string | null; owed: boolean } | undefined {
    const entry = this.entries.get(key);
    return entry?.confirmed ? { cursor: entry.cursor, owed: entry.owed } : undefined;
  }

  /** The pairs that are subscribed. */
  active(): ActiveSubscription[] {
    return [...this.entries.values()].filter((e) => e.confirmed).map((e) => ({ entityId: e.entityId.toLowerCase(), eventName: e.eventName.toLowerCase() }));
  }
}
