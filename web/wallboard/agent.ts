import type { Members } from "./events.ts";
import { date, until } from "./format.ts";

/** A queue call at an agent, as far as the queue's events told. */
export interface AgentCall {
  id: string;
  queue: string;
  answered: boolean;
  since: number;
}

export interface Agent {
  id: string;
  userName: string | null;
  availability: { code: string; note: string | null; end: number | null } | null;
  status: Status | null;
  /** When the agent began to talk; null if not talking, or if the page came later. */
  talkingSince: number | null;
  call: AgentCall | null;
  /** When the newest state was received; 0 before. */
  receivedAt: number;
  /** Why the hub does not give this agent's status; null if it does. */
  refused: string | null;
}

/** The last UserStatus. */
export interface Status {
  available: boolean;
  schedule: boolean;
  serving: boolean;
  servingCallback: boolean;
  talking: boolean;
  canBeAllocatedTo: boolean;
  terminals: number;
  /** End of the running wrap-up by the producer's clock; null outside of one. */
  wrapUpEnd: number | null;
}

export function newAgent(id: string): Agent {
  return { id, userName: null, availability: null, status: null, talkingSince: null, call: null, receivedAt: 0, refused: null };
}

export function readAvailability(a: Agent, m: Members, now: number): void {
  a.userName = m.text("userName") ?? a.userName;
  a.availability = { code: m.text("availability") ?? "", note: m.text("note"), end: date(m.text("endTime")) };
  a.receivedAt = now;
}

export function readUserStatus(a: Agent, m: Members, now: number): void {
  const before = a.status;
  a.status = {
    available: m.flag("available"),
    schedule: m.flag("schedule"),
    serving: m.flag("serving"),
    servingCallback: m.flag("servingCallback"),
    talking: m.flag("talking"),
    canBeAllocatedTo: m.flag("canBeAllocatedTo"),
    terminals: m.number("serviceTerminals") ?? 0,
    wrapUpEnd: date(m.text("wrapUpEnd")),
  };
  if (!a.status.talking) a.talkingSince = null;
  else if (before !== null && !before.talking) a.talkingSince = now;
  a.receivedAt = now;
  a.refused = null;
}

export type State = "unknown" | "free" | "ringing" | "talking" | "wrapup" | "away";

/**
 * What an agent is doing. UserStatus decides; that a telephone rings is not
 * in it, but follows: somebody available and serving, with a telephone,
 * neither talking nor wrapping up, yet not to be allocated (domain report, 5.1).
 */
export function stateOf(a: Agent): State {
  const s = a.status;
  if (s === null) return "unknown";
  if (s.talking) return "talking";
  if (s.wrapUpEnd !== null) return "wrapup";
  if (s.canBeAllocatedTo) return "free";
  if (a.call !== null && !a.call.answered) return "ringing";
  return s.available && s.serving && s.terminals > 0 ? "ringing" : "away";
}

const codes: Readonly<Record<string, string>> = {
  available: "Available",
  busy: "Busy",
  donotdisturb: "Do not disturb",
  offwork: "Off work",
};

/** The availability code in words. */
export function availabilityText(a: Agent): string {
  const code = a.availability?.code ?? "";
  return codes[code.toLowerCase()] ?? code;
}

/** What the tile says of the state. */
export function stateText(a: Agent): string {
  switch (stateOf(a)) {
    case "unknown":
      return "";
    case "free":
      return "Free";
    case "ringing":
      return "Ringing";
    case "talking":
      return "Talking";
    case "wrapup":
      return "Wrap-up";
    case "away":
      return awayText(a);
  }
}

function awayText(a: Agent): string {
  const s = a.status;
  if (s !== null && s.available) {
    if (s.terminals === 0) return "No telephone";
    return s.servingCallback ? "Callbacks" : "Not serving";
  }
  return availabilityText(a) || (s !== null && !s.schedule ? "Off work" : "Away");
}

/** Why and until when somebody is away: "Lunch", "until 12:30"; empty where nothing is said. */
export function absence(a: Agent, now: number): { note: string; end: string } {
  const v = a.availability;
  if (v === null || v.code.toLowerCase() === "available") return { note: "", end: "" };
  return { note: v.note ?? "", end: until(v.end, now) };
}
