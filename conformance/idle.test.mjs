// Connections on which nothing happens: 1.0.27 never pings, 10.0.11 only when
// it is spoken to and gives up after 30 s of silence. This file waits for
// 36 s; its tests wait together.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { clients, connect, subscribe } from './clients.mjs';
import { rawConnect } from './raw.mjs';
import { ephemeral } from './rte.mjs';
import { within } from './wait.mjs';

/** Longer than any 30 s time-out of either side with a second to notice it. */
const IDLE = 36_000;

const idle = () => new Promise((resolve) => setTimeout(resolve, IDLE));

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

describe('after 36 s of silence', { concurrency: true }, () => {
  for (const client of clients) {
    test(`${client.name} is connected and receives`, async (t) => {
      const user = randomUUID();
      const { connection, inbox } = await connect(t, client, rte.hub, rte.token({ user }));
      let closed = 'no';
      connection.onclose((err) => (closed = `closed: ${err}`));
      await subscribe(connection, { EntityId: user, EventName: 'UserStatus' });
      await idle();
      assert.equal(closed, 'no');
      await rte.publish({ eventName: 'UserStatus', data: { userId: user, available: true } });
      const [message] = await inbox.count(1, 'pushed message');
      assert.equal(message.data.available, true);
      assert.equal(inbox.items.length, 1);
      assert.equal((await within(connection.invoke('GetActiveSubscriptions'), 'answer')).length, 1);
    });
  }

  test('a raw connection that never pings is still there and was pinged every 16 s', async (t) => {
    const raw = await rawConnect(t, rte.hub, rte.token());
    const began = performance.now();
    await idle();
    assert.equal(raw.socket.readyState, raw.socket.OPEN);
    const pings = raw.messages.items.filter((m) => m.text === '{"type":6}').map((m) => m.at - began);
    assert.ok(pings.length >= 2, `${pings.length} pings in 36 s`);
    [0, ...pings].forEach((at, i, all) => {
      if (i > 0) assert.ok(at - all[i - 1] < 16_500, `pings at ${all.map(Math.round)} ms`);
    });
    assert.deepEqual(raw.texts, ['{}'], 'pings and nothing else');
  });

  test('a raw connection that pinged once and then fell silent is closed, and may come back', async (t) => {
    const raw = await rawConnect(t, rte.hub, rte.token());
    raw.send('{"type":6}');
    const began = performance.now();
    const end = await within(raw.closed, 'close', IDLE);
    const took = performance.now() - began;
    assert.ok(took > 29_000 && took < 33_000, `closed after ${Math.round(took)} ms`);
    const close = JSON.parse(raw.texts.at(-1));
    assert.equal(close.type, 7);
    assert.equal(close.allowReconnect, true);
    assert.match(close.error, /^Connection closed with an error\./);
    assert.equal(end.code, 1000);
  });
});
