// Who is over a limit of rte, and whose connection has lived long enough, as
// the released clients see it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { build, connect, newest, oldest } from './clients.mjs';
import { ephemeral } from './rte.mjs';
import { versions } from './versions.mjs';
import { Inbox, within } from './wait.mjs';

/** Rejects, and with what text. */
function refusal(promise, what) {
  return within(promise, what).then(() => assert.fail(`${what} was not refused`), (err) => err?.message ?? ''); // 1.1 may give null
}

/** A connection of a version that is not started. */
function make({ signalR, httpClient }, url, token, options = {}) {
  return new signalR.HubConnectionBuilder()
    .withUrl(url, { accessTokenFactory: () => token, httpClient: httpClient(), ...options })
    .configureLogging({ log() {} })
    .build();
}

describe('too many connections', () => {
  let node;
  before(async () => {
    node = await ephemeral('--max-connections-per-user=1');
  });
  after(() => node?.stop());

  for (const version of versions) {
    test(`${version.name} says why`, async (t) => {
      const token = node.token();
      const first = make(version, node.hub, token);
      t.after(() => first.stop());
      await within(first.start(), 'the first start');
      const told = await refusal(make(version, node.hub, token).start(), 'the second start');
      if (version.major === 1) assert.equal(told, 'Too Many Requests'); // they negotiate at version 0
      else assert.match(told, /Too many connections: this user has 1, and more are not allowed\. Close one, or try again later\.$/);

      // A client that skips negotiation is bounded, too.
      const webSockets = version.signalR.HttpTransportType.WebSockets;
      await refusal(make(version, node.hub, token, { skipNegotiation: true, transport: webSockets }).start(), 'the start without negotiation');

      // Who goes makes room.
      await within(first.stop(), 'stop');
      await roomAgain(node);
      const next = make(version, node.hub, token);
      t.after(() => next.stop());
      await within(next.start(), 'the start when there is room');
      await within(next.stop(), 'stop');
      await roomAgain(node);
    });
  }
});

/** Waits until the node has seen everybody go. */
function roomAgain(node) {
  const look = async () => {
    for (;;) {
      const text = await (await fetch(`${node.admin}/metrics`)).text();
      if (/^rte_connections 0$/m.test(text)) return;
      await new Promise((resolve) => setTimeout(resolve, 10)); // between two questions, not instead of one
    }
  };
  return within(look(), 'the last connection to be gone');
}

test('new connections too fast: a status, and automatic reconnect goes on trying', async (t) => {
  const node = await ephemeral('--accept-rate-per-user=1');
  t.after(() => node.stop());
  const token = node.token();
  await connect(t, newest, node.hub, token);
  assert.match(await refusal(build(newest, node.hub, token).connection.start(), 'the second start'), /Too Many Requests: Status code '429'$/);
  const again = async () => {
    for (;;) {
      try {
        return await connect(t, newest, node.hub, token);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 200)); // what a client would do
      }
    }
  };
  await within(again(), 'a start when the second is over');
});

for (const client of [newest, oldest]) {
  test(`calls too fast: ${client.name} is told why, and closed if it goes on`, async (t) => {
    const node = await ephemeral('--call-rate-per-connection=2');
    t.after(() => node.stop());
    const { connection } = await connect(t, client, node.hub, node.token());
    const closes = new Inbox();
    connection.onclose((err) => closes.push(err?.message ?? ''));
    const told = [];
    for (let n = 0; n < 500 && closes.items.length === 0; n++) {
      await within(connection.invoke('GetActiveSubscriptions'), 'a call').then(() => told.push('ok'), (err) => told.push(err.message));
    }
    assert.deepEqual(told.slice(0, 2), ['ok', 'ok']);
    assert.match(told[2], /HubException: Too many calls: 2 a second are allowed on one connection\. Wait a second and call again; one call may have many items\.$/);
    assert.deepEqual(await closes.count(1, 'onclose'), ['Server returned an error on close: limit']);
    assert.ok(told.length >= 20, `closed after ${told.length} calls: there was no patience`);
  });
}

test('a connection that is old enough is made anew', async (t) => {
  const node = await ephemeral('--max-connection-age=2s');
  t.after(() => node.stop());
  const { connection } = build(newest, node.hub, node.token(), {}, [[0, 100, 200]]);
  const story = new Inbox();
  connection.onreconnecting((err) => story.push(`reconnecting: ${err?.message}`));
  connection.onreconnected(() => story.push('reconnected'));
  t.after(() => connection.stop());
  await within(connection.start(), 'start');
  await story.count(4, 'onreconnecting or onreconnected');
  assert.deepEqual(story.items.slice(0, 4), [
    'reconnecting: Server returned an error on close: maxage', 'reconnected', 'reconnecting: Server returned an error on close: maxage', 'reconnected',
  ]);
});

test('a connection ends with its token, is told before, and comes back with another', async (t) => {
  const node = await ephemeral('--close-on-expiry', '--jwt-leeway=0s');
  t.after(() => node.stop());
  const user = randomUUID();
  const { connection } = build(newest, node.hub, () => node.token({ user, ttl: 3 }), {}, [[0, 100, 200]]);
  const story = new Inbox();
  connection.on('Notice', ({ kind }) => story.push(kind));
  connection.onreconnecting((err) => story.push(`reconnecting: ${err?.message}`));
  connection.onreconnected(() => story.push('reconnected'));
  t.after(() => connection.stop());
  await within(connection.start(), 'start');
  await within(connection.invoke('EnableNotices', true), 'EnableNotices');
  await story.count(3, 'a notice, the end and the return');
  assert.deepEqual(story.items.slice(0, 3), ['tokenExpiring', 'reconnecting: Server returned an error on close: expired', 'reconnected']);
  await within(connection.invoke('GetActiveSubscriptions'), 'a call of the new connection');
});
