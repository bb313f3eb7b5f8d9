import { newAgent, readAvailability, readUserStatus, stateOf, type Agent, type State } from "./agent.ts";
import type { Day } from "./day.ts";
import type { Answer, Push, QueueEvent } from "./events.ts";
import { Meter, Skew } from "./meter.ts";
import { longestWait, newQueue, readAttached, readDay, readStatus, type Queue } from "./queue.ts";
import type { Claims } from "./token.ts";

/** How the page and the hub stand to one another. */
export type Connection =
  | { kind: "connecting"; since: number; problem: string }
  | { kind: "live"; since: number }
  | { kind: "reconnecting"; since: number; problem: string }
  | { kind: "refused"; since: number; problem: string };

/** After so many milliseconds without a connection what the board shows is stale. */
export const staleAfter = 15_000;

/** What the header shows: reconnecting turns into stale by time alone. */
export type Shown = Connection["kind"] | "stale";

/** One line of the ticker. */
export interface CallLine {
  /** Grows by one with each line. */
  n: number;
  at: number;
  event: Exclude<QueueEvent, "QueueStatus" | "QueueAttachedUsers">;
  queue: string;
  queueName: string | null;
  user: string | null;
  userName: string | null;
  caller: string | null;
}

/** How many lines the ticker keeps. */
export const tickerLines = 60;

/** A pair the hub refused. */
export interface Refusal {
  entity: string;
  event: string;
  message: string;
}

/** Sums over all queues and agents; null while a part is missing. */
export interface Totals {
  waiting: number | null;
  longestWait: number | null;
  talking: number | null;
  agents: Record<State, number> | null;
}

/**
 * All the page knows. It is changed by what the hub says and by nothing else;
 * the time comes in as milliseconds since 1970.
 */
export class Board {
  readonly queues = new Map<string, Queue>();
  readonly agents = new Map<string, Agent>();
  /** Newest first. */
  readonly calls: CallLine[] = [];
  readonly meter = new Meter();
  readonly skew = new Skew();
  /** How many pairs were asked for in the last Subscribe. */
  asked = 0;
  refusals: Refusal[] = [];
  connection: Connection;

  /** When the newest connection began: what was received before may be out of date. */
  private freshSince = 0;
  private wasLive = false;
  private lines = 0;
  private disconnectedSince: number | null = null;

  constructor(
    readonly claims: Claims,
    now: number,
  ) {
    this.connection = { kind: "connecting", since: now, problem: "" };
    for (const id of claims.queues) this.queues.set(id, newQueue(id));
    for (const id of claims.users) this.agents.set(id, newAgent(id));
  }

  /** Takes a pushed message in. */
  apply(p: Push, now: number): void {
    this.meter.count(now);
    if (p.time !== null) this.skew.note(p.time, now);
    const queue = this.queues.get(p.entity);
    const agent = this.agents.get(p.entity);
    switch (p.event) {
      case "QueueStatus":
        if (queue !== undefined) readStatus(queue, p.members, now);
        return;
      case "QueueAttachedUsers":
        if (queue !== undefined) readAttached(queue, p.members);
        return;
      case "UserAvailability":
        if (agent !== undefined) readAvailability(agent, p.members, now);
        return;
      case "UserStatus":
        if (agent !== undefined) readUserStatus(agent, p.members, now);
        return;
      case "QueueCallInComing":
      case "QueueCallInArrived":
      case "QueueCallInUserAllocated":
      case "QueueCallInUserCancelled":
      case "QueueCallInUserConnected":
      case "QueueCallInOverflow":
      case "QueueCallInTransferStarted":
      case "QueueCallInTransferConnected":
      case "QueueCallInTransferCancelled":
      case "QueueCallInDisconnected":
        this.call(p.event, p, now);
    }
  }

  /** Takes the figures of the day in. */
  days(days: ReadonlyMap<string, Day>, now: number): void {
    for (const q of this.queues.values()) readDay(q, days.get(q.id), now);
  }

  /** Takes the hub's answers to a Subscribe in. */
  subscribed(list: readonly Answer[]): void {
    this.asked = list.length;
    this.refusals = list
      .filter((a) => !a.subscribed)
      .map((a) => ({ entity: a.entityId, event: a.eventName, message: a.message ?? "refused" }));
    for (const q of this.queues.values()) q.refused = this.refusalOf(q.id, "queuestatus");
    for (const a of this.agents.values()) a.refused = this.refusalOf(a.id, "userstatus");
  }

