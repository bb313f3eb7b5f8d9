import { HubError } from "./errors.ts";
import type { Ledger } from "./ledger.ts";
import type { Link } from "./link.ts";
import type { SubscriptionResult } from "./pair.ts";
import type { Notice } from "./state.ts";
import type { World } from "./world.ts";

/** A Subscribe call carries so many items at most: below 32 KiB, which is all that hubs of ASP.NET Core take. */
export const itemsPerCall = 200;

/** How long to wait before pairs are asked for again that the hub could not give, in milliseconds. */
const againAfter = 1000;

/**
 * How often the places of quiet pairs are asked for anew, in milliseconds, up
 * to half as much again. A store keeps events for minutes; a place that is older
 * could not be gone on from, though nothing was missed.
 */
const refreshEvery = 160_000;

/** Asks for the subscriptions again on a new connection, and keeps their places fresh while it stands. */
export class Restorer {
  private stopTimer: (() => void) | null = null;
  private over = false;

  constructor(
    private readonly link: Link,
    private readonly ledger: Ledger,
    private readonly world: World,
    private readonly tell: (notice: Notice) => void,
  ) {}

  /** Resolves when all pairs are there: with whether nothing was missed, or null if the connection was lost meanwhile. */
  async restore(): Promise<boolean | null> {
    const keys = this.ledger.toRestore();
    const parts: Promise<boolean>[] = [];
    for (let i = 0; i < keys.length; i += itemsPerCall) parts.push(this.part(keys.slice(i, i + itemsPerCall)));
    const recovered = (await Promise.all(parts)).every((whole) => whole);
    if (this.over) return null;
    this.schedule();
    return recovered;
  }

  /** The connection is lost. */
  stop(): void {
    this.over = true;
    this.stopTimer?.();
  }

  /** Asks until the hub answers or the connection ends; for pairs that it has no room for, again later. */
  private async part(wanted: readonly string[]): Promise<boolean> {
    while (!this.over) {
      const { keys, asks } = this.ledger.restoreAsks(wanted);
      if (keys.length === 0) return true;
      try {
        const results = (await this.link.invoke("Subscribe", asks)) as SubscriptionResult[];
        if (this.over) return false;
        const { missed, removed, later } = this.ledger.restored(keys, asks, results);
        const at = new Date(this.world.now()).toISOString();
        for (const subscription of missed) {
          this.tell({ kind: "missed", at, subscription, reason: "events may have been missed while there was no connection" });
        }
        for (const { reason, ...subscription } of removed) this.tell({ kind: "subscriptionRemoved", at, subscription, reason });
        if (later.length > 0) void this.pause(againAfter * (2 + 8 * this.world.random())).then(() => this.part(later));
        return missed.length === 0 && removed.length === 0;
      } catch (error) {
        if (!(error instanceof HubError)) return false; // the connection's end is told elsewhere
        await this.pause(againAfter * (1 + this.world.random()));
      }
    }
    return false;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.world.after(ms, resolve));
  }

  private schedule(): void {
    this.stopTimer = this.world.after(refreshEvery * (1 + this.world.random() / 2), () => void this.refresh());
  }

  private async refresh(): Promise<void> {
    const { keys, asks, versions } = this.ledger.quiet();
    try {
      for (let i = 0; i < keys.length && !this.over; i += itemsPerCall) {
        const end = i + itemsPerCall;
        const results = (await this.link.invoke("Subscribe", asks.slice(i, end))) as SubscriptionResult[];
        if (!this.over) this.ledger.refreshed(keys.slice(i, end), versions.slice(i, end), results);
      }
    } catch {
      // the places stay as old as they are
    }
    if (!this.over) this.schedule();
  }
}
