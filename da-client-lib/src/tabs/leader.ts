import { plainOf } from "../errors.ts";
import { OwnHub, type HubOptions } from "../hub.ts";
import { isState } from "../ledger.ts";
import { keyOf, keyOfPush, type PairItem, type SubscriptionItem, type SubscriptionResult } from "../pair.ts";
import type { ConnectionStateChange, Notice } from "../state.ts";
import type { AnyPush } from "../events.gen.ts";
import type { Book } from "./book.ts";
import type { Deed, Heard, PlainChange, Word } from "./words.ts";

/** How long tabs may take to say what they have heard, in milliseconds: one that is later asks for its pairs again. */
const hereWithin = 500;

/** What a leader needs of the tab that it lives in. */
export interface LeaderOptions {
  /** Its name in this lead. */
  id: string;
  /** The name of its tab. */
  tab: string;
  hub: HubOptions;
  /** What its own tab has heard. */
  book: Book;
  /** Tells all tabs, its own included. */
  say(word: Word): void;
  /** The names of all tabs that live, its own included. */
  tabs(): Promise<string[]>;
  /** Calls back when a tab is gone. */
  whenGone(tab: string, call: () => void): void;
}

/** What came of a subscribe: values are those of snapshots that the hub does not send again. */
interface SubscribeDone {
  results: SubscriptionResult[];
  values: AnyPush[];
}

/** The tab that has the connection, and what it does for the others. */
export class Leader {
  private readonly hub: OwnHub;
  /** Who wants what. */
  private readonly wants = new Map<string, Set<string>>();
  /** The newest value of each state that came by: the snapshot for tabs that come later. */
  private readonly newest = new Map<string, AnyPush>();
  private readonly heard = new Map<string, Heard[]>();
  private gathered: (() => void) | null = null;
  private awaited = new Set<string>();
  private last: PlainChange = { state: "Connecting" };
  private leading = false;

  constructor(private readonly o: LeaderOptions) {
    const { id: leader } = o;
    const listener = {
      message: (push: AnyPush) => this.pushed(push),
      state: (change: ConnectionStateChange) => this.say({ word: "state", leader, change: (this.last = plainChange(change)) }),
      notice: (notice: Notice) => this.say({ word: "notice", leader, notice }),
    };
    this.hub = new OwnHub({ ...o.hub, listener }, (key, cursor) => this.say({ word: "place", leader, key, cursor }));
  }

  /** Gathers what the tabs have heard, and connects. Ends with the hub's refusal or with stop. */
  async lead(): Promise<void> {
    const { id: leader, tab } = this.o;
    this.heard.set(tab, this.o.book.heard());
    this.awaited = new Set((await this.o.tabs()).filter((name) => name !== tab && !this.heard.has(name)));
    await new Promise<void>((resolve) => {
      const stop = this.o.hub.world.after(hereWithin, resolve);
      this.gathered = () => {
        stop();
        resolve();
      };
      this.say({ word: "lead", leader });
      if (this.awaited.size === 0) this.gathered();
    });
    this.gathered = null;
    const places = this.adopt();
    this.leading = true;
    const connected = this.hub.connect(); // before the tabs make their calls
    this.say({ word: "from", leader, places });
    this.say({ word: "state", leader, change: this.last });
    await connected;
  }

  /** Ends the connection; the next leader goes on. */
  async stop(): Promise<void> {
    this.leading = false;
    this.o.hub.log("debug", "this tab leads no more");
    await this.hub.disconnect();
  }

  /** Breaks the connection off, as the network would. */
  cut(why: string): void {
    this.hub.cut(why);
  }

  /** Takes in what a tab says. */
  hear(word: Word): void {
    switch (word.word) {
      case "hello":
        if (this.leading) this.say({ word: "welcome", leader: this.o.id, tab: word.tab, change: this.last });
        return;
      case "bye":
        return this.gone(word.tab);
      case "here":
        if (word.leader !== this.o.id || this.leading) return;
        this.heard.set(word.tab, word.heard);
        this.awaited.delete(word.tab);
        if (this.awaited.size === 0) this.gathered?.();
        return;
      case "ask":
        if (word.leader === this.o.id) void this.answer(word.tab, word.id, word.deed);
        return;
      default:
        return; // leaders' words
    }
  }

  private say(word: Word): void {
    if (this.leading || word.word === "lead") this.o.say(word);
  }

  private pushed(push: AnyPush): void {
    const key = keyOfPush(push);
    if (isState(push.subscription.eventName)) this.newest.set(key, push);
    this.say({ word: "push", leader: this.o.id, push });
  }

  /**
   * Takes over all pairs, each from the earliest place that a tab is at. Of two
   * places that the own tab remembers it knows which is earlier; one that it
   * does not know is later: that tab was told more.
   */
  private adopt(): [string, string | null][] {
    const all = new Map<string, { heard: Heard; order: number }>();
    for (const [tab, list] of this.heard) {
      for (const heard of list) {
        const key = keyOf(heard.item.EntityId, heard.item.EventName);
        this.wanted(tab).add(key);
        const order = this.o.book.order(key, heard.cursor);
        const known = all.get(key);
        const earlier = known === undefined || (order >= 0 && (known.order < 0 || order < known.order));
        if (earlier) all.set(key, { heard: { ...heard, owed: heard.owed || (known?.heard.owed ?? false) }, order });
      }
    }
    for (const { heard } of all.values()) this.hub.ledger.adopt(heard.item, heard.cursor, heard.owed);
    return [...all].map(([key, { heard }]) => [key, heard.cursor]);
  }

