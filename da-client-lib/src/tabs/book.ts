import type { AnyPush } from "../events.gen.ts";
import { keyOf, keyOfPush, type ActiveSubscription, type PairItem, type SubscriptionResult } from "../pair.ts";
import type { Heard } from "./words.ts";

/** So many places of a pair are remembered: more than can be under way while the lead changes hands. */
const remembered = 64;

interface Page {
  item: PairItem;
  /** As the hub spells it; null until it has answered. */
  pair: ActiveSubscription | null;
  owed: boolean;
  /** The last places, the newest last; an event's or one between events. */
  places: { cursor: string; event: boolean }[];
  /** No cursor is known for what was heard last. */
  blind: boolean;
  /** Events that will come again, and were heard. */
  skip: Set<string>;
  /** The last call that asked for it. */
  asked: number;
}

/**
 * What one tab wants to hear, and how far it has. Tabs are told the same things
 * in the same order, but when the lead changes hands, some may have been told
 * less: then the new leader goes on from where one of them was, and the others
 * skip what they know.
 */
export class Book {
  private readonly pages = new Map<string, Page>();

  /** Notes that a pair was asked for by a call: what comes of it is wanted from now on. */
  want(item: PairItem, call: number, owed: boolean): void {
    const key = keyOf(item.EntityId, item.EventName);
    const page = this.pages.get(key);
    if (page) page.asked = call;
    else this.pages.set(key, { item, pair: null, owed, places: [], blind: true, skip: new Set(), asked: call });
  }

  /** Takes in what became of it. place is how far the leader has told of it. */
  settle(item: PairItem, result: SubscriptionResult | undefined, place: Heard | undefined, call: number): void {
    const key = keyOf(item.EntityId, item.EventName);
    const page = this.pages.get(key);
    if (page === undefined) return;
    if (result?.subscribed !== true) {
      if (page.pair === null && page.asked === call) this.pages.delete(key);
      return;
    }
    page.pair ??= { entityId: result.entityId ?? item.EntityId, eventName: result.eventName ?? item.EventName };
    if (place) this.at(page, place.cursor, false);
  }

  /** A pair is not wanted any more, unless a later call has asked for it again. */
  drop(key: string, call = Infinity): void {
    const page = this.pages.get(key);
    if (page !== undefined && page.asked <= call) this.pages.delete(key);
  }

  clear(): void {
    this.pages.clear();
  }

  has(key: string): boolean {
    return this.pages.has(key);
  }

  keys(): string[] {
    return [...this.pages.keys()];
  }

  /** Tells whether an event is to be handed on, and notes that it is. again: others may have had it earlier. */
  take(push: AnyPush, again: boolean): boolean {
    const page = this.pages.get(keyOfPush(push));
    if (page === undefined) return false;
    const cursor = push.cursor ?? null;
    if (again && page.places.some((place) => place.event && place.cursor === cursor)) return false;
    if (cursor !== null && page.skip.delete(cursor)) return false;
    page.owed = false;
    this.at(page, cursor, true);
    return true;
  }

  /** A pair's place has changed without an event. */
  move(key: string, cursor: string): void {
    const page = this.pages.get(key);
    if (page !== undefined && page.skip.size === 0) this.at(page, cursor, false);
  }

  /** What was heard, for a new leader. */
  heard(): Heard[] {
    return [...this.pages.values()].filter((p) => p.pair !== null).map((p) => ({ item: p.item, cursor: last(p), owed: p.owed }));
  }

  /** The order of a place among those that are remembered of a pair; -1: it is none of them. */
  order(key: string, cursor: string | null): number {
    return this.pages.get(key)?.places.map((place) => place.cursor).lastIndexOf(cursor ?? "") ?? -1;
  }

  /**
   * The leader goes on from these places. Returns the pairs that it does not
   * know of, and those of which something may be missing.
   */
  resume(places: ReadonlyMap<string, string | null>): { unknown: Heard[]; missed: ActiveSubscription[] } {
    const unknown: Heard[] = [];
    const missed: ActiveSubscription[] = [];
    for (const [key, page] of this.pages) {
      if (page.pair === null) continue; // its call is made again
      page.skip.clear();
      const from = places.get(key);
      if (from === undefined) {
        unknown.push({ item: page.item, cursor: last(page), owed: page.owed });
      } else if (from !== last(page)) {
        const i = from === null ? -1 : this.order(key, from);
        if (i < 0) missed.push(page.pair);
        else for (const place of page.places.slice(i + 1)) if (place.event) page.skip.add(place.cursor);
      }
    }
    return { unknown, missed };
  }

  /** The pairs that are subscribed. */
  active(): ActiveSubscription[] {
    return [...this.pages.values()].flatMap((p) => (p.pair === null ? [] : [{ ...p.pair }]));
  }

  private at(page: Page, cursor: string | null, event: boolean): void {
    page.blind = cursor === null;
    if (cursor === null || cursor === last(page)) return;
    page.places.push({ cursor, event });
    if (page.places.length > remembered) page.places.shift();
  }
}

function last(page: Page): string | null {
  return page.blind ? null : (page.places.at(-1)?.cursor ?? null);
}
