import { answers, push, type Answer, type Item, type Push } from "./events.ts";

/** What is used of Microsoft's HubConnection. */
export interface Client {
  start(): Promise<void>;
  stop(): Promise<void>;
  invoke(method: string, ...args: unknown[]): Promise<unknown>;
  on(method: string, handler: (message: unknown) => void): void;
  onreconnecting(handler: (error?: Error) => void): void;
  onreconnected(handler: () => void): void;
  onclose(handler: (error?: Error) => void): void;
}

/** What is used of Microsoft's IRetryPolicy. */
export interface RetryPolicy {
  nextRetryDelayInMilliseconds(context: { previousRetryCount: number; retryReason: Error }): number | null;
}

/** Who is told of everything that happens. */
export interface Listener {
  /** A connection stands; what was subscribed before is gone. */
  connected(): void;
  subscribed(answers: Answer[]): void;
  /** Everything is subscribed. */
  live(): void;
  event(p: Push): void;
  /** The connection is lost or could not be made, and is tried again. */
  lost(problem: string): void;
  /** The hub does not accept the token. Nothing is tried again. */
  refused(problem: string): void;
}

/** Time and chance, so that tests need neither. */
export interface World {
  random(): number;
  /** Milliseconds. */
  wait(ms: number): Promise<void>;
}

/** A Subscribe call carries at most so many items; the hub's own limit is 1000. */
const itemsPerCall = 500;

/**
 * The pause before the next try, in milliseconds: full jitter, so that a room
 * full of wallboards does not come back in one moment, doubling from one
 * second to half a minute.
 */
export function backoff(tries: number, random: () => number): number {
  return 200 + random() * Math.min(30_000, 1000 * 2 ** Math.min(tries, 10));
}

/** Keeps one connection to the hub, for as long as the page is open. */
export class Live {
  private readonly client: Client;
  /** Grows with each connection made or lost: work for an earlier one ends. */
  private round = 0;
  private stopped = false;
  private unauthorized: Error | null = null;

  constructor(
    make: (policy: RetryPolicy) => Client,
    private readonly items: readonly Item[],
    private readonly to: Listener,
    private readonly world: World,
  ) {
    this.client = make({
      nextRetryDelayInMilliseconds: ({ previousRetryCount, retryReason }) => {
        if (!isUnauthorized(retryReason)) return backoff(previousRetryCount, () => this.world.random());
        this.unauthorized = retryReason;
        return null;
      },
    });
    this.client.on("MessageReceived", (message) => {
      const p = push(message);
      if (p !== null) this.to.event(p);
    });
    this.client.onreconnecting((error) => {
      this.round++;
      this.to.lost(problemOf(error));
    });
    this.client.onreconnected(() => void this.subscribe());
    this.client.onclose((error) => this.closed(error));
  }

  /** Connects, and tries again until it stands, is refused or is stopped. */
  async connect(tries = 0): Promise<void> {
    const round = ++this.round;
    for (; ; tries++) {
      try {
        await this.client.start();
        break;
      } catch (error) {
        if (this.isOver(round)) return;
        if (isUnauthorized(error)) return this.to.refused(problemOf(error));
        this.to.lost(problemOf(error));
        await this.world.wait(backoff(tries, () => this.world.random()));
        if (this.isOver(round)) return;
      }
    }
    if (this.stopped) return this.client.stop();
    await this.subscribe();
  }

  /** Ends the connection for good. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.client.stop();
  }

  /** Subscribes everything on a connection that is new. */
  private async subscribe(): Promise<void> {
    const round = ++this.round;
    this.to.connected();
    for (let tries = 0; ; tries++) {
      try {
        const all: Answer[] = [];
        for (let i = 0; i < this.items.length; i += itemsPerCall) {
          all.push(...answers(await this.client.invoke("Subscribe", this.items.slice(i, i + itemsPerCall))));
          if (this.isOver(round)) return;
        }
        this.to.subscribed(all);
        return this.to.live();
      } catch (error) {
        // If the connection broke, its own handlers have begun a new round.
        if (this.isOver(round)) return;
        this.to.lost(problemOf(error));
        await this.world.wait(backoff(tries, () => this.world.random()));
        if (this.isOver(round)) return;
      }
    }
  }

  /** The client has given up: the hub closed without leave to come back, or refused the token. */
  private closed(error: Error | undefined): void {
    this.round++;
    if (this.stopped) return;
    if (this.unauthorized !== null) return this.to.refused(problemOf(this.unauthorized));
    this.to.lost(problemOf(error));
    // Not at once: whoever closed it had a reason.
    const round = this.round;
    void this.world.wait(backoff(4, () => this.world.random())).then(() => {
      if (!this.isOver(round)) return this.connect(4);
      return undefined;
    });
  }

  private isOver(round: number): boolean {
    return this.stopped || round !== this.round;
  }
}

/** Microsoft's client says the status only in its text. */
function isUnauthorized(error: unknown): boolean {
  return error instanceof Error && /status code '40[13]'/i.test(error.message);
}

/** An error as a person may read it, without the token that an address could carry. */
function problemOf(error: unknown): string {
  const text = error instanceof Error ? error.message : "";
  return text.replace(/access_token=[^&\s'"]*/g, "access_token=…").slice(0, 300);
}
