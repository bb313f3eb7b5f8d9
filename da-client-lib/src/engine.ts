import { backoff, type Delays } from "./backoff.ts";
import { Calls, type Call } from "./calls.ts";
import { Deferred } from "./deferred.ts";
import { DAError, NotConnectedError, textOf, UnauthorizedError, UnreachableError } from "./errors.ts";
import type { AnyPush } from "./events.gen.ts";
import { isRefusal, type Ending, type Link, type LinkListener } from "./link.ts";
import type { Ledger } from "./ledger.ts";
import { Restorer } from "./restorer.ts";
import { noticeOf, type ConnectionState, type ConnectionStateChange, type Notice } from "./state.ts";
import { getToken, type TokenSource } from "./token.ts";
import type { Nudge, World } from "./world.ts";

/** Who is told what comes of a connection. */
export interface EngineListener {
  message(push: AnyPush): void;
  state(change: ConnectionStateChange): void;
  notice(notice: Notice): void;
}

/** What an engine needs. */
export interface EngineOptions {
  /** Where tokens come from; it may be exchanged. */
  tokens: { source: TokenSource };
  delays: Delays;
  notices: boolean;
  world: World;
  ledger: Ledger;
  listener: EngineListener;
  makeLink(token: string, another: () => Promise<string>, listener: LinkListener): Link;
}

/** Bounds, in milliseconds. */
const openWithin = 20_000;
const answerWithin = 5000;
const stableAfter = 5000;
const impatientAfter = 2000;

/**
 * Keeps one connection to the hub, from connect to disconnect or until the hub
 * refuses for good: connects, notices that it is gone, connects again, asks for
 * the subscriptions again from where they were, and makes the calls that were
 * not answered.
 */
export class Engine {
  private current: ConnectionState = "Disconnected";
  private readonly calls = new Calls();
  private waiter: Deferred<boolean> | null = null;
  /** Grows with each connect and disconnect: work of an earlier run ends. */
  private run = 0;
  private link: Link | null = null;
  private restorer: Restorer | null = null;
  private attemptSince = 0;
  /** There is a token for the present try. */
  private given = false;
  private wakeUp: (() => void) | null = null;
  private hurry = false;
  private probing = false;
  private unwatch: (() => void) | null = null;

  constructor(private readonly o: EngineOptions) {}

  get state(): ConnectionState {
    return this.current;
  }

  /** Resolves with true when connected, with false when disconnect came first; rejects with the hub's refusal. */
  connect(): Promise<boolean> {
    if (this.waiter !== null) return this.waiter.promise;
    if (this.current === "Connected") return Promise.resolve(true);
    const { promise } = (this.waiter = new Deferred());
    if (this.current === "Disconnected") void this.keep(++this.run);
    return promise;
  }

  /** Ends the connection, the calls and the subscriptions. */
  async disconnect(): Promise<void> {
    this.run++;
    const { link } = this;
    this.rest();
    this.calls.fail(new NotConnectedError("disconnected", "Disconnect was called"));
    this.o.ledger.clear();
    this.change({ state: "Disconnected" });
    this.waiter?.resolve(false);
    this.waiter = null;
    await link?.stop().catch(() => {});
  }

  /** Makes a call, now or as soon as there is a connection. Rejects if none is being made. */
  call(call: Call, signal?: AbortSignal): Promise<unknown> {
    if (this.current !== "Disconnected") return this.calls.make(call, signal);
    call.dropped?.();
    return Promise.reject(new NotConnectedError("notConnected", "There is no connection: call Connect first"));
  }

  /** Gives the present connection up, as if the network had. */
  cut(why: string): void {
    this.link?.cut(why);
  }

  /** The run from the first try to the end. */
  private async keep(run: number): Promise<void> {
    const { world, delays } = this.o;
    this.unwatch = world.watch((nudge) => this.nudged(nudge));
    this.change({ state: "Connecting" });
    let first = true;
    let refusals = 0;
    for (let tries = 0; ; tries++) {
      let ended: Ending;
      let pause = 0;
      try {
        ended = await this.attempt(run, () => {
          first = false;
          refusals = 0;
        });
        if (run !== this.run) return;
        if (ended.final) return this.over(ended.error);
        if (world.now() - this.attemptSince > stableAfter) tries = 0;
      } catch (error) {
        if (run !== this.run) return;
        const problem = error instanceof DAError ? error : new UnreachableError(textOf(error), { cause: error });
        ended = { error: problem, final: false };
        if (problem instanceof UnauthorizedError) {
          if (++refusals > 1 || !this.mayGiveAnother()) return this.over(problem);
          this.hurry = true;
        } else if (first && isRefusal(problem)) return this.over(problem);
        pause = this.link?.retryAfter ?? 0;
      }
      this.link = null;
      const retryIn = this.hurry ? world.random() * Math.min(250, delays.first) : pause + backoff(tries, delays, () => world.random());
      if (this.hurry) tries = 0;
      this.hurry = false;
      this.change({ state: first ? "Connecting" : "Reconnecting", error: ended.error, retryIn });
      await this.sleep(retryIn);
      if (run !== this.run) return;
    }
  }

