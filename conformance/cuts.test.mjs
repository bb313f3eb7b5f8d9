// Stateful reconnect, as clients since 8.0 have it: the network is cut again
// and again while calls, streams and pushes go both ways. Nothing is lost,
// nothing comes twice, and nobody notices.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { startHub } from './hub.mjs';
import { Network } from './proxy.mjs';
import { onEveryWay, open, ways } from './ways.mjs';
import { Inbox, within } from './wait.mjs';

let hub;
before(async () => {
  hub = await startHub();
});
after(() => hub?.stop());

const numbers = (n) => Array.from({ length: n }, (_, i) => i);

/** A connection over a network that can be cut. */
async function enter(t, way, path = '/stateful', retries = [0, 50, 100, 200, 400, 800, 1600, 3200]) {
  const network = await Network.open(t, hub.url);
  const resume = (builder) => builder.withStatefulReconnect();
  return { network, ...(await open(t, way, network.url + path, { builder: resume, reconnect: [retries] })) };
}

/** Nobody has noticed anything. */
function unnoticed({ connection, hello, story, closes, id }) {
  assert.deepEqual(story.items, []);
  assert.deepEqual(closes.items, []);
  assert.deepEqual(hello.items, [id], 'connected once');
  assert.equal(connection.connectionId, id);
  assert.deepEqual(hub.diary.filter((line) => line.id === id).map((line) => line.what), ['connected']);
}

/** The ways on which a connection can outlive its socket. */
const lasting = ways.filter(({ client, mode }) => client.resumes && ['WebSockets', 'automatic'].includes(mode));
test('there are such ways', () => assert.equal(lasting.length, 3 * 2 * 2));

onEveryWay((way) => {
  describe('cut', { concurrency: true }, () => {
    for (const [name, cut] of [['cut between messages', 'cut'], ['cut inside messages', 'cutInside'], ["cut on the client's side only", 'strand']]) {
      test(`${name}, eight times: same id, nothing lost, nothing twice`, async (t) => {
        const site = await enter(t, way);
        const { connection, messages, network, invoke } = site;
        const { Subject } = way.client.signalR;
        const count = 400;

        // Pushes and a stream down, calls and an upload up, all at once.
        connection.stream('Ticks', count, 1).subscribe({ next() {}, complete() {}, error: (err) => messages.push([err]) });
        const down = new Inbox();
        const downEnd = new Promise((resolve) => {
          connection.stream('Counter', count, 1).subscribe({ next: down.push, complete: () => resolve('complete'), error: resolve });
        });
        const up = new Subject();
        const upEnd = connection.invoke('Concat', '', up);
        const calls = [];
        for (const i of numbers(count)) {
          const cuts = i % 50 === 25;
          if (cuts) await network[cut]();
          calls.push(connection.invoke('Note', i));
          up.next(`${i},`);
          if (cuts) await within(calls[i], 'answer behind the cut'); // the client has one attempt: it gets it whole
          await messages.count(i + 1, 'push');
        }
        up.complete();

        assert.deepEqual(await within(Promise.all(calls), 'answers'), numbers(count));
        assert.deepEqual(await invoke('Notes'), numbers(count), 'what the server was told');
        assert.deepEqual(messages.items, numbers(count).map((i) => [i]));
        assert.equal(await within(downEnd, 'end of the stream'), 'complete');
        assert.deepEqual(down.items, numbers(count));
        assert.equal(await within(upEnd, 'end of the upload'), numbers(count).map((i) => `${i},`).join(''));
        assert.equal(network.cuts, 8);
        unnoticed(site);
        await connection.stop();
        assert.equal((await hub.ended(site.id)).reason, 'goodbye');
      });
    }

    test('what piles up while the client is away comes in the end', async (t) => {
      const site = await enter(t, way);
      const { connection, messages, network, invoke } = site;
      const text = 'x客'.repeat(500);
      const pushed = connection.invoke('Pushes', 200, text); // 400 KB, more than a client's own buffer
      const calls = numbers(200).map((i) => connection.invoke('Echo', `${i}${text}`));
      network.cut();
      assert.equal(await within(pushed, 'end of the pushes'), 200);
      assert.deepEqual(await within(Promise.all(calls), 'answers'), numbers(200).map((i) => `${i}${text}`));
      assert.deepEqual(messages.items, numbers(200).map((i) => [i, text]));
      assert.equal(await invoke('Echo', 'on'), 'on');
      unnoticed(site);
    });

    test('a client that is cut while nothing happens hears what comes later', async (t) => {
      const site = await enter(t, way);
      const other = await enter(t, way);
      for (let i = 0; i < 5; i++) {
        site.network.cut();
        await other.invoke('SendToClient', site.id, i);
        await site.messages.count(i + 1, 'push');
      }
      assert.deepEqual(site.messages.items, numbers(5).map((i) => [i]));
      unnoticed(site);
    });

    test('members of groups and users stay what they are', async (t) => {
      const user = randomUUID();
      const site = await enter(t, way, `/stateful?user=${user}`);
      const other = await enter(t, way);
      await site.invoke('Join', `group of ${user}`);
      site.network.cut();
      await other.invoke('SendToGroup', `group of ${user}`, 'to the group');
      await other.invoke('SendToUser', user, 'to the user');
      await site.messages.count(2, 'push');
      assert.deepEqual(site.messages.items, [['to the group'], ['to the user']]);
      unnoticed(site);
    });

    test('a result that the server waits for survives the cut', async (t) => {
      const site = await enter(t, way);
      const other = await enter(t, way);
      site.connection.on('Answer', async () => {
        site.network.cut();
        return 'behind the cut';
      });
      assert.equal(await other.invoke('AskOther', site.id, 'Answer'), 'behind the cut');
      unnoticed(site);
    });

    test('a network that stays away: a new connection, and the end of the old one', async (t) => {
      const site = await enter(t, way);
      site.network.refuses = true;
      site.network.cut();
      await site.story.count(1, 'reconnecting');
      site.network.refuses = false;
      await site.story.count(2, 'reconnected');
      assert.notEqual(site.connection.connectionId, site.id);
      assert.equal(site.story.items[1], `reconnected: ${site.connection.connectionId}`);
      assert.equal(await site.invoke('Echo', 'on'), 'on');
      assert.equal((await hub.ended(site.id)).reason, 'lost');
    });

    test('Close is the end of a connection, whatever was agreed', async (t) => {
      const site = await enter(t, way);
      await assert.rejects(within(site.connection.invoke('CloseAllow', ''), 'end of the call'));
      await site.story.count(2, 'reconnected');
      assert.notEqual(site.connection.connectionId, site.id);
      assert.equal((await hub.ended(site.id)).reason, 'asked');
      await assert.rejects(within(site.connection.invoke('Abort', ''), 'end of the call'));
      await site.closes.count(1, 'onclose');
      assert.equal(site.story.items.length, 2);
    });

    test('where the server does not agree, a cut is an ordinary reconnect', async (t) => {
      const site = await enter(t, way, '/default');
      site.network.cut();
      await site.story.count(2, 'reconnected');
      assert.notEqual(site.connection.connectionId, site.id);
      assert.equal((await hub.ended(site.id)).reason, 'lost');
      assert.equal(await site.invoke('Echo', 'on'), 'on');
    });
  });
}, lasting);
