/**
 * The events the wallboard hears, in the catalogue's spelling. Names are
 * compared ignoring case: the hub sends them in lower case.
 */
export const queueEvents = [
  "QueueStatus",
  "QueueAttachedUsers",
  "QueueCallInComing",
  "QueueCallInArrived",
  "QueueCallInUserAllocated",
  "QueueCallInUserCancelled",
  "QueueCallInUserConnected",
  "QueueCallInOverflow",
  "QueueCallInTransferStarted",
  "QueueCallInTransferConnected",
  "QueueCallInTransferCancelled",
  "QueueCallInDisconnected",
] as const;

export const userEvents = ["UserAvailability", "UserStatus"] as const;

export type QueueEvent = (typeof queueEvents)[number];
export type UserEvent = (typeof userEvents)[number];
export type EventName = QueueEvent | UserEvent;

/** The four whose newest value replaces older ones. */
const stateEvents: readonly EventName[] = ["QueueStatus", "QueueAttachedUsers", "UserAvailability", "UserStatus"];

const byKey = new Map<string, EventName>([...queueEvents, ...userEvents].map((name) => [name.toLowerCase(), name]));

/** The event a name stands for, whatever its case; null for one the board does not know. */
export function eventName(name: string): EventName | null {
  return byKey.get(name.toLowerCase()) ?? null;
}

/** One item of a Subscribe call. Snapshot asks for the newest value where the hub keeps it. */
export interface Item {
  EntityId: string;
  EventName: EventName;
  Snapshot?: true;
}

/** Everything the board subscribes to. */
export function items(queues: readonly string[], users: readonly string[]): Item[] {
  const item = (EntityId: string, EventName: EventName): Item =>
    stateEvents.includes(EventName) ? { EntityId, EventName, Snapshot: true } : { EntityId, EventName };
  return [
    ...queues.flatMap((id) => queueEvents.map((name) => item(id, name))),
    ...users.flatMap((id) => userEvents.map((name) => item(id, name))),
  ];
}

/** The hub's answer to one item. */
export interface Answer {
  subscribed: boolean;
  message: string | null;
  entityId: string;
  eventName: string;
}

/** Reads the result of a Subscribe call; what is no answer is left out. */
export function answers(result: unknown): Answer[] {
  if (!Array.isArray(result)) return [];
  return result.filter(isRecord).map((r) => ({
    subscribed: r["subscribed"] === true,
    message: typeof r["message"] === "string" ? r["message"] : null,
    entityId: String(r["entityId"] ?? "").toLowerCase(),
    eventName: String(r["eventName"] ?? ""),
  }));
}

/** A message the hub pushed, as far as the board can use it. */
export interface Push {
  entity: string;
  event: EventName;
  members: Members;
  /** When it happened, in milliseconds since 1970; null if the hub does not say. */
  time: number | null;
}

/** Reads the argument of MessageReceived; null for what the board does not know. */
export function push(message: unknown): Push | null {
  if (!isRecord(message) || !isRecord(message["subscription"]) || !isRecord(message["data"])) return null;
  const { entityId, eventName: name } = message["subscription"];
  if (typeof entityId !== "string" || typeof name !== "string") return null;
  const event = eventName(name);
  if (event === null) return null;
  const time = typeof message["time"] === "string" ? Date.parse(message["time"]) : NaN;
  return { entity: entityId.toLowerCase(), event, members: new Members(message["data"]), time: Number.isNaN(time) ? null : time };
}

/** A payload's members, found ignoring case: Username and UserName are one. */
export class Members {
  private readonly values = new Map<string, unknown>();

  constructor(data: Record<string, unknown>) {
    for (const [name, value] of Object.entries(data)) this.values.set(name.toLowerCase(), value);
  }

  /** A number; null if it is missing or something else. */
  number(name: string): number | null {
    const v = this.values.get(name.toLowerCase());
    return typeof v === "number" && Number.isFinite(v) ? v : null;
  }

  /** A text; null if it is missing, empty or something else. */
  text(name: string): string | null {
    const v = this.values.get(name.toLowerCase());
    return typeof v === "string" && v !== "" ? v : null;
  }

  /** An id, in lower case. */
  id(name: string): string | null {
    return this.text(name)?.toLowerCase() ?? null;
  }

  flag(name: string): boolean {
    return this.values.get(name.toLowerCase()) === true;
  }

  /** The objects of a list. */
  list(name: string): Members[] {
    const v = this.values.get(name.toLowerCase());
    return Array.isArray(v) ? v.filter(isRecord).map((item) => new Members(item)) : [];
  }
}

export function isRecord(v: unknown): v is Record<string, unknown> {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}