  private wanted(tab: string): Set<string> {
    let keys = this.wants.get(tab);
    if (keys === undefined) {
      keys = new Set();
      this.wants.set(tab, keys);
      if (tab !== this.o.tab) this.o.whenGone(tab, () => this.gone(tab));
    }
    return keys;
  }

  /** A tab has gone: what nobody else wants is left. */
  private gone(tab: string): void {
    this.awaited.delete(tab);
    if (this.awaited.size === 0) this.gathered?.();
    const keys = this.wants.get(tab);
    this.wants.delete(tab);
    if (keys === undefined || keys.size === 0 || !this.leading) return;
    const items = [...keys].filter((key) => !this.anybodyWants(key)).map(itemOf);
    if (items.length > 0) void this.hub.unsubscribe(items).catch(() => {}); // it fails only if there is no connection any more
  }

  private anybodyWants(key: string): boolean {
    return [...this.wants.values()].some((keys) => keys.has(key));
  }

  private async answer(tab: string, id: number, deed: Deed): Promise<void> {
    const to = { leader: this.o.id, tab, id };
    try {
      if (deed.do === "subscribe") {
        const { results, values } = await this.subscribe(tab, deed.items);
        this.say({ word: "answer", ...to, result: results, places: this.places(deed.items) });
        for (const push of values) this.say({ word: "push", leader: to.leader, push, only: tab });
      } else {
        this.say({ word: "answer", ...to, result: await this.do(tab, deed), places: [] });
      }
    } catch (error) {
      this.say({ word: "refuse", ...to, error: plainOf(error) });
    }
  }

  private do(tab: string, deed: Exclude<Deed, { do: "subscribe" }>): Promise<unknown> {
    switch (deed.do) {
      case "unsubscribe":
        return this.unsubscribe(tab, deed.items);
      case "unsubscribeAll":
        return this.unsubscribe(tab, [...this.wanted(tab)].map(itemOf)).then(() => true);
      case "available":
        return this.hub.available();
      case "explain":
        return this.hub.explain(deed.items);
    }
  }

  private async subscribe(tab: string, items: readonly (SubscriptionItem | null)[]): Promise<SubscribeDone> {
    const before = items.map((item) => (item === null ? undefined : this.hub.ledger.place(keyOf(item.EntityId, item.EventName))));
    const isOld = (item: SubscriptionItem | null, i: number): boolean => item !== null && before[i] !== undefined && this.wantsSnapshot(item);
    // A state that is subscribed and whose value has not come by is asked for anew.
    const again = items.filter((item, i) => isOld(item, i) && !this.newest.has(keyOf(item!.EntityId, item!.EventName)));
    if (again.length > 0) void this.hub.unsubscribe(again).catch(() => {});
    const wanted = this.wanted(tab);
    const results = await this.hub.subscribe(items);
    const values: AnyPush[] = [];
    results.forEach((result, i) => {
      const item = items[i];
      if (!result.subscribed || item === null || item === undefined) return;
      const key = keyOf(item.EntityId, item.EventName);
      wanted.add(key);
      const place = before[i];
      if (place === undefined) return;
      // What others hear already the hub does not replay for one of them.
      const newest = isOld(item, i) && !again.includes(item) ? this.newest.get(key) : undefined;
      if (newest !== undefined && newest.cursor !== item.After) values.push(newest);
      if (item.After && item.After !== place.cursor) result.recovered = isState(item.EventName);
    });
    return { results, values };
  }

  private wantsSnapshot(item: SubscriptionItem): boolean {
    return isState(item.EventName) && (Boolean(item.After) || (item.Snapshot ?? this.o.hub.settings.snapshot ?? false));
  }

  private places(items: readonly (SubscriptionItem | null)[]): [string, Heard][] {
    return items.flatMap((item): [string, Heard][] => {
      if (item === null) return [];
      const key = keyOf(item.EntityId, item.EventName);
      const place = this.hub.ledger.place(key);
      return place === undefined ? [] : [[key, { item: { EntityId: item.EntityId, EventName: item.EventName }, ...place }]];
    });
  }

  private async unsubscribe(tab: string, items: readonly (PairItem | null)[]): Promise<SubscriptionResult[]> {
    const mine = this.wanted(tab);
    const results: (SubscriptionResult | null)[] = items.map((item) => {
      if (item === null) return null;
      const key = keyOf(item.EntityId, item.EventName);
      mine.delete(key);
      const { entityId, eventName } = { entityId: item.EntityId.toLowerCase(), eventName: item.EventName.toLowerCase() };
      return this.anybodyWants(key) ? { subscribed: false, message: null, entityId, eventName } : null;
    });
    const rest = items.filter((_, i) => results[i] === null);
    const answers = rest.length > 0 || items.length === 0 ? await this.hub.unsubscribe(rest) : [];
    for (const item of rest) if (item !== null) this.newest.delete(keyOf(item.EntityId, item.EventName));
    let n = 0;
    return results.flatMap((result) => result ?? answers[n++] ?? []);
  }
}

function itemOf(key: string): PairItem {
  const [EntityId, EventName] = key.split(" ") as [string, PairItem["EventName"]];
  return { EntityId, EventName };
}

function plainChange({ state, error, retryIn, recovered }: ConnectionStateChange): PlainChange {
  return {
    state,
    ...(error === undefined ? {} : { error: plainOf(error) }),
    ...(retryIn === undefined ? {} : { retryIn }),
    ...(recovered === undefined ? {} : { recovered }),
  };
}
