// What the class promises while the connection holds, and its errors.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Network } from '../../conformance/proxy.mjs';
import { ephemeral } from '../../conformance/rte.mjs';
import { within } from '../../conformance/wait.mjs';
import { FetchRteToken, DAError, eventNames, isEvent } from '../dist/da-client-lib.js';
import { connect, numbers, open, person, upTo } from './help.mjs';

let rte;
before(async () => {
  rte = await ephemeral('--dev-tokens');
});
after(() => rte?.stop());

const rejects = (promise, want) =>
  assert.rejects(within(promise, 'the error'), (err) => {
    assert.ok(err instanceof DAError && err instanceof Error, `${err}`);
    for (const [name, value] of Object.entries(want)) assert.equal(err[name], value);
    return true;
  });

test('definite refusals reject with a code', async (t) => {
  const p = person(rte);
  for (const [url, token, code] of [
    [rte.hub, 'no token', 'unauthorized'],
    [rte.hub, p.token().slice(0, -4) + 'AAAA', 'unauthorized'],
    [rte.hub, p.token({ exp: Math.floor(Date.now() / 1000) - 3600 }), 'token-expired'],
    [rte.hub, rte.token({ role: 'platform' }), 'forbidden'],
    ['', p.token(), 'bad-url'],
    ['ftp://127.0.0.1/rte', p.token(), 'bad-url'],
    ['http://', p.token(), 'bad-url'],
    [`${rte.url}/nothing`, p.token(), 'bad-url'],
  ]) {
    const { service, states } = open(t, url, token);
    const ready = service.ready;
    await rejects(service.Connect(), { code });
    await rejects(ready, { code });
    assert.equal(service.state, 'disconnected', `${url} ${code}`);
    assert.equal(states.items.at(-1).error.code, code);
  }
});

test('calls without Connect, and after Disconnect', async (t) => {
  const p = person(rte);
  const { service } = open(t, rte.hub, p.token());
  await rejects(service.Subscribe([p.calls]), { code: 'not-connected' });
  await service.Connect();
  assert.equal((await service.Subscribe([p.calls])).length, 1);
  const loop = service.Messages().next();
  await service.Disconnect();
  assert.deepEqual(await loop, { value: undefined, done: true });
  await rejects(service.UnsubscribeAll(), { code: 'not-connected' });
  await service.Connect();
  assert.deepEqual(await service.GetActiveSubscriptions(), []);
});

test('results: each item, in order, with the page\'s four members; two more where the item asks', async (t) => {
  const p = person(rte);
  const { service } = await connect(t, rte.hub, p.token());
  const results = await service.Subscribe([
    { EntityId: 'x', EventName: 'UserStatus' },
    { EntityId: p.user.toUpperCase(), EventName: 'userstatus' },
    { EntityId: randomUUID(), EventName: 'UserStatus' },
    { EntityId: p.user, EventName: 'NoSuch' },
    { ...p.calls, After: '' },
  ]);
  assert.deepEqual(results.map((r) => r.message), ['Invalid EntityId', null, 'Unauthorized', 'Invalid event name', null]);
  assert.deepEqual(results.map((r) => Object.keys(r).length), [4, 4, 4, 4, 6]);
  assert.deepEqual(await service.Subscribe([]), []);
  assert.throws(() => service.Subscribe('x'), TypeError);
  assert.equal(await service.UnsubscribeAll(), true);
});

test('a thousand pairs go in as many calls as they need', async (t) => {
  const users = upTo(1000).map(() => randomUUID());
  const { service } = await connect(t, rte.hub, rte.token({ role: 'supervisor', users }));
  const list = users.map((EntityId) => ({ EntityId, EventName: 'UserStatus' }));
  const results = await service.Subscribe(list);
  assert.deepEqual(results.map((r) => [r.subscribed, r.entityId]), users.map((u) => [true, u]));
  assert.equal((await service.GetActiveSubscriptions()).length, 1000);
  assert.equal((await service.Unsubscribe(list)).length, 1000);
  assert.deepEqual(await service.GetActiveSubscriptions(), []);
});

