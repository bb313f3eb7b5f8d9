// What the tests of the library share.
import { randomUUID } from 'node:crypto';

import { Inbox, within } from '../../conformance/wait.mjs';
import { DAService } from '../dist/da-client-lib.js';

/** Pauses that do not make tests wait. */
export const quick = { base: 20, cap: 200 };

/** A service, and everything that it tells. It ends with the test t. */
export function open(t, url, token, options = {}) {
  const service = new DAService(url, token, { retry: quick, ...options });
  const told = { messages: new Inbox(), states: new Inbox(), notices: new Inbox() };
  service.OnSubscriptionDataChanged.on(told.messages.push);
  service.OnConnectionStateChanged.on(told.states.push);
  service.OnNotice.on(told.notices.push);
  t.after(() => service.Disconnect());
  return { service, ...told };
}

/** The same, connected. */
export async function connect(t, url, token, options) {
  const all = open(t, url, token, options);
  await within(all.service.Connect(), 'Connect');
  return all;
}

/** A user and the pairs of it that the tests use; each in an organization of its own. */
export function person(rte) {
  const user = randomUUID();
  const org = randomUUID();
  return {
    user,
    org,
    token: (claims) => rte.token({ user, org, ...claims }),
    calls: { EntityId: user, EventName: 'UserCallInComing' },
    availability: { EntityId: user, EventName: 'UserAvailability' },
    call: (n) => ({ eventName: 'UserCallInComing', data: { userId: user, callerNumber: String(n) } }),
  };
}

/** The numbers that calls carry, in the order they came. */
export const numbers = (items) => items.filter((m) => m.subscription.eventName === 'usercallincoming').map((m) => Number(m.data.callerNumber));

/** 1 to n. */
export const upTo = (n) => Array.from({ length: n }, (_, i) => i + 1);
