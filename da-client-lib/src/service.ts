import { listOf, parts, within } from "./calls.js";
import { NotConnectedError, RejectedError } from "./errors.js";
import { Keeper, pause, type Tenant } from "./keeper.js";
import { LinkLost, type Link } from "./link.js";
import { Signal, type Listenable } from "./signal.js";
import { stream, type MessagesOptions } from "./stream.js";
import { Subscriptions, type HubItem } from "./subscriptions.js";
import type { Token } from "./token.js";
import type {
  ActiveSubscription, ConnectionState, ConnectionStateChange, Explanation, Message, Notice, Options, SubscriptionItem, SubscriptionResult,
} from "./types.js";

/** What a single call may be given. */
export interface CallOptions {
  /** Ends the waiting for the answer; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * One connection to RTE that stays: when it breaks it is made again, without
 * end, and the subscriptions go on where they were, so that handlers see each
 * event once and in order within its pair.
 */
export class DAService {
  readonly #changes = new Signal<ConnectionStateChange>();
  readonly #messages = new Signal<Message>();
  readonly #notices = new Signal<Notice>();
  readonly #pairs: Subscriptions;
  readonly #keeper: Keeper;
  readonly #options: Options;
  #turn: Promise<unknown> = Promise.resolve();
  #ready!: Promise<void>;
  #waits = false; // the promise ready is open
  #readiness!: { resolve(): void; reject(error: Error): void };

  /** The events of all pairs that are subscribed. */
  readonly OnSubscriptionDataChanged: Listenable<Message> = this.#messages;
  /** How the connection is, whenever that changes. */
  readonly OnConnectionStateChanged: Listenable<ConnectionStateChange> = this.#changes;
  /** What the app should know of its connection, above all that events were missed. */
  readonly OnNotice: Listenable<Notice> = this.#notices;

  /**
   * rteUrl is the hub's address as the REST API gives it; jwt the token, or a
   * function that gives one, which is called for each connection that is made.
   * Nothing happens before Connect.
   */
  constructor(rteUrl: string, jwt: Token, options: Options = {}) {
    this.#options = options;
    this.#pairs = new Subscriptions(options.snapshot === true);
    const tenant: Tenant = {
      settle: (link) => this.#settle(link),
      push: (message) => this.#push(message),
      notice: (notice) => this.#notice(notice),
      changed: (change) => this.#changed(change),
    };
    this.#keeper = new Keeper(rteUrl, jwt, options, tenant);
    this.#renew();
    options.signal?.addEventListener("abort", () => void this.Disconnect(), { once: true });
  }

  /** How the connection is now. */
  get state(): ConnectionState {
    return this.#keeper.state;
  }

  /** Resolves when there is a connection, the first or one after Disconnect; rejects when the hub refuses. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /**
   * Connects. True when connected, however long that takes: a hub that is away
   * is tried again without end. Rejects with a DAError when trying is of no use
   * (UnauthorizedError, TokenExpiredError, ForbiddenError, BadUrlError, ClosedError),
   * and after Disconnect.
   */
  async Connect(options: CallOptions = {}): Promise<boolean> {
    this.#options.signal?.throwIfAborted();
    this.#keeper.start();
    await within(this.#keeper.live(), options.signal);
    return true;
  }

  /** Ends the connection and forgets the subscriptions. Connect may be called again. */
  async Disconnect(): Promise<void> {
    this.#pairs.clear();
    await this.#keeper.stop();
  }

  /**
   * Subscribes, and answers what the hub says of each item. While the connection
   * is being made again this waits for it. Pairs that are subscribed already stay.
   */
  Subscribe(subscriptions: readonly SubscriptionItem[], options?: CallOptions): Promise<SubscriptionResult[]>;
  /** The same for events that an installation has added to the catalogue. */
  Subscribe<N extends string>(subscriptions: readonly SubscriptionItem<N>[], options?: CallOptions): Promise<SubscriptionResult[]>;
  Subscribe(subscriptions: readonly SubscriptionItem<string>[], options: CallOptions = {}): Promise<SubscriptionResult[]> {
    const list = listOf(subscriptions, "Subscribe");
    return this.#inTurn(options, async (link) => {
      const results: SubscriptionResult[] = [];
      for (const some of parts(list)) {
        try {
          const answer = await link.invoke("Subscribe", this.#pairs.ask(some));
          results.push(...this.#pairs.answered(some, answer as SubscriptionResult[]));
        } catch (error) {
          if (!(error instanceof LinkLost)) this.#pairs.forget(some);
          throw error;
        }
      }
      return results;
    });
  }

  /** Leaves pairs, and answers what the hub says of each. */
  Unsubscribe(subscriptions: readonly Pick<SubscriptionItem<string>, "EntityId" | "EventName">[], options: CallOptions = {}): Promise<SubscriptionResult[]> {
    const list = listOf(subscriptions, "Unsubscribe").map((s) => s && { EntityId: s.EntityId, EventName: s.EventName });
    return this.#inTurn(options, async (link) => {
      const results: SubscriptionResult[] = [];
      for (const some of parts(list)) {
        results.push(...((await link.invoke("Unsubscribe", some)) as SubscriptionResult[]));
        for (const s of some) this.#pairs.remove(s?.EntityId, s?.EventName);
      }
      return results;
    });
  }