test('a handler that throws keeps nothing from the next; off ends it', async (t) => {
  const p = person(rte);
  const { service, messages } = await connect(t, rte.hub, p.token());
  const uncaught = [];
  const was = console.error;
  console.error = (err) => uncaught.push(err.message);
  t.after(() => (console.error = was));
  const bad = () => {
    throw new Error('of the app');
  };
  service.OnSubscriptionDataChanged.off(messages.push);
  service.OnSubscriptionDataChanged.on(bad);
  service.OnSubscriptionDataChanged.on(messages.push);
  await service.Subscribe([p.calls]);
  await rte.publish(p.call(1), p.org);
  await messages.count(1, 'call');
  service.OnSubscriptionDataChanged.off(bad);
  await rte.publish(p.call(2), p.org);
  await messages.count(2, 'calls');
  assert.deepEqual(uncaught, ['of the app']);
});

test('JSON and MessagePack: the same message, names, dates and all', async (t) => {
  const p = person(rte);
  const json = await connect(t, rte.hub, p.token());
  const packed = await connect(t, rte.hub, p.token(), { messagepack: true });
  const pair = { EntityId: p.user, EventName: 'UserCallbackChanged' };
  for (const { service } of [json, packed]) await service.Subscribe([pair, p.availability]);
  await rte.publish(
    [
      {
        eventName: 'UserCallbackChanged', entityId: p.user, time: '2026-11-22T08:00:00Z',
        data: {
          assignedUserId: p.user, CallBackId: randomUUID(), CallbackExtras: [{ Id: 1, Name: 'A', Value: null }],
          callbackAttempts: [{ id: randomUUID(), timestamp: '2026-11-23T09:41:12.3456789Z', note: 'ä', userId: null, callbackAttemptTypeId: 2 }],
          creationTime: '2026-11-23T09:12:44.500Z', dueDate: null, typeId: 2, SomethingNew: { Foo: [1, { Bar: 2.5 }] },
        },
      },
      { eventName: 'UserAvailability', data: { userId: p.user, availability: 'Busy', CBRId: 7, endTime: '9999-12-31T23:59:59.9999999Z' } },
    ],
    p.org,
  );
  const want = await json.messages.count(2, 'message');
  const have = await packed.messages.count(2, 'message in MessagePack');
  assert.deepEqual(have, want);
  assert.equal(have[1].data.cbrId, 7);
  assert.ok(isEvent(have[0], 'UserCallbackChanged') && !isEvent(have[0], 'UserStatus'));
  assert.deepEqual(await packed.service.Explain([pair]), await json.service.Explain([pair]));
  assert.deepEqual(await packed.service.GetAvailableSubscriptionEvents(), [...eventNames]);
});

test('snapshot: the newest value of a state first, once', async (t) => {
  const p = person(rte);
  await rte.publish({ eventName: 'UserAvailability', data: { userId: p.user, availability: 'Busy' } }, p.org);
  const network = await Network.open(t, rte.url);
  const { service, messages } = await connect(t, `${network.url}/rte`, p.token(), { snapshot: true, statefulReconnect: false });
  await service.Subscribe([p.availability, p.calls]);
  assert.equal((await messages.count(1, 'snapshot'))[0].data.availability, 'Busy');
  network.cut();
  await service.GetActiveSubscriptions();
  await rte.publish({ eventName: 'UserAvailability', data: { userId: p.user, availability: 'Available' } }, p.org);
  await messages.count(2, 'values');
  assert.deepEqual(messages.items.map((m) => m.data.availability), ['Busy', 'Available']);
});

