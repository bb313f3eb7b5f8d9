import { Deferred } from "../deferred.ts";
import { DAError, errorOf, NotConnectedError, textOf } from "../errors.ts";
import type { Hub, HubOptions } from "../hub.ts";
import { keyOf, type ActiveSubscription, type Explanation, type PairItem, type SubscriptionItem, type SubscriptionResult } from "../pair.ts";
import type { ConnectionState } from "../state.ts";
import { Asks } from "./asks.ts";
import { Book } from "./book.ts";
import { Leader } from "./leader.ts";
import { whoAmI } from "./who.ts";
import type { Deed, PlainChange, Word } from "./words.ts";

/**
 * The hub by a connection that all tabs of a browser share, for the same user
 * and address. One tab leads: it holds a lock and has the connection. When it
 * goes, the next gets the lock and goes on from where the tabs are.
 */
export class SharedHub implements Hub {
  private current: ConnectionState = "Disconnected";
  private readonly book = new Book();
  private readonly tab = crypto.randomUUID();
  private waiter: Deferred<boolean> | null = null;
  /** Ends with the membership of this tab: its locks, its wish to lead. */
  private membership: AbortController | null = null;
  private channel: BroadcastChannel | null = null;
  private group = "";
  private leaderId = "";
  private leader: Leader | null = null;

  private readonly asks: Asks;

  constructor(private readonly o: HubOptions) {
    this.asks = new Asks(this.book, o.settings.snapshot ?? false, (id, deed) => this.send(id, deed));
  }

  get state(): ConnectionState {
    return this.current;
  }

  connect(): Promise<boolean> {
    if (this.waiter !== null) return this.waiter.promise;
    if (this.current === "Connected") return Promise.resolve(true);
    const { promise } = (this.waiter = new Deferred());
    if (this.membership === null) void this.join((this.membership = new AbortController()));
    return promise;
  }

  async disconnect(): Promise<void> {
    this.post({ word: "bye", tab: this.tab });
    const { leader } = this;
    this.leave();
    this.book.clear();
    this.asks.refuse(new NotConnectedError("disconnected", "Disconnect was called"));
    this.changed({ state: "Disconnected" });
    this.waiter?.resolve(false);
    this.waiter = null;
    await leader?.stop();
  }

  async subscribe(items: readonly (SubscriptionItem | null)[], signal?: AbortSignal): Promise<SubscriptionResult[]> {
    return (await this.ask({ do: "subscribe", items }, signal)) as SubscriptionResult[];
  }

  async unsubscribe(items: readonly (PairItem | null)[], signal?: AbortSignal): Promise<SubscriptionResult[]> {
    return (await this.ask({ do: "unsubscribe", items }, signal)) as SubscriptionResult[];
  }

  async unsubscribeAll(signal?: AbortSignal): Promise<true> {
    return (await this.ask({ do: "unsubscribeAll" }, signal)) as true;
  }

  async active(): Promise<ActiveSubscription[]> {
    if (this.current === "Disconnected") throw new NotConnectedError("notConnected", "There is no connection: call Connect first");
    return this.book.active();
  }

  async available(signal?: AbortSignal): Promise<string[]> {
    return (await this.ask({ do: "available" }, signal)) as string[];
  }

  async explain(items: readonly (PairItem | null)[], signal?: AbortSignal): Promise<Explanation[]> {
    return (await this.ask({ do: "explain", items }, signal)) as Explanation[];
  }

  /** Breaks the connection off, as the network would, if this tab has it. */
  cut(why: string): void {
    this.leader?.cut(why);
  }

  /** Joins the tabs of the same user, and waits for the lead. */
  private async join(membership: AbortController): Promise<void> {
    const { signal } = membership;
    this.changed({ state: "Connecting" });
    let who: string | null;
    try {
      who = await whoAmI(this.o, signal, (error, retryIn) => this.changed({ state: "Connecting", error, retryIn }));
    } catch (error) {
      return this.over(error as DAError);
    }
    if (who === null || signal.aborted) return;
    const { settings, url } = this.o;
    this.group = `da-client-lib ${url} ${typeof settings.share === "string" ? settings.share : ""} ${who}`;
    const channel = new BroadcastChannel(this.group);
    this.channel = channel;
    channel.onmessage = (event: MessageEvent<Word>) => {
      if (this.channel === channel) this.hear(event.data);
    };
    // Held as long as this tab lives: how the others see that it does.
    await new Promise<void>((held) => {
      void navigator.locks.request(this.tabLock(this.tab), { signal }, () => (held(), until(signal))).catch(() => held());
    });
    if (signal.aborted) return;
    const { window } = globalThis as { window?: Window };
    window?.addEventListener("pagehide", () => this.post({ word: "bye", tab: this.tab }), { signal });
    this.post({ word: "hello", tab: this.tab });
    try {
      await navigator.locks.request(`${this.group} lead`, { signal }, () => this.lead(membership));
    } catch (error) {
      if (!signal.aborted) this.over(error instanceof DAError ? error : new NotConnectedError("notConnected", textOf(error)));
    }
  }

  /** This tab leads, until it leaves or the hub refuses. */
  private async lead(membership: AbortController): Promise<void> {
    if (membership.signal.aborted) return;
    const leader = new Leader({
      id: crypto.randomUUID(),
      tab: this.tab,
      hub: this.o,
      book: this.book,
      say: (word) => {
        if (this.leader !== leader) return;
        this.post(word);
        this.hear(word); // channels do not carry to their own end
      },
      tabs: async () => {
        const { held } = await navigator.locks.query();
        const prefix = this.tabLock("");
        return (held ?? []).flatMap(({ name }) => (name?.startsWith(prefix) ? [name.slice(prefix.length)] : []));
      },
      whenGone: (tab, call) => void navigator.locks.request(this.tabLock(tab), { signal: membership.signal }, call).catch(() => {}),
    });
    this.leader = leader;
    await leader.lead();
    await until(membership.signal);
  }