  /** Leaves all pairs. */
  UnsubscribeAll(options: CallOptions = {}): Promise<true> {
    return this.#inTurn(options, async (link) => {
      await link.invoke("UnsubscribeAll");
      this.#pairs.clear();
      return true as const;
    });
  }

  /** The pairs that the hub has for this connection. */
  GetActiveSubscriptions(options: CallOptions = {}): Promise<ActiveSubscription[]> {
    return this.#inTurn(options, async (link) => (await link.invoke("GetActiveSubscriptions")) as ActiveSubscription[]);
  }

  /** The names of all events, as the catalogue spells them. */
  GetAvailableSubscriptionEvents(options: CallOptions = {}): Promise<string[]> {
    return this.#inTurn(options, async (link) => (await link.invoke("AvailableSubscriptions")) as string[]);
  }

  /** Why this connection does or does not hear each pair. */
  Explain(subscriptions: readonly Pick<SubscriptionItem<string>, "EntityId" | "EventName">[], options: CallOptions = {}): Promise<Explanation[]> {
    const list = listOf(subscriptions, "Explain");
    return this.#inTurn(options, async (link) => {
      const all: Explanation[] = [];
      for (const some of parts(list)) all.push(...((await link.invoke("Explain", some)) as Explanation[]));
      return all;
    });
  }

  /** Messages for a loop, from the first next() on. It ends with Disconnect, and throws what the hub refuses with. */
  Messages(options?: MessagesOptions): AsyncGenerator<Message, void, undefined> {
    return stream((push, end) => {
      const changed = ({ state, error }: ConnectionStateChange) => state === "disconnected" && end(error);
      this.#messages.on(push);
      this.#changes.on(changed);
      return () => {
        this.#messages.off(push);
        this.#changes.off(changed);
      };
    }, options);
  }

  [Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    return this.Messages();
  }

  /** Runs a call on the connection that stands, after those before it; one that the connection broke under is run again. */
  #inTurn<T>({ signal }: CallOptions, call: (link: Link) => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      for (;;) {
        signal?.throwIfAborted();
        const link = await this.#keeper.live();
        try {
          return await call(link);
        } catch (error) {
          if (!(error instanceof LinkLost)) throw new RejectedError(error instanceof Error ? error.message : String(error), error);
          // The keeper knows of it when its own await has run.
          await link.ended;
          await Promise.resolve();
        }
      }
    };
    const turn = this.#turn.then(run, run);
    this.#turn = turn.catch(() => undefined);
    return within(turn, signal);
  }

  /** Puts the subscriptions in force on a new link. */
  async #settle(link: Link): Promise<void> {
    // Hubs without notices answer with an error, which is an answer, too.
    if (this.#options.notices !== false) await link.invoke("EnableNotices", true).catch(lostOnly);
    const later = await this.#restore(link, this.#pairs.all());
    if (later.length > 0) void this.#retry(link, later).catch(() => undefined);
  }

  /** Subscribes to pairs as before; returns those that the hub may take later. */
  async #restore(link: Link, items: HubItem[]): Promise<HubItem[]> {
    const later: HubItem[] = [];
    for (const some of parts(items)) {
      for (let tries = 0; ; tries++) {
        try {
          const results = (await link.invoke("Subscribe", some)) as SubscriptionResult[];
          const { missed, removed, later: refused } = this.#pairs.restored(some, results);
          later.push(...refused);
          for (const r of missed) this.#tell("missed", r, "the hub could not give everything that came meanwhile");
          for (const r of removed) this.#tell("subscriptionRemoved", r, r.message ?? "");
          break;
        } catch (error) {
          if (error instanceof LinkLost) throw error;
          // Too many calls, or the store cannot be read at present.
          await this.#sleep(link, pause(tries + 1, this.#options.retry));
        }
      }
    }
    return later;
  }

  async #retry(link: Link, items: HubItem[]): Promise<void> {
    for (let tries = 2, rest = items; rest.length > 0; tries++) {
      await this.#sleep(link, pause(tries, this.#options.retry));
      rest = await this.#restore(link, rest.filter((i) => this.#pairs.has(i.EntityId, i.EventName)));
    }
  }

  /** Waits; throws when the link ends meanwhile. */
  async #sleep(link: Link, ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const lost = await Promise.race([
      link.ended.then(() => true),
      new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms))),
    ]);
    clearTimeout(timer);
    if (lost) throw new LinkLost("The connection ended.");
  }

  #push(value: unknown): void {
    const message = value as Partial<Message> | null;
    const pair = message?.subscription;
    if (!pair) return;
    if (this.#pairs.came(pair.entityId, pair.eventName, message.cursor)) this.#messages.emit(message as Message);
  }

  #notice(value: unknown): void {
    const notice = value as Partial<Notice> | null;
    if (typeof notice?.kind !== "string") return;
    if (notice.kind === "subscriptionRemoved" && notice.subscription) this.#pairs.remove(notice.subscription.entityId, notice.subscription.eventName);
    this.#notices.emit(notice as Notice);
  }

  #tell(kind: "missed" | "subscriptionRemoved", r: SubscriptionResult, reason: string): void {
    this.#notices.emit({ kind, at: new Date().toISOString(), subscription: { entityId: r.entityId ?? "", eventName: r.eventName ?? "" }, reason });
  }

  #changed(change: ConnectionStateChange): void {
    if (change.state === "connected") this.#readiness.resolve();
    if (change.state === "disconnected") this.#readiness.reject(change.error ?? new NotConnectedError("Disconnected."));
    if (change.state === "connecting" && change.previous === "disconnected") this.#renew();
    this.#changes.emit(change);
  }

  /** Makes the promise ready anew, unless the old one still waits. */
  #renew(): void {
    if (this.#waits) return;
    this.#waits = true;
    this.#ready = new Promise((resolve, reject) => {
      this.#readiness = {
        resolve: () => ((this.#waits = false), resolve()),
        reject: (error) => ((this.#waits = false), reject(error)),
      };
    });
    // Nobody has to look at it.
    this.#ready.catch(() => undefined);
  }
}

function lostOnly(error: unknown): void {
  if (error instanceof LinkLost) throw error;
}
