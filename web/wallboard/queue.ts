import { dayOld, emptyDay, type Day } from "./day.ts";
import type { Members } from "./events.ts";

/** The counters of a queue as its last QueueStatus gave them. */
export interface Counters {
  /** Calls nobody has answered yet, ringing ones included: the queue's length. */
  waiting: number;
  ringing: number;
  talking: number;
  free: number;
  serving: number;
  checkedIn: number;
  wrapUp: number;
  /** Seconds, at the moment the status was received. */
  maxWait: number;
  open: number;
}

export interface Sample {
  at: number;
  waiting: number;
}

export interface Queue {
  id: string;
  name: string | null;
  counters: Counters | null;
  /** When the counters were received; 0 before. */
  receivedAt: number;
  /** Attached users, active ones and others; null before the first list. */
  attached: { active: number; all: number } | null;
  /** Waiting calls over the last minutes, a sample for each change. */
  history: Sample[];
  /** What was counted since midnight; null before the first answer. */
  day: Day | null;
  /** When that was received; 0 before. */
  dayAt: number;
  /** Why the hub does not give this queue's status; null if it does. */
  refused: string | null;
}

/** How far the sparkline looks back, in milliseconds. */
export const historySpan = 10 * 60_000;

export function newQueue(id: string): Queue {
  return { id, name: null, counters: null, receivedAt: 0, attached: null, history: [], day: null, dayAt: 0, refused: null };
}

export function readStatus(q: Queue, m: Members, now: number): void {
  const n = (name: string): number => m.number(name) ?? 0;
  q.name = m.text("queueName") ?? q.name;
  q.counters = {
    waiting: n("nbrOfNotServedRequesters"),
    ringing: n("nbrOfAllocated"),
    talking: n("nbrOfConnected"),
    free: n("nbrOfAgentsImmediatelyFree"),
    serving: n("nbrOfServingAgentsEstimate"),
    checkedIn: n("nbrOfAgentsCheckedInQueue"),
    wrapUp: n("nbrOfAgentsOnWrapUp"),
    maxWait: n("maxWaitTime"),
    open: n("openStatus"),
  };
  q.receivedAt = now;
  q.refused = null;
  const last = q.history.at(-1);
  if (last === undefined || last.waiting !== q.counters.waiting) q.history.push({ at: now, waiting: q.counters.waiting });
  // One sample from before the span stays: it says how the span begins.
  while (q.history.length > 1 && (q.history[1]?.at ?? 0) <= now - historySpan) q.history.shift();
}

export function readAttached(q: Queue, m: Members): void {
  const users = m.list("attachedUsers");
  q.attached = { all: users.length, active: users.filter((u) => u.flag("active")).length };
}

/** Takes the day in; a queue that the hub does not name has had no call yet. */
export function readDay(q: Queue, day: Day | undefined, now: number): void {
  q.day = day ?? emptyDay;
  q.dayAt = now;
}

/** Whether the day's figures may be out of date: the hub has not answered for a while. */
export function isDayOld(q: Queue, now: number): boolean {
  return q.dayAt > 0 && now - q.dayAt > dayOld;
}

/** Seconds the longest wait has lasted by now: it grows between two statuses. */
export function longestWait(q: Queue, now: number): number | null {
  if (q.counters === null) return null;
  if (q.counters.waiting === 0) return 0;
  return q.counters.maxWait + Math.max(0, now - q.receivedAt) / 1000;
}

export type Level = "calm" | "watch" | "alarm";

/** When a card asks for attention. Waits in seconds. */
export const thresholds = { watchWait: 30, alarmWait: 120, watchCalls: 3, alarmCalls: 8 } as const;

/** How urgent a queue is, and by what. */
export interface Urgency {
  level: Level;
  /** How long the longest wait is. */
  wait: Level;
  /** How many calls wait. */
  calls: Level;
  /** Somebody waits, and nobody could take the call: an alarm at once. */
  nobody: boolean;
}

export function urgency(q: Queue, now: number): Urgency {
  const c = q.counters;
  if (c === null || c.waiting === 0) return { level: "calm", wait: "calm", calls: "calm", nobody: false };
  const wait = grade(longestWait(q, now) ?? 0, thresholds.watchWait, thresholds.alarmWait);
  const calls = grade(c.waiting, thresholds.watchCalls, thresholds.alarmCalls);
  const nobody = c.serving === 0;
  const worst = [wait, calls].includes("alarm") || nobody ? "alarm" : [wait, calls].includes("watch") ? "watch" : "calm";
  return { level: worst, wait, calls, nobody };
}

function grade(n: number, watch: number, alarm: number): Level {
  return n >= alarm ? "alarm" : n >= watch ? "watch" : "calm";
}

export interface Opening {
  colour: "green" | "yellow" | "red" | "grey";
  text: string;
}

/** OpenStatus by the colour rule of the domain report, 5.2: 5 green, 1 and 3 red, 2, 4 and 6 yellow. */
export function opening(open: number): Opening {
  switch (open) {
    case 1:
      return { colour: "red", text: "No agents" };
    case 2:
      return { colour: "yellow", text: "No agents, may vary" };
    case 3:
      return { colour: "red", text: "Closed" };
    case 4:
      return { colour: "yellow", text: "Closed, may vary" };
    case 5:
      return { colour: "green", text: "Open" };
    case 6:
      return { colour: "yellow", text: "Open, may vary" };
    default:
      return { colour: "grey", text: "Not known" };
  }
}
