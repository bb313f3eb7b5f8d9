// Every released version of the JavaScript client × every transport × both
// encodings: the same visit, from start to stop.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { build, newest } from './clients.mjs';
import { ephemeral } from './rte.mjs';
import { versions } from './versions.mjs';
import { SOON, within } from './wait.mjs';

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

const transports = ['WebSockets', 'ServerSentEvents', 'LongPolling', 'automatic'];
const encodings = ['json', 'messagepack'];

/** Names of members as an encoding has them: MessagePack those of the platform's own classes. */
const spelled = (encoding, ...names) => (encoding === 'json' ? names : names.map((name) => name[0].toUpperCase() + name.slice(1)));

/** An object with its names spelled like that. */
const named = (encoding, object) => Object.fromEntries(Object.entries(object).map(([name, value]) => [spelled(encoding, name)[0], value]));

/** Waits until the server counts n connections. */
async function connections(n) {
  let seen;
  for (const deadline = performance.now() + SOON; performance.now() < deadline; ) {
    const text = await fetch(`${rte.admin}/metrics`, { signal: AbortSignal.timeout(SOON) }).then((r) => r.text());
    seen = Number(/^rte_connections (\d+)$/m.exec(text)?.[1]);
    if (seen === n) return;
    await new Promise((resolve) => setTimeout(resolve, 10)); // between two questions, not instead of one
  }
  assert.fail(`the server counts ${seen} connections, want ${n}`);
}

/** A client that tells which requests it makes: "POST /rte/negotiate". */
function recording(signalR, requests) {
  const client = new signalR.DefaultHttpClient({ log() {} });
  const send = client.send.bind(client);
  client.send = (request) => {
    requests.push(`${request.method} ${new URL(request.url).pathname}`);
    return send(request);
  };
  return client;
}

/** The requests of a visit tell its transport. */
function assertTransport(transport, requests) {
  const has = (request) => requests.includes(request);
  assert.equal(has('POST /rte/negotiate'), true);
  switch (transport) {
    case 'LongPolling':
      assert.ok(has('GET /rte') && has('POST /rte'), `polls and sends: ${requests}`);
      assert.equal(requests.filter((r) => r === 'DELETE /rte').length, 1, 'stop sends DELETE, once');
      break;
    case 'ServerSentEvents':
      assert.ok(!has('GET /rte') && has('POST /rte'), `sends, and the stream is no request of this client: ${requests}`);
      break;
    default:
      assert.deepEqual(requests, ['POST /rte/negotiate']);
  }
}

async function visit(t, client, transport, encoding) {
  const [org, user, other] = [randomUUID(), randomUUID(), randomUUID()];
  const requests = [];
  const options = { httpClient: recording(client.signalR, requests) };
  if (transport !== 'automatic') options.transport = client.signalR.HttpTransportType[transport];
  const protocol = encoding === 'messagepack' ? client.messagePack() : undefined;
  const { connection, inbox } = build(client, rte.hub, rte.token({ org, user }), options, undefined, protocol);
  t.after(() => connection.stop());
  let closed = 'no';
  const ended = new Promise((resolve) => {
    connection.onclose((err) => resolve((closed = String(err))));
  });

  await within(connection.start(), 'start');
  await connections(1);
  const invoke = (method, ...args) => within(connection.invoke(method, ...args), `answer to ${method}`);
  const result = (subscribed, message, entityId, eventName) => named(encoding, { subscribed, message, entityId, eventName });
  const pair = (entityId, eventName) => named(encoding, { entityId, eventName });

  const items = [
    { EntityId: user, EventName: 'UserCallInComing' },
    { EntityId: user, EventName: 'UserAvailability' },
    { EntityId: other, EventName: 'UserCallInComing' },
    { EntityId: 'no Guid', EventName: 'x' },
  ];
  assert.deepEqual(await invoke('Subscribe', items), [
    result(true, null, user, 'usercallincoming'),
    result(true, null, user, 'useravailability'),
    result(false, 'Unauthorized', other, 'usercallincoming'),
    result(false, 'Invalid EntityId', 'no Guid', 'x'),
  ]);
  assert.deepEqual(await invoke('GetActiveSubscriptions'), [pair(user, 'usercallincoming'), pair(user, 'useravailability')]);
  assert.ok((await invoke('AvailableSubscriptions')).includes('UserAvailability'));
  await assert.rejects(invoke('Subscribe', 'text'), { message: "Failed to invoke 'Subscribe' due to an error on the server." });

  const numbers = Array.from({ length: 50 }, (_, i) => String(i));
  const call = (callerNumber) => ({ eventName: 'UserCallInComing', data: { userId: user, callerNumber } });
  await rte.publish(numbers.slice(0, 1).map(call), org);
  await rte.publish(numbers.slice(1).map(call), org);
  await inbox.count(50, 'pushed message');
  const [subscription, data, cursor, time, number] = spelled(encoding, 'subscription', 'data', 'cursor', 'time', 'callerNumber');
  assert.deepEqual(inbox.items.map((m) => m[data][number]), numbers);
  assert.deepEqual(Object.keys(inbox.items[0]), [subscription, data, cursor, time]);
  assert.deepEqual(inbox.items[0][subscription], pair(user, 'usercallincoming'));
  assert.match(inbox.items[0][cursor], /./);
  assert.ok(Math.abs(Date.now() - new Date(inbox.items[0][time])) < 600_000);
  assert.equal(inbox.items[0][time] instanceof Date, encoding === 'messagepack');

  // What was given up does not come any more, the other one does, dates and all.
  assert.deepEqual(await invoke('Unsubscribe', items.slice(0, 1)), [result(false, null, user, 'usercallincoming')]);
  const startTime = '2026-11-22T08:00:00.5Z';
  await rte.publish([call('late'), { eventName: 'UserAvailability', data: { userId: user, startTime, note: '客服 👩🏽‍💻' } }], org);
  await inbox.count(51, 'pushed message');
  const last = inbox.items[50][data];
  const [start, note] = spelled(encoding, 'startTime', 'note');
  assert.equal(last[note], '客服 👩🏽‍💻');
  if (encoding === 'json') assert.equal(last[start], startTime);
  else assert.deepEqual(last[start], new Date(startTime));

  assert.equal(closed, 'no');
  await within(connection.stop(), 'stop');
  assert.equal(await within(ended, 'end of the connection'), 'undefined', 'stop is no error');
  await connections(0);
  assert.equal(inbox.items.length, 51);
  assertTransport(transport, requests);
}

for (const client of versions) {
  for (const transport of transports) {
    for (const encoding of encodings) {
      if (transport === 'ServerSentEvents' && encoding === 'messagepack') continue; // text only
      test(`${client.name}, ${transport}, ${encoding}`, (t) => visit(t, client, transport, encoding));
    }
  }
}

test('MessagePack over server-sent events: the client says why not', async () => {
  const client = versions.at(-1);
  const options = { transport: client.signalR.HttpTransportType.ServerSentEvents };
  const { connection } = build(newest, rte.hub, rte.token(), options, undefined, client.messagePack());
  await assert.rejects(within(connection.start(), 'start'), /does not support Binary/);
  await connections(0);
});
