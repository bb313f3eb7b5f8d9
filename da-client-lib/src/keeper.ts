import { BadUrlError, ClosedError, DAError, ForbiddenError, NotConnectedError, UnauthorizedError } from "./errors.js";
import { Link, LinkLost, type Ending } from "./link.js";
import { expired, type Token } from "./token.js";
import type { ConnectionState, ConnectionStateChange, Options } from "./types.js";
import { hubUrl } from "./url.js";
import { onWake } from "./wake.js";

/** A connection that lived so long counts as a good one: the next pause is short again. */
const good = 5_000;
/** How long a connection that may be dead has to answer. */
const answerTime = 5_000;

/** What the keeper needs of the service. */
export interface Tenant {
  /** A new link stands: puts everything in force on it. */
  settle(link: Link): Promise<void>;
  push(message: unknown): void;
  notice(notice: unknown): void;
  changed(change: ConnectionStateChange): void;
}

interface Waiter {
  resolve(link: Link): void;
  reject(error: Error): void;
}

/** The pause before a try: full jitter, so that a thousand clients do not come back in one moment. */
export function pause(tries: number, { base = 1_000, cap = 30_000 }: { base?: number; cap?: number } = {}, random = Math.random): number {
  return random() * Math.min(cap, base * 2 ** Math.min(tries, 20));
}

/** Keeps one connection for as long as it is wanted, however often it breaks. */
export class Keeper {
  state: ConnectionState = "disconnected";
  #link: Link | undefined;
  #waiting = new Set<Waiter>();
  #stop: AbortController | undefined;
  #hurry: (() => void) | undefined;
  #refusal: Error | undefined;

  constructor(
    private readonly address: string,
    private readonly token: Token,
    private readonly options: Options,
    private readonly tenant: Tenant,
  ) {}

  /** Begins to keep a connection; nothing more if that is done already. */
  start(): void {
    if (this.#stop) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#refusal = undefined;
    this.#change("connecting");
    void this.#run(stop.signal);
  }

  /** The link that all is in force on, as soon as there is one. */
  live(): Promise<Link> {
    if (this.#link) return Promise.resolve(this.#link);
    if (!this.#stop) return Promise.reject(this.#refusal ? again(this.#refusal) : new NotConnectedError());
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    const link = this.#link;
    this.#finish(new NotConnectedError("Disconnected."), undefined);
    await link?.leave();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const unwatch = onWake(() => this.#wake());
    try {
      let tries = 0;
      while (!signal.aborted) {
        let problem: Error | undefined;
        try {
          const link = await this.#open(signal);
          const ending = await this.#serve(link, signal);
          if (signal.aborted) return;
          if (!ending.again) return this.#finish(new ClosedError(ending.reason, ending.error), "refused");
          problem = ending.error ?? new LinkLost(ending.reason || "The connection was lost.");
          if (Date.now() - link.openedAt > good) tries = 0;
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof DAError) return this.#finish(error, "refused");
          problem = error instanceof Error ? error : new Error(String(error));
        }
        const wait = pause(tries++, this.options.retry);
        this.#change(this.state === "connecting" ? "connecting" : "reconnecting", problem, wait);
        if (await this.#rest(wait, signal)) tries = 0;
      }
    } finally {
      unwatch();
    }
  }

  /** Opens a link. Throws a DAError when trying again is of no use. */
  async #open(signal: AbortSignal): Promise<Link> {
    const url = hubUrl(this.address);
    for (let fresh = 0; ; fresh++) {
      const token = typeof this.token === "function" ? await this.token() : this.token;
      signal.throwIfAborted();
      const limit = new AbortController();
      const over = () => limit.abort(signal.reason);
      signal.addEventListener("abort", over, { once: true });
      const timer = setTimeout(() => limit.abort(new Error("The hub did not answer in time.")), this.options.connectTimeout ?? 30_000);
      try {
        return await Link.open(url, token, this.options, this.#events(), limit.signal);
      } catch (error) {
        const refusal = this.#refused(error, token);
        // A function may have given a token that it had kept: it is asked once more.
        if (!(refusal instanceof UnauthorizedError) || typeof this.token !== "function" || fresh > 0 || signal.aborted) throw refusal;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", over);
      }
    }
  }

  #events() {
    return {
      push: (message: unknown) => this.tenant.push(message),
      notice: (notice: unknown) => this.tenant.notice(notice),
    };
  }

  /** A DAError where an error is a refusal; other errors come back as they are. The client says a status only in its text. */
  #refused(error: unknown, token: string): unknown {
    if (error instanceof DAError) return error;
    const text = error instanceof Error ? error.message : String(error);
    const status = /status code(?: returned from negotiate)? '(\d{3})'/i.exec(text)?.[1];
    if (status === "401") return expired(token, error) ?? new UnauthorizedError(undefined, error);
    if (status === "403") return new ForbiddenError(error);
    // After a first connection it is a proxy whose servers are being replaced.
    const first = this.state === "connecting";
    if (status === "404" && first && /negotiat/i.test(text)) return new BadUrlError("There is no SignalR hub at this address (404).", error);
    return error;
  }

  /** Has a link from its start to its end. */
  async #serve(link: Link, signal: AbortSignal): Promise<Ending> {
    if (signal.aborted) {
      link.drop();
      return link.ended;
    }
    const drop = () => void link.leave().catch(() => undefined);
    signal.addEventListener("abort", drop, { once: true });
    try {
      await this.tenant.settle(link);
      if (signal.aborted) return await link.ended;
      this.#link = link;
      this.#change("connected");
      for (const w of this.#take()) w.resolve(link);
    } catch (error) {
      if (!(error instanceof LinkLost)) link.drop(error instanceof Error ? error : undefined);
    }
    const ending = await link.ended;
    signal.removeEventListener("abort", drop);
    if (this.#link === link) this.#link = undefined;
    return ending;
  }

  /** Waits; true if it was woken. */
  #rest(ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (woken: boolean) => {
        clearTimeout(timer);
        this.#hurry = undefined;
        signal.removeEventListener("abort", aborted);
        resolve(woken);
      };
      const aborted = () => done(false);
      const timer = setTimeout(() => done(false), ms);
      this.#hurry = () => done(true);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }

  /** The network may be back: a pause ends, and a connection has to show that it is alive. */
  #wake(): void {
    this.#hurry?.();
    const link = this.#link;
    if (!link) return;
    const timer = setTimeout(() => link.drop(new Error("The connection does not answer any more.")), answerTime);
    // Any answer will do, an error as well.
    link.invoke("AvailableSubscriptions").catch(() => undefined).finally(() => clearTimeout(timer));
  }

  #finish(error: Error, why: "refused" | undefined): void {
    if (!this.#stop) return;
    this.#stop.abort(error);
    this.#stop = undefined;
    this.#link = undefined;
    this.#refusal = why && error;
    for (const w of this.#take()) w.reject(error);
    this.#change("disconnected", why && error);
  }

  #take(): Waiter[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }

  #change(state: ConnectionState, error?: Error, retryIn?: number): void {
    const previous = this.state;
    if (state === previous && error === undefined) return;
    this.state = state;
    this.tenant.changed({ state, previous, ...(error && { error }), ...(retryIn !== undefined && { retryIn: Math.round(retryIn) }) });
  }
}

/** The refusal that ended the last connection, for a call that comes later. */
function again(refusal: Error): NotConnectedError {
  return new NotConnectedError(`Not connected: ${refusal.message}`, refusal);
}