test('for await: every message once; a slow loop is told, a signal ends it', async (t) => {
  const p = person(rte);
  const { service, messages } = await connect(t, rte.hub, p.token());
  await service.Subscribe([p.calls]);
  const seen = [];
  const loop = (async () => {
    for await (const message of service) if (seen.push(message) === 3) break;
  })();
  const stop = new AbortController();
  const slow = service.Messages({ limit: 2 });
  const first = slow.next();
  const aborted = service.Messages({ signal: stop.signal }).next();
  await rte.publish([p.call(1)], p.org);
  assert.equal((await first).value.data.callerNumber, '1');
  assert.equal((await aborted).value.data.callerNumber, '1');
  await rte.publish(upTo(4).map((n) => p.call(n + 1)), p.org);
  await messages.count(5, 'call');
  await within(loop, 'the end of the loop');
  assert.deepEqual(numbers(seen), [1, 2, 3]);
  assert.deepEqual([(await slow.next()).value, (await slow.next()).value].map((m) => m.data.callerNumber), ['2', '3']);
  await rejects(slow.next(), { code: 'overflow' });
});

test('signals: of a call, and of the service', async (t) => {
  const network = await Network.open(t, rte.url);
  network.refuses = true;
  const p = person(rte);
  const end = new AbortController();
  const { service, states } = open(t, `${network.url}/rte`, p.token(), { signal: end.signal });
  const mine = AbortSignal.timeout(50);
  await assert.rejects(service.Connect({ signal: mine }), { name: 'TimeoutError' });
  assert.equal(service.state, 'connecting');
  network.refuses = false;
  await within(service.Connect(), 'Connect');
  end.abort();
  await states.find((s) => s.state === 'disconnected', 'the end');
  await assert.rejects(service.Connect(), { name: 'AbortError' });
});

test('what an operator does: notices, and a close for good', async (t) => {
  const queue = randomUUID();
  const p = person(rte);
  const { service, notices, states } = await connect(t, rte.hub, p.token({ queues: [queue] }));
  const pair = { EntityId: queue, EventName: 'QueueStatus' };
  assert.equal((await service.Subscribe([pair]))[0].subscribed, true);
  const say = (path, body) => fetch(`${rte.admin}/admin/v1/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal((await say('rights', { organizationId: p.org, userId: p.user, queues: [] })).status, 200);
  const notice = await notices.find((n) => n.kind === 'subscriptionRemoved', 'the notice');
  assert.deepEqual(notice.subscription, { entityId: queue, eventName: 'queuestatus' });
  assert.match((await service.Explain([pair]))[0].reason, /Unauthorized/);
  assert.equal((await say('revocations', { user: p.user, org: p.org })).status, 200);
  const { error } = await states.find((s) => s.state === 'disconnected', 'the close');
  assert.equal(error.code, 'closed');
  assert.equal(error.reason, 'revoked');
});

test('a hub whose messages have no cursors: all goes on, and the app is told what may be missing', async (t) => {
  const plain = await ephemeral('--push-extras=false');
  t.after(() => plain.stop());
  const network = await Network.open(t, plain.url);
  const p = person(plain);
  const { service, messages, notices } = await connect(t, `${network.url}/rte`, p.token(), { statefulReconnect: false });
  await service.Subscribe([p.calls]);
  await plain.publish([p.call(1), p.call(2)], p.org);
  await messages.count(2, 'call');
  network.cut();
  await notices.find((n) => n.kind === 'missed', 'the notice');
  await plain.publish(p.call(3), p.org);
  await messages.count(3, 'call');
  await service.GetActiveSubscriptions();
  assert.deepEqual(numbers(messages.items), [1, 2, 3]);
});

test('FetchRteToken asks as the REST API answers', async (t) => {
  const user = randomUUID();
  const { WSSEndpoint, Token } = await FetchRteToken(`${rte.url}/?org=${randomUUID()}`, user);
  const { service } = await connect(t, WSSEndpoint, Token);
  assert.equal((await service.Subscribe([{ EntityId: user, EventName: 'UserStatus' }]))[0].subscribed, true);
  await assert.rejects(FetchRteToken(`${rte.url}/nothing`, user), /404/);
});
