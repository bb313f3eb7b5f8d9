// `rte demo`: live at once, with nothing to configure.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clients, connect, subscribe } from './clients.mjs';
import { demo } from './demo.mjs';
import { rteProcess } from './rte.mjs';
import { within } from './wait.mjs';

/** Milliseconds from the start of the process; after compiling, as the issue says. */
const LIVE = 3000;

/** A demo is started so often at most: a machine that is busy with something else may be slow once. */
const TRIES = 3;

test('live within 3 s: the printed page answers, the printed `listen` line hears its queue', async (t) => {
  let times;
  for (let i = 0; i < TRIES; i++) {
    times = await startOnce(t);
    t.diagnostic(`page after ${times.answered} ms, first push after ${times.heard} ms`);
    if (times.answered < LIVE && times.heard < LIVE) return;
  }
  assert.fail(`not live within ${LIVE} ms in ${TRIES} tries: the last page came after ${times.answered} ms, the last first push after ${times.heard} ms`);
});

/** Starts a demo, does what it prints, checks what comes, and returns when each came. */
async function startOnce(t) {
  const { process, boardUrl, listenArgs, since } = await demo(t);
  const page = await fetch(boardUrl);
  const answered = Math.round(since());
  assert.equal(page.status, 200, `the page answers ${page.status}`);
  const listener = rteProcess(...listenArgs, '--count=1');
  t.after(() => listener.child.kill('SIGKILL'));
  const message = JSON.parse(await listener.line(() => true, 'a pushed message'));
  const heard = Math.round(since());
  assert.equal(`${message.subscription.entityId}:${message.subscription.eventName}`, listenArgs.at(-1).toLowerCase());
  assert.equal(message.data.queueId, message.subscription.entityId);
  assert.equal(typeof message.data.nbrOfAgentsCheckedInQueue, 'number');
  assert.equal(await within(listener.exit, 'end of rte listen'), 0, listener.errors());
  assert.equal(await process.stop(), 0, process.errors());
  return { answered, heard };
}

test('the printed address gives out tokens as the REST API does, and both clients hear agents and queues with them', async (t) => {
  const { process, tokenUrl } = await demo(t);
  const { WSSEndpoint, Token } = await (await fetch(tokenUrl)).json();
  assert.match(WSSEndpoint, /^127\.0\.0\.1:\d+\/rte$/);
  const { sub, queues, users } = claimsOf(await boardToken(process));
  assert.ok(queues.length > 0 && users.length > 0);
  for (const client of clients) {
    const { connection, inbox } = await connect(t, client, `http://${WSSEndpoint}`, Token);
    await subscribe(
      connection,
      ...queues.map((EntityId) => ({ EntityId, EventName: 'QueueStatus' })),
      ...users.map((EntityId) => ({ EntityId, EventName: 'UserStatus' })),
    );
    await inbox.find((m) => m.subscription.eventName === 'queuestatus', 'status of a queue');
    await inbox.find((m) => m.subscription.eventName === 'userstatus', 'status of an agent', 30_000);
  }
  assert.ok(users.includes(sub));
});

test('it stays on loopback', async () => {
  const p = rteProcess('demo', '--listen=0.0.0.0:0', '--admin-listen=127.0.0.1:0');
  assert.equal(await within(p.exit, 'end of rte demo'), 2);
  assert.match(p.errors(), /loopback/);
});

async function boardToken(process) {
  const line = await process.line((text) => text.includes('#token='), 'the address of the wallboard');
  return line.split('#token=')[1];
}

function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}