  /** A refused token came from a function, which may have kept it too long: it is asked once more. */
  private mayGiveAnother(): boolean {
    return this.given && typeof this.o.tokens.source === "function";
  }

  /** One connection, from its token to its end. Throws if it never stood. */
  private async attempt(run: number, stands: () => void): Promise<Ending> {
    const { world, ledger } = this.o;
    this.attemptSince = world.now();
    this.given = false;
    const token = await this.within(openWithin, getToken(this.o.tokens.source), "The token function has not answered");
    this.given = true;
    if (run !== this.run) throw new UnreachableError("The connection is not wanted any more");
    let end!: (ending: Ending) => void;
    const ended = new Promise<Ending>((resolve) => (end = resolve));
    const link = this.o.makeLink(token, () => getToken(this.o.tokens.source), {
      push: (push) => {
        if (this.link === link && ledger.take(push)) this.o.listener.message(push);
      },
      notice: (argument) => {
        if (this.link === link) this.noticed(argument);
      },
      ended: (ending) => {
        if (this.link === link) this.calls.hold();
        end(ending);
      },
    });
    this.link = link;
    ledger.begin();
    await this.within(openWithin, link.open(), "The hub has not answered", () => link.cut("too slow"));
    if (run !== this.run) {
      void link.stop().catch(() => {});
      throw new UnreachableError("The connection is not wanted any more");
    }
    this.attemptSince = world.now();
    const restorer = new Restorer(link, ledger, world, (notice) => this.o.listener.notice(notice));
    this.restorer = restorer;
    if (this.o.notices) void link.invoke("EnableNotices", true).catch(() => {}); // hubs that have none say so
    const restored = restorer.restore();
    this.calls.flow(link);
    void restored.then((recovered) => {
      if (this.link !== link || run !== this.run || recovered === null) return;
      stands();
      this.change({ state: "Connected", recovered });
      this.waiter?.resolve(true);
      this.waiter = null;
    });
    const ending = await ended;
    restorer.stop();
    return ending;
  }

  /** A promise that is given up after so many milliseconds. */
  private within<T>(ms: number, promise: Promise<T>, text: string, late?: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.o.world.after(ms, () => {
        late?.();
        reject(new UnreachableError(text));
      });
      promise.then(resolve, reject).finally(stop);
    });
  }

  private sleep(ms: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const stop = this.o.world.after(ms, resolve);
      this.wakeUp = () => {
        stop();
        resolve();
      };
    }).then(() => void (this.wakeUp = null));
  }

  /** Something has happened after which the network may be there, or gone. */
  private nudged(nudge: Nudge): void {
    if (this.current === "Connected") return void this.probe();
    if (nudge === "offline") return;
    this.hurry = true;
    if (this.wakeUp !== null) {
      this.hurry = false;
      this.wakeUp();
    } else if (this.link !== null && this.o.world.now() - this.attemptSince > impatientAfter) {
      this.link.cut("tried anew"); // it began while the network was gone
    }
  }

  /** Asks the hub for a sign of life. */
  private async probe(): Promise<void> {
    const { link } = this;
    if (link === null || this.probing) return;
    this.probing = true;
    this.hurry = true;
    try {
      await this.within(answerWithin, link.invoke("EnableNotices", this.o.notices), "no answer", () => link.cut("The hub did not answer in time"));
      this.hurry = false;
    } catch (error) {
      if (error instanceof DAError && error.code !== "unreachable") this.hurry = false; // it has answered
    } finally {
      this.probing = false;
    }
  }

  private noticed(argument: unknown): void {
    const notice = noticeOf(argument);
    if (notice === null) return;
    if (notice.kind === "subscriptionRemoved" && notice.subscription) this.o.ledger.removed(notice.subscription);
    this.o.listener.notice(notice);
  }

  /** The hub's last word. The subscriptions are kept: a later connect goes on with them. */
  private over(error: DAError): void {
    this.run++;
    this.rest();
    this.change({ state: "Disconnected", error });
    this.calls.fail(error);
    this.waiter?.reject(error);
    this.waiter = null;
  }

  private rest(): void {
    this.unwatch?.();
    this.unwatch = null;
    this.link = null;
    this.restorer?.stop();
    this.hurry = false;
    this.calls.hold();
    this.wakeUp?.();
  }

  private change(change: Omit<ConnectionStateChange, "previous">): void {
    const previous = this.current;
    if (change.state === previous && change.retryIn === undefined) return;
    this.current = change.state;
    if (change.state === "Reconnecting" && this.waiter === null) this.waiter = new Deferred();
    this.o.listener.state({ ...change, previous });
  }
}
