// The page's JavaScript samples, word for word, with both clients in Node.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { build, clients, subscribe } from './clients.mjs';
import { ephemeral } from './rte.mjs';
import { Page, eventNames, pageResults, read, scripts } from './samples.mjs';
import { Inbox, within } from './wait.mjs';

/** The ids of the page: a user of the samples, one of the results, a queue. */
const a1 = 'a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3';
const c9 = 'c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3';

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

test('every sample file is a verbatim part of the page', () => {
  const page = read('page.txt');
  assert.ok(page.startsWith('Establishing a connection\n'));
  for (const name of [...scripts, 'subscribe.cs']) {
    const text = read(name);
    assert.ok(text.length > 50, `${name} is empty`);
    assert.ok(page.includes(`\n${text}`), `${name} is not a part of page.txt`);
  }
  assert.equal(pageResults.length, 2, 'the page shows two result examples');
  assert.equal(eventNames.length, 41);
});

for (const client of clients) {
  describe(client.name, () => {
    /** Starts the page's connection for the user c9, who may see a1. */
    async function open(t, org) {
      const page = new Page(client, rte.hub, rte.token({ user: c9, org, users: [a1] }));
      const pushed = new Inbox();
      page.connection.on('MessageReceived', pushed.push);
      await within(page.connection.start(), 'start');
      t.after(() => page.connection.stop());
      return { page, pushed };
    }

    test('Subscribe and MessageReceived', async (t) => {
      const org = randomUUID();
      const { page, pushed } = await open(t, org);
      assert.equal(
        await page.run('subscribe.js', 'Subscription result: '),
        `Subscription result: [{"subscribed":true,"message":null,"entityId":"${a1}","eventName":"useravailability"},` +
          `{"subscribed":true,"message":null,"entityId":"${c9}","eventName":"usercallincoming"}]`,
      );

      await rte.publish(
        {
          eventName: 'UserAvailability',
          time: '2026-11-22T08:00:00.123Z',
          data: { UserId: a1, Availability: 'Busy', UserName: 'a@example.com', EndTime: '9999-12-31T23:59:59.9999999', CBRId: 7 },
        },
        org,
      );
      await page.log.find((line) => line === 'Message details: [object Object]', "the page's handler");
      const [message] = await pushed.count(1, 'pushed message');
      assert.deepEqual(Object.keys(message), ['subscription', 'data', 'cursor', 'time']);
      assert.equal(JSON.stringify(message.subscription), `{"entityId":"${a1}","eventName":"useravailability"}`);
      assert.deepEqual(message.data, {
        userId: a1, availability: 'Busy', userName: 'a@example.com', endTime: '9999-12-31T23:59:59.9999999', cbrId: 7,
      });
      assert.match(message.cursor, /^.{1,24}$/);
      assert.equal(message.time, '2026-11-22T08:00:00.123Z');
    });

    test('the results are those that the page shows, Unauthorized among them', async (t) => {
      const { page } = await open(t, randomUUID());
      const results = await page.connection.invoke('Subscribe', [
        { EntityId: c9, EventName: 'UserCallIncoming' },
        { EntityId: c9, EventName: 'QueueCallInUserAllocated' },
      ]);
      assert.equal(JSON.stringify(results), pageResults[0]);
      const gone = await page.connection.invoke('Unsubscribe', [
        { EntityId: c9, EventName: 'UserAvailability' },
        { EntityId: c9, EventName: 'QueueCallIncoming' },
      ]);
      assert.equal(JSON.stringify(gone), pageResults[1]);
    });

    test('Subscribe answers item by item: id before name before right, in order, in any spelling', async (t) => {
      const { page } = await open(t, randomUUID());
      const results = await page.connection.invoke('Subscribe', [
        { EntityId: 'not a guid', EventName: 'NoSuchEvent' },
        { EntityId: a1, EventName: 'NoSuchEvent' },
        { EntityId: randomUUID(), EventName: 'UserStatus' },
        null,
        { entityid: `{${c9.toUpperCase()}}`, EVENTNAME: 'USERSTATUS' },
        { EntityId: c9.replaceAll('-', ''), EventName: 'userstatus' },
      ]);
      assert.deepEqual(results.map((r) => [r.subscribed, r.message]), [
        [false, 'Invalid EntityId'],
        [false, 'Invalid event name'],
        [false, 'Unauthorized'],
        [false, 'Invalid EntityId'],
        [true, null],
        [true, null],
      ]);
      assert.deepEqual(results.slice(4).map((r) => [r.entityId, r.eventName]), [[c9, 'userstatus'], [c9, 'userstatus']]);
      for (const r of results) assert.deepEqual(Object.keys(r), ['subscribed', 'message', 'entityId', 'eventName']);
      assert.deepEqual(await page.connection.invoke('Subscribe', []), []);
    });

    test('Unsubscribe: an unsubscribed pair gets nothing', async (t) => {
      const org = randomUUID();
      const { page, pushed } = await open(t, org);
      await page.run('subscribe.js', 'Subscription result: ');
      assert.equal(
        await page.run('unsubscribe.js', 'Unsubscription result: '),
        `Unsubscription result: [{"subscribed":false,"message":null,"entityId":"${a1}","eventName":"useravailability"}]`,
      );
      // The second pair is still there: its event comes after one that must not.
      await rte.publish({ eventName: 'UserAvailability', data: { userId: a1, availability: 'Busy' } }, org);
      await rte.publish({ eventName: 'UserCallInComing', data: { userId: c9, callerNumber: '+358401234567' } }, org);
      await pushed.find((m) => m.subscription.eventName === 'usercallincoming', 'event of the pair that is left');
      assert.deepEqual(pushed.items.map((m) => m.subscription.eventName), ['usercallincoming']);
    });

    test('UnsubscribeAll: true, and nothing comes afterwards', async (t) => {
      const org = randomUUID();
      const { page, pushed } = await open(t, org);
      await page.run('subscribe.js', 'Subscription result: ');
      assert.equal(await page.run('unsubscribe-all.js', 'UnsubscribeAll result: '), 'UnsubscribeAll result: true');
      await rte.publish({ eventName: 'UserAvailability', data: { userId: a1, availability: 'Busy' } }, org);
      await rte.publish({ eventName: 'UserCallInComing', data: { userId: c9 } }, org);
      // A pair that is subscribed only now proves that nothing is under way.
      await subscribe(page.connection, { EntityId: c9, EventName: 'UserStatus' });
      await rte.publish({ eventName: 'UserStatus', data: { userId: c9, available: true } }, org);
      await pushed.find((m) => m.subscription.eventName === 'userstatus', 'event of the new pair');
      assert.deepEqual(pushed.items.map((m) => m.subscription.eventName), ['userstatus']);
    });

    test('AvailableSubscriptions: 41 names in the order of the page', async (t) => {
      const { page } = await open(t, randomUUID());
      // The sample passes the variable of an earlier one; alone it is undefined.
      page.globals.subscriptions = [{ EntityId: a1, EventName: 'UserAvailability' }];
      const line = await page.run('available-subscriptions.js', 'Available subscriptions ');
      assert.equal(line, `Available subscriptions ${JSON.stringify(eventNames)}`);
      assert.deepEqual(await page.connection.invoke('AvailableSubscriptions'), eventNames);
    });

    test('GetActiveSubscriptions: each pair once', async (t) => {
      const { page } = await open(t, randomUUID());
      await page.run('subscribe.js', 'Subscription result: ');
      await page.run('subscribe.js', 'Subscription result: ');
      const pairs = await page.connection.invoke('GetActiveSubscriptions');
      const list = pairs.map((p) => `${p.entityId} ${p.eventName}`).sort();
      assert.deepEqual(list, [`${a1} useravailability`, `${c9} usercallincoming`]);
    });
  });
}

test('--push-extras=false leaves cursor and time out, --event-name-case=catalog writes names as the page does', async (t) => {
  const plain = await ephemeral('--push-extras=false', '--event-name-case=catalog');
  t.after(() => plain.stop());
  const { connection, inbox } = build(clients[0], plain.hub, plain.token({ user: a1 }));
  await within(connection.start(), 'start');
  t.after(() => connection.stop());
  await subscribe(connection, { EntityId: a1, EventName: 'useravailability' });
  await plain.publish({ eventName: 'UserAvailability', data: { userId: a1, availability: 'Busy' } });
  assert.equal(
    JSON.stringify((await inbox.count(1, 'pushed message'))[0]),
    `{"subscription":{"entityId":"${a1}","eventName":"UserAvailability"},"data":{"userId":"${a1}","availability":"Busy"}}`,
  );
});