  /** The connection stands and everything is subscribed. */
  wentLive(now: number): void {
    this.connection = { kind: "live", since: now };
    this.disconnectedSince = null;
    this.wasLive = true;
  }

  /** A connection begins: its events come after a gap, so calls seen before may be over. */
  newConnection(now: number): void {
    this.freshSince = now;
    this.skew.reset();
    for (const a of this.agents.values()) a.call = null;
  }

  /** The connection is lost or could not be made, and is tried again. */
  lost(problem: string, now: number): void {
    const since = (this.disconnectedSince ??= this.wasLive ? now : this.connection.since);
    this.connection = { kind: this.wasLive ? "reconnecting" : "connecting", since, problem };
  }

  /** The hub does not want this token; nothing is tried again. */
  refused(problem: string, now: number): void {
    this.connection = { kind: "refused", since: now, problem };
  }

  /** The connection as it is to be shown. */
  shown(now: number): Shown {
    const c = this.connection;
    return c.kind === "reconnecting" && now - c.since >= staleAfter ? "stale" : c.kind;
  }

  /** Whether a value received at a time may be out of date by now. */
  isOld(receivedAt: number, now: number): boolean {
    return receivedAt > 0 && (receivedAt < this.freshSince || this.shown(now) === "stale" || this.connection.kind === "refused");
  }

  totals(now: number): Totals {
    const queues = [...this.queues.values()].filter((q) => q.refused === null);
    const agents = [...this.agents.values()].filter((a) => a.refused === null);
    const complete = queues.length > 0 && queues.every((q) => q.counters !== null);
    const sum = (pick: (q: Queue) => number): number | null => (complete ? queues.reduce((n, q) => n + pick(q), 0) : null);
    const states: Record<State, number> = { unknown: 0, free: 0, ringing: 0, talking: 0, wrapup: 0, away: 0 };
    for (const a of agents) states[stateOf(a)]++;
    return {
      waiting: sum((q) => q.counters?.waiting ?? 0),
      talking: sum((q) => q.counters?.talking ?? 0),
      longestWait: complete ? Math.max(...queues.map((q) => longestWait(q, now) ?? 0)) : null,
      agents: agents.length > 0 && states.unknown === 0 ? states : null,
    };
  }

  private refusalOf(entity: string, event: string): string | null {
    return this.refusals.find((r) => r.entity === entity && r.event.toLowerCase() === event)?.message ?? null;
  }

  private call(event: CallLine["event"], p: Push, now: number): void {
    const m = p.members;
    const user = m.id("userId");
    const queue = this.queues.get(p.entity);
    if (queue !== undefined) queue.name ??= m.text("queueName");
    const agent = user === null ? undefined : this.agents.get(user);
    if (agent !== undefined) agent.userName ??= m.text("userName");
    this.follow(event, m.id("callId") ?? "", p.entity, agent, now);
    this.calls.unshift({
      n: this.lines++,
      at: now,
      event,
      queue: p.entity,
      queueName: m.text("queueName"),
      user,
      userName: m.text("userName"),
      caller: m.text("callerNumber"),
    });
    if (this.calls.length > tickerLines) this.calls.length = tickerLines;
  }

  /** Keeps for each agent the call that rings at or talks to him. */
  private follow(event: CallLine["event"], id: string, queue: string, agent: Agent | undefined, now: number): void {
    switch (event) {
      case "QueueCallInUserAllocated":
        if (agent !== undefined) agent.call = { id, queue, answered: false, since: now };
        return;
      case "QueueCallInUserConnected":
        if (agent !== undefined) agent.call = { id, queue, answered: true, since: now };
        return;
      case "QueueCallInUserCancelled":
        if (agent?.call?.id === id) agent.call = null;
        return;
      case "QueueCallInOverflow":
      case "QueueCallInDisconnected":
        for (const a of this.agents.values()) if (a.call?.id === id) a.call = null;
        return;
      case "QueueCallInComing":
      case "QueueCallInArrived":
      case "QueueCallInTransferStarted":
      case "QueueCallInTransferConnected":
      case "QueueCallInTransferCancelled":
    }
  }
}
