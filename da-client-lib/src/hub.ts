import type { Call } from "./calls.ts";
import type { EngineListener } from "./engine.ts";
import { Engine } from "./engine.ts";
import { DAError, HubError } from "./errors.ts";
import { Ledger } from "./ledger.ts";
import { SignalRLink, type Link, type LinkListener } from "./link.ts";
import type { DAServiceOptions, Log } from "./options.ts";
import type { ActiveSubscription, Explanation, PairItem, SubscriptionItem, SubscriptionResult } from "./pair.ts";
import { itemsPerCall } from "./restorer.ts";
import type { ConnectionState } from "./state.ts";
import type { TokenSource } from "./token.ts";
import type { World } from "./world.ts";

/** What a DAService is to its hub, with a connection of its own or with one that it shares. */
export interface Hub {
  readonly state: ConnectionState;
  connect(): Promise<boolean>;
  disconnect(): Promise<void>;
  subscribe(items: readonly (SubscriptionItem | null)[], signal?: AbortSignal): Promise<SubscriptionResult[]>;
  unsubscribe(items: readonly (PairItem | null)[], signal?: AbortSignal): Promise<SubscriptionResult[]>;
  unsubscribeAll(signal?: AbortSignal): Promise<true>;
  active(signal?: AbortSignal): Promise<ActiveSubscription[]>;
  available(signal?: AbortSignal): Promise<string[]>;
  explain(items: readonly (PairItem | null)[], signal?: AbortSignal): Promise<Explanation[]>;
}

/** What a hub is reached with. */
export interface HubOptions {
  url: string;
  tokens: { source: TokenSource };
  settings: DAServiceOptions;
  world: World;
  log: Log;
  listener: EngineListener;
  /** Makes connections; default: Microsoft's client. */
  makeLink?(token: string, another: () => Promise<string>, listener: LinkListener): Link;
}

/** The hub by a connection of one's own. */
export class OwnHub implements Hub {
  /** What is subscribed, and how far it has been heard. */
  readonly ledger: Ledger;
  private readonly engine: Engine;
  private readonly snapshot: boolean;
  private calls = 0;

  constructor(o: HubOptions, moved?: (key: string, cursor: string) => void) {
    const { settings } = o;
    this.ledger = new Ledger(moved);
    this.snapshot = settings.snapshot ?? false;
    this.engine = new Engine({
      tokens: o.tokens,
      delays: { first: settings.reconnect?.first ?? 1000, most: settings.reconnect?.most ?? 30_000 },
      notices: settings.notices ?? true,
      world: o.world,
      ledger: this.ledger,
      listener: o.listener,
      makeLink:
        o.makeLink ??
        ((token, another, listener) => new SignalRLink({ url: o.url, token, another, settings, listener, log: o.log, now: () => o.world.now() })),
    });
  }

  get state(): ConnectionState {
    return this.engine.state;
  }

  connect(): Promise<boolean> {
    return this.engine.connect();
  }

  disconnect(): Promise<void> {
    return this.engine.disconnect();
  }

  subscribe(items: readonly (SubscriptionItem | null)[], signal?: AbortSignal): Promise<SubscriptionResult[]> {
    return this.inParts(items, (part) => {
      const call = ++this.calls;
      return {
        method: "Subscribe",
        args: () => [this.ledger.asks(part, call, this.snapshot)],
        answer: (result) => {
          const results = listOf<SubscriptionResult>(result, "Subscribe");
          this.ledger.accepted(part, results, call);
          return results.map((r, i) => asAsked(r, part[i] ?? null));
        },
        dropped: () => this.ledger.withdraw(part, call),
      };
    }, signal); // prettier-ignore
  }

  unsubscribe(items: readonly (PairItem | null)[], signal?: AbortSignal): Promise<SubscriptionResult[]> {
    return this.inParts(items, (part) => {
      const call = ++this.calls;
      return {
        method: "Unsubscribe",
        args: () => [part],
        answer: (result) => {
          const results = listOf<SubscriptionResult>(result, "Unsubscribe");
          this.ledger.unsubscribed(part, call);
          return results;
        },
      };
    }, signal); // prettier-ignore
  }

  async unsubscribeAll(signal?: AbortSignal): Promise<true> {
    const call = ++this.calls;
    const answer = (): true => {
      this.ledger.unsubscribed("all", call);
      return true;
    };
    return (await this.engine.call({ method: "UnsubscribeAll", args: () => [], answer }, signal)) as true;
  }

  async active(signal?: AbortSignal): Promise<ActiveSubscription[]> {
    try {
      return await this.ask("GetActiveSubscriptions", [], signal);
    } catch (error) {
      if (!(error instanceof DAError) || error.code !== "unsupported") throw error;
      return this.ledger.active();
    }
  }

  available(signal?: AbortSignal): Promise<string[]> {
    return this.ask("AvailableSubscriptions", [], signal);
  }

  explain(items: readonly (PairItem | null)[], signal?: AbortSignal): Promise<Explanation[]> {
    return this.inParts(items, (part) => ({ method: "Explain", args: () => [part], answer: (result) => listOf(result, "Explain") }), signal);
  }

  /** Breaks the connection off, as the network would. */
  cut(why: string): void {
    this.engine.cut(why);
  }

  private ask<T>(method: string, args: unknown[], signal?: AbortSignal): Promise<T[]> {
    return this.engine.call({ method, args: () => args, answer: (result) => listOf(result, method) }, signal) as Promise<T[]>;
  }

  /** A call for so many items at once as hubs take; an empty list is a call, too. */
  private async inParts<I, R>(items: readonly I[], make: (part: readonly I[]) => Call, signal?: AbortSignal): Promise<R[]> {
    const parts: Promise<unknown>[] = [];
    for (let i = 0; i === 0 || i < items.length; i += itemsPerCall) {
      parts.push(this.engine.call(make(items.slice(i, i + itemsPerCall)), signal));
    }
    return ((await Promise.all(parts)) as R[][]).flat();
  }
}

function listOf<T>(result: unknown, method: string): T[] {
  if (!Array.isArray(result)) throw new HubError("hub", `The hub's answer to ${method} is no list`);
  return result as T[];
}

/** A result without the members that only this library has asked for. */
function asAsked(result: SubscriptionResult, item: SubscriptionItem | null): SubscriptionResult {
  if (item?.After !== undefined || item?.Snapshot !== undefined) return result;
  const { recovered: _, cursor: __, ...rest } = result;
  return rest;
}
