import { push, type EventName, type Push } from "../events.ts";
import type { Claims } from "../token.ts";

export const sales = "11111111-0000-4000-8000-000000000001";
export const billing = "11111111-0000-4000-8000-000000000002";
export const anna = "22222222-0000-4000-8000-000000000001";
export const mikko = "22222222-0000-4000-8000-000000000002";
export const call = "33333333-0000-4000-8000-000000000001";

/** When the tests begin, in milliseconds. */
export const begin = Date.parse("2026-11-23T09:00:00Z");

export function claims(queues = [sales], users = [anna]): Claims {
  return { org: "", sub: "", queues, users, expires: null };
}

/** A pushed message as the hub sends it: names in lower case, members in camelCase. */
export function pushed(entityId: string, event: EventName, data: Record<string, unknown>, time?: number): Push {
  const p = push({
    subscription: { entityId, eventName: event.toLowerCase() },
    data,
    ...(time === undefined ? {} : { time: new Date(time).toISOString() }),
  });
  if (p === null) throw new Error(`${event} was not understood`);
  return p;
}

/** A QueueStatus of Sales with some counters set. */
export function queueStatus(data: Record<string, unknown> = {}, time?: number): Push {
  return pushed(
    sales,
    "QueueStatus",
    {
      maxWaitTime: 0,
      nbrOfAgentsCheckedInQueue: 6,
      nbrOfAgentsImmediatelyFree: 2,
      nbrOfAgentsOnWrapUp: 1,
      nbrOfAllocated: 0,
      nbrOfConnected: 3,
      nbrOfNotServedRequesters: 0,
      nbrOfServingAgentsEstimate: 5,
      openStatus: 5,
      queueName: "Sales",
      ...data,
    },
    time,
  );
}

/** A UserStatus of Anna, who is free unless data says otherwise. */
export function userStatus(data: Record<string, unknown> = {}, user = anna): Push {
  return pushed(user, "UserStatus", {
    available: true,
    canBeAllocatedTo: true,
    schedule: true,
    serviceTerminals: 1,
    serving: true,
    servingCallback: false,
    talking: false,
    wrapUpEnd: null,
    ...data,
  });
}
