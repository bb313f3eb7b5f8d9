// A service under test, with everything it has told, and numbered events.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { Inbox, within } from "../../conformance/wait.mjs";
import { DAService } from "../dist/index.js";

/** In the long form tests do more of the same. */
export const long = process.env.DALIB_LONG === "1";

/** Pauses that tests can wait for. */
export const quick = { first: 20, most: 200 };

/** A connected service and its inboxes; it is disconnected with the test t. */
export async function desk(t, url, token, options = {}) {
  const service = new DAService(url, token, { reconnect: quick, ...options });
  const d = { service, messages: new Inbox(), states: new Inbox(), notices: new Inbox() };
  service.OnSubscriptionDataChanged.on(d.messages.push);
  service.OnConnectionStateChanged.on(d.states.push);
  service.OnNotice.on(d.notices.push);
  t.after(() => service.Disconnect());
  assert.equal(await within(service.Connect(), "Connect"), true);
  return d;
}

/** Publishes numbered calls to some users, over and over; each has numbers of its own. */
export class Caller {
  constructor(node, users) {
    this.node = node;
    this.users = users;
    this.sent = new Map(users.map((user) => [user, 0]));
  }

  /** One event for each user, twice; the ids make a retry after a node's death harmless. */
  async call(node = this.node) {
    const events = [];
    const next = new Map(this.sent);
    for (let round = 0; round < 2; round++) {
      for (const user of this.users) {
        const n = next.get(user) + 1;
        next.set(user, n);
        events.push({ id: `${user} ${n}`, eventName: "UserCallInComing", data: { userId: user, callerNumber: String(n) } });
      }
    }
    await node.publish(events);
    this.sent = next;
  }

  /** Waits until an inbox has all, and fails unless each came once and in order. */
  async check(inbox, ms) {
    const total = [...this.sent.values()].reduce((a, b) => a + b, 0);
    const calls = (items) => items.filter((m) => m.subscription.eventName === "usercallincoming");
    await inbox.until((items) => calls(items).length >= total, `${total} calls`, ms);
    for (const [user, n] of this.sent) {
      const numbers = calls(inbox.items).filter((m) => m.data.userId === user).map((m) => Number(m.data.callerNumber)); // prettier-ignore
      assert.deepEqual(numbers, Array.from({ length: n }, (_, i) => i + 1), `calls of ${user}`);
    }
  }
}

/** Some users. */
export const usersOf = (n) => Array.from({ length: n }, () => randomUUID());

/** The items of their calls. */
export const callsOf = (users) => users.map((EntityId) => ({ EntityId, EventName: "UserCallInComing" }));
