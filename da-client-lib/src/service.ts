import { addressOf } from "./address.ts";
import { Deferred } from "./deferred.ts";
import { Emitter, type EventSource } from "./emitter.ts";
import { AbortedError, type AddressError, InvalidArgumentError } from "./errors.ts";
import { isEvent, type AnyPush, type EventName, type Push } from "./events.gen.ts";
import { OwnHub, type Hub } from "./hub.ts";
import type { DAServiceOptions, Log } from "./options.ts";
import type { ActiveSubscription, Explanation, Message, PairItem, SubscriptionItem, SubscriptionResult } from "./pair.ts";
import type { ConnectionState, ConnectionStateChange, Notice } from "./state.ts";
import { Stream } from "./stream.ts";
import { SharedHub } from "./tabs/shared.ts";
import { canShare } from "./tabs/who.ts";
import type { TokenSource } from "./token.ts";
import { realWorld } from "./world.ts";

/** What every call can be told. */
export interface CallOptions {
  /** Rejects the promise with AbortedError; what the hub was asked meanwhile may still be done. */
  signal?: AbortSignal;
}

/** Where messages come from: as EventSource, and with handlers for one event. */
export interface MessageSource extends EventSource<Message> {
  on(handler: (message: Message) => void): void;
  /** Calls the handler for messages of one event only; data has that event's type. */
  on<N extends EventName>(eventName: N, handler: (message: Push<N>) => void): void;
  off(handler: (message: Message) => void): void;
  off<N extends EventName>(eventName: N, handler: (message: Push<N>) => void): void;
}

/**
 * The events of a contact centre, as they happen.
 *
 * Connect connects, and the service stays connected until Disconnect or until
 * the hub refuses for good. Connections come and go meanwhile: the handlers of
 * OnSubscriptionDataChanged get every event of every subscription exactly once
 * and in order, as far as the hub's memory reaches; where it does not, a notice
 * `missed` says which data is to be read anew.
 *
 * Register handlers before Subscribe: the first events may come before its
 * promise tells.
 */
export class DAService {
  private readonly hub: Hub;
  private readonly address: string | AddressError;
  private readonly tokens: { source: TokenSource };
  private readonly messages: Emitter<Message>;
  private readonly states: Emitter<ConnectionStateChange>;
  private readonly notices: Emitter<Notice>;
  private readonly streams = new Set<Stream<Message>>();
  private readonly narrowed = new Map<unknown, Map<string, (message: Message) => void>>();
  private waiting: Deferred<void> | null = null;

  /** Messages of the subscriptions: handlers get `{subscription, data, cursor, time}`. */
  readonly OnSubscriptionDataChanged: MessageSource;
  /** The connection's state, whenever it changes, and each time a try has failed. */
  readonly OnConnectionStateChanged: EventSource<ConnectionStateChange>;
  /** Notices, such as that events may have been missed. */
  readonly OnNotice: EventSource<Notice>;

