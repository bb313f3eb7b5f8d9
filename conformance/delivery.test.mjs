// Who is subscribed gets each event once, in the order of publishing; who is of
// another organization never gets any.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { clients, connect, subscribe } from './clients.mjs';
import { ephemeral } from './rte.mjs';

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

test('2,000 events reach 20 clients of both versions, each once and in order', async (t) => {
  const EVENTS = 2000;
  const EACH = 10; // clients of each version
  const BATCH = 100;
  const org = randomUUID();
  const queue = randomUUID();
  const all = await Promise.all(
    clients.flatMap((client) =>
      Array.from({ length: EACH }, async () => {
        const c = await connect(t, client, rte.hub, rte.token({ org, queues: [queue] }));
        // Twice in one call, in two spellings, and once more: still one subscription.
        await subscribe(c.connection, { EntityId: queue, EventName: 'QueueCallInArrived' }, { EntityId: `{${queue.toUpperCase()}}`, EventName: 'QUEUECALLINARRIVED' });
        await subscribe(c.connection, { EntityId: queue, EventName: 'QueueCallInArrived' }, { EntityId: queue, EventName: 'QueueCallInDisconnected' });
        return c;
      }),
    ),
  );
  for (let first = 0; first < EVENTS; first += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, i) => ({ eventName: 'QueueCallInArrived', data: { queueId: queue, callerNumber: String(first + i) } }));
    await rte.publish(batch, org);
  }
  // An event of another pair, last of all: what comes behind it comes twice.
  await rte.publish({ eventName: 'QueueCallInDisconnected', data: { queueId: queue } }, org);

  const expected = Array.from({ length: EVENTS }, (_, i) => String(i));
  for (const { inbox } of all) {
    const isLast = (m) => m.subscription.eventName === 'queuecallindisconnected';
    await inbox.until((items) => items.some(isLast) && items.length > EVENTS, 'all events and the last', 30_000);
    assert.deepEqual(inbox.items.filter((m) => !isLast(m)).map((m) => m.data.callerNumber), expected);
    assert.equal(inbox.items.filter(isLast).length, 1);
  }
  // Nothing more is under way: a second last event is the next thing everybody gets.
  await rte.publish({ eventName: 'QueueCallInDisconnected', data: { queueId: queue } }, org);
  for (const { inbox } of all) {
    await inbox.count(EVENTS + 2, 'message');
    assert.equal(inbox.items.length, EVENTS + 2);
  }
});

test('a retry with the same event id is delivered once', async (t) => {
  const org = randomUUID();
  const user = randomUUID();
  const { connection, inbox } = await connect(t, clients[0], rte.hub, rte.token({ org, user }));
  await subscribe(connection, { EntityId: user, EventName: 'UserCallInComing' });
  const event = (id) => ({ id, eventName: 'UserCallInComing', data: { userId: user, callerNumber: id } });
  await rte.publish([event('one'), event('two')], org);
  await rte.publish([event('one'), event('two'), event('three')], org);
  await inbox.find((m) => m.data.callerNumber === 'three', 'the third event');
  assert.deepEqual(inbox.items.map((m) => m.data.callerNumber), ['one', 'two', 'three']);
});

describe('two organizations with the same ids', () => {
  for (const client of clients) {
    test(`${client.name}: neither sees the other's events`, async (t) => {
      const [user, queue] = [randomUUID(), randomUUID()];
      const items = [
        { EntityId: user, EventName: 'UserAvailability' },
        { EntityId: user, EventName: 'UserCallInComing' },
        { EntityId: queue, EventName: 'QueueStatus' },
      ];
      const sides = await Promise.all(
        ['left', 'right'].map(async (name) => {
          const org = randomUUID();
          const personal = await connect(t, client, rte.hub, rte.token({ org, user, queues: [queue] }));
          const supervisor = await connect(t, client, rte.hub, rte.token({ org, role: 'supervisor' }));
          const service = await connect(t, client, rte.hub, rte.token({ org, role: 'service' }));
          const all = [personal, supervisor, service];
          for (const { connection } of all) await subscribe(connection, ...items);
          return { name, org, all };
        }),
      );
      // To one, to the other, and to one again; the last event of each side
      // comes after everything that the other was sent.
      for (const round of ['1', '2', 'last']) {
        for (const side of sides) {
          const mark = `${side.name} ${round}`;
          await rte.publish(
            [
              { eventName: 'UserAvailability', data: { userId: user, organizationId: side.org, note: mark } },
              { eventName: 'UserCallInComing', data: { userId: user, callerNumber: mark } },
              { eventName: 'QueueStatus', data: { queueId: queue, queueName: mark } },
            ],
            side.org,
          );
        }
      }
      for (const { name, all } of sides) {
        for (const { inbox } of all) {
          const marks = () => inbox.items.map((m) => m.data.note ?? m.data.callerNumber ?? m.data.queueName);
          const ends = () => marks().filter((m) => m === `${name} last`).length;
          await inbox.until(() => ends() === items.length, `last events of ${name}`);
          assert.equal(inbox.items.length, 3 * items.length);
          for (const mark of marks()) assert.ok(mark.startsWith(name), `${name} got "${mark}"`);
        }
      }
    });
  }

  test('a service token publishes for its own organization only', async () => {
    const [mine, theirs] = [randomUUID(), randomUUID()];
    const response = await fetch(`${rte.url}/api/v1/events`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${rte.token({ org: mine, role: 'service' })}` },
      body: JSON.stringify({ organizationId: theirs, eventName: 'UserAvailability', data: { userId: randomUUID() } }),
    });
    const text = await response.text();
    assert.ok(response.status === 403 || JSON.parse(text).accepted === 0, `${response.status} ${text}`);
    const asUser = await fetch(`${rte.url}/api/v1/events`, {
      method: 'POST', headers: { Authorization: `Bearer ${rte.token({ org: mine, role: 'supervisor' })}` }, body: '[]',
    });
    assert.equal(asUser.status, 403);
  });
});
