// A node that goes: its clients are told to come back, and do.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { connect, newest, oldest, subscribe } from './clients.mjs';
import { rawConnect } from './raw.mjs';
import { freePort, serve } from './rte.mjs';
import { Inbox, within } from './wait.mjs';

/** Settings of a node that can be started again: the same address, secret and data. */
async function settings(t) {
  const dir = mkdtempSync(join(tmpdir(), 'rte-data-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return { listen: `127.0.0.1:${await freePort()}`, dir, secret: randomBytes(32).toString('hex'), org: randomUUID() };
}

test('SIGTERM: Close with allowReconnect, exit 0; 10.0.11 comes back to a new process and receives', async (t) => {
  const where = await settings(t);
  const user = randomUUID();
  const first = await serve(where);
  t.after(() => first.process.child.kill('SIGKILL'));

  // The page's own withAutomaticReconnect(): after 0, 2, 10 and 30 s.
  const { connection, inbox, signalR } = await connect(t, newest, first.hub, () => first.token({ user }), {}, []);
  const old = await connect(t, oldest, first.hub, first.token({ user }));
  const raw = await rawConnect(t, first.hub, first.token({ user }));
  const story = new Inbox();
  connection.onreconnecting((err) => story.push(`reconnecting: ${err?.message}`));
  connection.onreconnected((id) => story.push(`reconnected: ${typeof id}`));
  connection.onclose((err) => story.push(`closed: ${err?.message}`));
  const oldClosed = new Promise((resolve) => old.connection.onclose(resolve));

  const pair = { EntityId: user, EventName: 'UserCallInComing' };
  const call = (callerNumber) => ({ eventName: 'UserCallInComing', data: { userId: user, callerNumber } });
  await subscribe(connection, pair);
  await first.publish(call('before'));
  await inbox.count(1, 'message of the first process');
  const firstId = connection.connectionId;

  await first.stop(); // fails unless the exit code is 0
  assert.equal(raw.texts.at(-1), '{"type":7,"error":"draining","allowReconnect":true}');
  assert.equal((await within(raw.closed, 'close of the raw connection')).code, 1000);
  assert.match((await within(oldClosed, 'onclose of 1.0.27')).message, /Server returned an error on close: draining/);

  const second = await serve(where);
  t.after(() => second.stop());
  await story.find((s) => s.startsWith('reconnected'), 'onreconnected', 30_000);
  assert.deepEqual(story.items, ['reconnecting: Server returned an error on close: draining', 'reconnected: string']);
  assert.equal(connection.state, signalR.HubConnectionState.Connected);
  assert.notEqual(connection.connectionId, firstId);

  // A new connection has no subscriptions: an event before Subscribe stays away.
  assert.deepEqual(await connection.invoke('GetActiveSubscriptions'), []);
  await second.publish(call('nobody listens'));
  await subscribe(connection, pair);
  await second.publish(call('after'));
  await inbox.find((m) => m.data.callerNumber === 'after', 'message of the second process');
  assert.deepEqual(inbox.items.map((m) => m.data.callerNumber), ['before', 'after']);
});

test('kill -9 right after an accepted publish: a new process on the same data still takes part', async (t) => {
  const where = await settings(t);
  const user = randomUUID();
  const first = await serve(where);
  t.after(() => first.process.child.kill('SIGKILL'));
  const { connection, inbox } = await connect(t, newest, first.hub, () => first.token({ user }), {}, [[0, 100, 200, 400, 800, 1600, 3200]]);
  const back = new Promise((resolve) => connection.onreconnected(resolve));
  const state = (note) => ({ id: note, eventName: 'UserAvailability', data: { userId: user, note } });
  const { cursor } = await first.publish(state('stored'));
  assert.equal(await first.process.stop('SIGKILL'), 'SIGKILL');

  const second = await serve(where);
  t.after(() => second.stop());
  await within(back, 'onreconnected');
  await subscribe(connection, { EntityId: user, EventName: 'UserAvailability' });
  // The store remembers the id of what it had accepted, so the retry is no new
  // event: only the one behind it comes.
  await second.publish([state('stored'), state('new')]);
  const [message] = await inbox.count(1, 'message');
  assert.equal(message.data.note, 'new');
  assert.notEqual(message.cursor, cursor);
});