  /**
   * Does nothing yet: Connect connects.
   *
   * @param rteUrl - The hub's address, as the REST API gives it; without a scheme it is
   * `https`, in a browser the scheme of the page.
   * @param jwt - The token, or better a function that gets one: it is called for each
   * connection, and tokens expire.
   * @throws InvalidArgumentError
   */
  constructor(rteUrl: string, jwt: TokenSource, options: DAServiceOptions = {}) {
    if (typeof jwt !== "string" && typeof jwt !== "function") throw new InvalidArgumentError("jwt is to be a string or a function that gives one");
    const log = logOf(options.log);
    const failed = (error: unknown): void => log("error", `a handler failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    this.tokens = { source: jwt };
    this.messages = new Emitter(failed);
    this.states = new Emitter(failed);
    this.notices = new Emitter(failed);
    this.OnSubscriptionDataChanged = this.messageSource();
    this.OnConnectionStateChanged = { on: this.states.on, off: this.states.off };
    this.OnNotice = { on: this.notices.on, off: this.notices.off };
    this.address = addressOf(rteUrl);
    const hubOptions = {
      url: typeof this.address === "string" ? this.address : "",
      tokens: this.tokens,
      settings: options,
      world: realWorld(),
      log,
      listener: {
        message: (push: AnyPush) => this.take(push as Message),
        state: (change: ConnectionStateChange) => this.changed(change),
        notice: (notice: Notice) => this.notices.emit(notice),
      },
    };
    const share = (options.share ?? false) !== false && canShare();
    this.hub = share ? new SharedHub(hubOptions) : new OwnHub(hubOptions);
    const { signal } = options;
    if (signal?.aborted) queueMicrotask(() => void this.Disconnect());
    else signal?.addEventListener("abort", () => void this.Disconnect(), { once: true });
  }

  /** Where the connection stands. */
  get State(): ConnectionState {
    return this.hub.state;
  }

  /**
   * Resolves as soon as the service is connected and has its subscriptions; at
   * once when it is. Rejects when the hub refuses for good.
   */
  get ready(): Promise<void> {
    if (this.hub.state === "Connected") return Promise.resolve();
    return (this.waiting ??= new Deferred()).promise;
  }

  /**
   * Connects, and tries again and again while the hub cannot be reached.
   * Resolves with true when connected, with false when Disconnect came first.
   *
   * @throws UnauthorizedError (401, 403), TokenExpiredError, AddressError,
   * ClosedError: the hub has refused, and another try would change nothing.
   * After it, Connect goes on with the subscriptions that there were.
   */
  Connect(options: CallOptions = {}): Promise<boolean> {
    if (typeof this.address !== "string") {
      this.changed({ state: "Disconnected", previous: "Disconnected", error: this.address });
      return Promise.reject(this.address);
    }
    return orAborted(this.hub.connect(), options.signal);
  }

  /** Ends the connection and all subscriptions. Calls that wait reject with NotConnectedError. */
  async Disconnect(): Promise<void> {
    await this.hub.disconnect();
    for (const stream of [...this.streams]) stream.end();
  }

  /** The token, or the function that gets one, for the next connection. */
  SetToken(jwt: TokenSource): void {
    this.tokens.source = jwt;
  }

  /**
   * Subscribes to events. Waits while the connection is being made; the results
   * are in the order of the items, whether the hub accepts them or not.
   *
   * @throws NotConnectedError, HubError, AbortedError
   */
  async Subscribe(subscriptions: readonly SubscriptionItem[], options: CallOptions = {}): Promise<SubscriptionResult[]> {
    return this.hub.subscribe(listed(subscriptions), options.signal);
  }

  /** Ends subscriptions; after the promise has resolved none of their events comes. */
  async Unsubscribe(subscriptions: readonly PairItem[], options: CallOptions = {}): Promise<SubscriptionResult[]> {
    return this.hub.unsubscribe(listed(subscriptions), options.signal);
  }

  /** Ends all subscriptions. */
  async UnsubscribeAll(options: CallOptions = {}): Promise<true> {
    return this.hub.unsubscribeAll(options.signal);
  }

  /** The subscriptions that there are. */
  async GetActiveSubscriptions(options: CallOptions = {}): Promise<ActiveSubscription[]> {
    return this.hub.active(options.signal);
  }

  /** The names of all events that the hub knows. */
  async GetAvailableSubscriptionEvents(options: CallOptions = {}): Promise<string[]> {
    return this.hub.available(options.signal);
  }

  /** Says why pairs are heard, or are not. @throws HubError with code `unsupported` if the hub cannot say. */
  async Explain(subscriptions: readonly PairItem[], options: CallOptions = {}): Promise<Explanation[]> {
    return this.hub.explain(listed(subscriptions), options.signal);
  }

  /**
   * All messages from now on, for `for await`. They wait until they are taken;
   * leaving the loop, Disconnect or the signal ends it.
   */
  Messages(options: CallOptions = {}): AsyncIterableIterator<Message> {
    const stream = new Stream<Message>((s) => this.streams.delete(s), options.signal);
    if (!options.signal?.aborted) this.streams.add(stream);
    return stream;
  }

  /** All messages from now on. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.Messages();
  }

  private take(message: Message): void {
    this.messages.emit(message);
    for (const stream of this.streams) stream.push(message);
  }

  private changed(change: ConnectionStateChange): void {
    const { waiting } = this;
    if (change.state === "Connected") {
      waiting?.resolve();
      this.waiting = null;
    } else if (change.state === "Disconnected" && change.error !== undefined) {
      waiting?.reject(change.error);
      this.waiting = null;
    }
    this.states.emit(change);
  }

  private messageSource(): MessageSource {
    type Handler = (message: never) => void;
    const narrow = (eventName: string, handler: Handler): ((message: Message) => void) => {
      const name = eventName.toLowerCase();
      const known = this.narrowed.get(handler) ?? new Map<string, (message: Message) => void>();
      this.narrowed.set(handler, known);
      const call = known.get(name) ?? ((message) => void (isEvent(message, name as EventName) && handler(message as never)));
      known.set(name, call);
      return call;
    };
    const source = {
      on: (first: string | Handler, second?: Handler) =>
        this.messages.on(typeof first === "string" ? narrow(first, handlerOf(second)) : (handlerOf(first) as (message: Message) => void)),
      off: (first: string | Handler, second?: Handler) =>
        this.messages.off(typeof first === "string" ? narrow(first, handlerOf(second)) : (first as (message: Message) => void)),
    };
    return source as MessageSource;
  }
}

function handlerOf<H>(handler: H | undefined): H {
  if (typeof handler !== "function") throw new InvalidArgumentError("a handler is to be a function");
  return handler;
}

function listed<T>(items: readonly T[]): readonly T[] {
  if (!Array.isArray(items)) throw new InvalidArgumentError("subscriptions are to be a list of {EntityId, EventName}");
  return [...items];
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new AbortedError({ cause: signal.reason }));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function logOf(log: Log | undefined): Log {
  return log ?? ((level, text) => void (level === "error" && console.error(`DAClientLib: ${text}`)));
}