  private tabLock(tab: string): string {
    return `${this.group} tab ${tab}`;
  }

  private post(word: Word): void {
    this.channel?.postMessage(word);
  }

  /** Takes in what was said. Leaders before the present one are not believed any more. */
  private hear(word: Word): void {
    this.leader?.hear(word);
    switch (word.word) {
      case "hello":
      case "bye":
      case "here":
      case "ask":
        return; // for leaders
      case "lead":
        if (this.leader === null) this.post({ word: "here", leader: word.leader, tab: this.tab, heard: this.book.heard() });
        return;
      case "from":
        this.leaderId = word.leader;
        return this.resume(new Map(word.places));
      case "welcome":
        if (word.tab !== this.tab || this.leaderId !== "") return;
        this.leaderId = word.leader;
        this.asks.flow();
        return this.told(word.change);
      default:
        if (word.leader === this.leaderId) this.heed(word);
    }
  }

  /** Takes in what the present leader says. */
  private heed(word: Extract<Word, { word: "answer" | "refuse" | "push" | "place" | "state" | "notice" }>): void {
    const { listener } = this.o;
    switch (word.word) {
      case "push":
        if (word.only !== undefined && word.only !== this.tab) return;
        if (this.book.take(word.push, word.only !== undefined)) listener.message(word.push);
        return;
      case "place":
        return this.book.move(word.key, word.cursor);
      case "state":
        return this.told(word.change);
      case "notice": {
        const { subscription } = word.notice;
        const key = subscription && keyOf(subscription.entityId, subscription.eventName);
        if (key !== undefined && !this.book.has(key)) return;
        if (key !== undefined && word.notice.kind === "subscriptionRemoved") this.book.drop(key);
        return listener.notice(word.notice);
      }
      case "answer":
      case "refuse":
        if (word.tab === this.tab) this.asks.answered(word);
        return;
    }
  }

  private ask(deed: Deed, signal?: AbortSignal): Promise<unknown> {
    if (this.current !== "Disconnected") return this.asks.ask(deed, signal);
    return Promise.reject(new NotConnectedError("notConnected", "There is no connection: call Connect first"));
  }

  private send(id: number, deed: Deed): void {
    if (this.leaderId === "") return; // it is sent when somebody leads
    const word: Word = { word: "ask", leader: this.leaderId, tab: this.tab, id, deed };
    if (this.leader !== null) this.leader.hear(word);
    else this.post(word);
  }

  /** A new leader goes on from these places. */
  private resume(places: ReadonlyMap<string, string | null>): void {
    const { unknown, missed } = this.book.resume(places);
    const at = new Date(this.o.world.now()).toISOString();
    const reason = "events may have been missed while the connection changed hands";
    for (const subscription of missed) this.o.listener.notice({ kind: "missed", at, subscription, reason });
    if (unknown.length > 0) void this.rejoin(unknown.map(({ item, cursor, owed }) => ({ ...item, After: cursor, ...(owed ? { Snapshot: true } : {}) })));
    this.asks.flow();
  }

  /** Asks for pairs again that the new leader does not know of. */
  private async rejoin(items: SubscriptionItem[]): Promise<void> {
    let results: SubscriptionResult[];
    try {
      results = await this.subscribe(items);
    } catch {
      return; // it was disconnected
    }
    const at = new Date(this.o.world.now()).toISOString();
    results.forEach((result, i) => {
      const item = items[i]!;
      const subscription = { entityId: result.entityId ?? item.EntityId, eventName: result.eventName ?? item.EventName };
      if (!result.subscribed) {
        this.book.drop(keyOf(item.EntityId, item.EventName));
        this.o.listener.notice({ kind: "subscriptionRemoved", at, subscription, reason: result.message ?? "" });
      } else if (result.recovered !== true) {
        this.o.listener.notice({ kind: "missed", at, subscription, reason: "events may have been missed while the connection changed hands" });
      }
    });
  }

  private told({ state, error, retryIn, recovered }: PlainChange): void {
    if (this.membership === null) return;
    if (state === "Disconnected") {
      // The leader has left, and another will lead; or the hub has refused.
      if (error !== undefined) this.over(errorOf(error));
      return;
    }
    this.changed({
      // Where there was a connection, a new leader's first one is one more.
      state: state === "Connecting" && this.current !== "Disconnected" && this.current !== "Connecting" ? "Reconnecting" : state,
      ...(error === undefined ? {} : { error: errorOf(error) }),
      ...(retryIn === undefined ? {} : { retryIn }),
      ...(recovered === undefined ? {} : { recovered }),
    });
    if (state !== "Connected") return;
    this.waiter?.resolve(true);
    this.waiter = null;
  }

  /** The hub's last word. What was subscribed is kept for a later connect. */
  private over(error: DAError): void {
    this.leave();
    this.changed({ state: "Disconnected", error });
    this.asks.refuse(error);
    this.waiter?.reject(error);
    this.waiter = null;
  }

  private leave(): void {
    this.membership?.abort();
    this.membership = null;
    this.channel?.close();
    this.channel = null;
    this.leader = null;
    this.leaderId = "";
  }

  private changed(change: { state: ConnectionState; error?: DAError; retryIn?: number; recovered?: boolean }): void {
    const previous = this.current;
    if (change.state === previous && change.retryIn === undefined) return;
    this.current = change.state;
    this.o.listener.state({ ...change, previous });
  }
}

/** Resolves when a signal is raised. */
function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
