// How connections end, and what clients do then, over every way to the hub.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startHub } from './hub.mjs';
import { Network } from './proxy.mjs';
import { assertClosedWith, build, failure, onEveryWay, open, transportOf, ways } from './ways.mjs';
import { within } from './wait.mjs';

let hub;
before(async () => {
  hub = await startHub();
});
after(() => hub?.stop());

/** What a call is told that no answer came for. */
const canceled = /^Invocation canceled due to (the underlying )?connection being closed\.$/;

/** A connection with automatic reconnect where the version has it. */
function enter(t, way, url) {
  return open(t, way, url, { reconnect: way.client.reconnects ? [[0, 50, 100, 200, 400, 800, 1600]] : undefined });
}

/**
 * Waits for the client's next connection, which works; why is what it says of
 * the first one's end, or a text that the server's Close had, or undefined.
 */
async function again({ connection, hello, story, closes, invoke, id }, way, why) {
  await story.count(2, 'onreconnected');
  await hello.count(2, 'greeting of the next connection');
  const next = hello.items[1];
  assert.notEqual(next, id);
  const [, told] = /^reconnecting: (.*)$/.exec(story.items[0]);
  if (why instanceof RegExp) assert.match(told, why);
  else assertClosedWith(way, told === 'undefined' ? undefined : { message: told }, why);
  assert.equal(story.items[1], `reconnected: ${way.mode === 'skipped negotiation' ? undefined : next}`);
  if (way.mode !== 'skipped negotiation') assert.equal(connection.connectionId, next);
  assert.equal((await invoke('Whoami')).id, next);
  assert.deepEqual(closes.items, []);
}

/** The end of a connection that does not come back: what onclose is told, once. */
async function over({ closes, story }) {
  const [err] = await closes.count(1, 'onclose');
  assert.deepEqual(story.items, []);
  return err;
}

onEveryWay((way) => {
  const { client } = way;
  test('stop is no error for either side, and calls that wait are told', async (t) => {
    const site = await enter(t, way, `${hub.url}/default`);
    const pending = site.connection.invoke('Wait').catch((err) => err.message);
    await site.connection.send('Note', 1); // sent behind it, so that both have left
    await within(site.connection.stop(), 'stop');
    assert.equal(await over(site), undefined);
    assert.match(await within(pending, 'end of the call'), canceled);
    const { reason, error } = await hub.ended(site.id);
    assert.deepEqual([reason, error], ['goodbye', undefined]);
  });

  test('Close without allowReconnect: the client stays away', async (t) => {
    for (const [method, text, want] of [['Abort', ''], ['CloseError', 'go "away" 客', 'Server returned an error on close: go "away" 客']]) {
      const site = await enter(t, way, `${hub.url}/default`);
      const call = failure(site.connection.invoke(method, text), method);
      assertClosedWith(way, await over(site), want);
      const told = (await call).message; // of the call: no answer, or why
      if (!canceled.test(told)) assertClosedWith(way, { message: told }, want);
      assert.equal((await hub.ended(site.id)).error, undefined);
    }
  });

  test('Close with allowReconnect: the client comes back with a new connection', async (t) => {
    for (const [text, why] of [['', undefined], ['come back', 'Server returned an error on close: come back']]) {
      const site = await enter(t, way, `${hub.url}/default`);
      await failure(site.connection.invoke('CloseAllow', text), 'the call that ends it');
      if (client.reconnects) await again(site, way, why);
      else assertClosedWith(way, await over(site), why);
      assert.equal((await hub.ended(site.id)).reason, 'asked');
      await site.connection.stop();
    }
  });

  test('a connection that is cut: the client comes back, the server has noticed', async (t) => {
    const network = await Network.open(t, hub.url);
    const site = await enter(t, way, `${network.url}/quick`);
    network.cut();
    if (client.version === '1.0.27' && way.mode === 'LongPolling') { // its XMLHttpRequest asks again by itself
      assert.equal(await site.invoke('Echo', 'on'), 'on');
      await site.connection.stop();
      return;
    }
    if (client.reconnects) await again(site, way, /./);
    else assert.notEqual(await over(site), undefined);
    const { reason } = await hub.ended(site.id);
    assert.equal(reason, transportOf(way.mode) === 'WebSockets' ? 'lost' : 'goodbye');
  });

  test('OnConnected fails: an error, and no way back', async (t) => {
    const { connection, closes, story } = build(way, `${hub.url}/refusing`, { reconnect: client.reconnects ? [[0]] : undefined });
    t.after(() => connection.stop());
    // The handshake was good, so start may be through before the Close comes.
    const early = await within(connection.start().then(() => undefined, (err) => err), 'end of start');
    const err = early ?? (await closes.count(1, 'onclose'))[0];
    // Its ping may come when the connection has gone already.
    if (early && /^(No Connection with that ID: Status code '404'|Not Found)$/.test(early.message)) return;
    assertClosedWith(way, err, 'Server returned an error on close: Connection closed with an error.');
    assert.deepEqual(story.items, []);
  });
});

test('SIGTERM: every client is told to come back, and the hub ends well', async (t) => {
  const own = await startHub();
  const sites = await Promise.all(ways.map((way) => open(t, way, `${own.url}/default`, { reconnect: way.client.reconnects ? [[]] : undefined })));
  await own.stop(); // fails unless the exit code is 0
  for (const [i, { closes, story, id }] of sites.entries()) {
    const way = ways[i];
    const { reason } = await own.ended(id);
    assert.equal(reason, 'draining', way.name);
    const [err] = await closes.count(1, `onclose of ${way.name}`);
    assertClosedWith(way, err, undefined);
    // Its policy gives it no attempt: it would have made one.
    assert.deepEqual(story.items, [], way.name);
  }
});

test('timers: who is quiet stays, who has pinged and then falls silent is closed', async (t) => {
  // The timers of this site are one to three seconds. In that time no client pings,
  // but since 7.0 once when it starts; who polls does not even do that.
  const sites = await Promise.all(ways.map((way) => enter(t, way, `${hub.url}/quick`)));
  const silent = (way) => way.client.major >= 7 && transportOf(way.mode) !== 'LongPolling';
  await Promise.all(sites.map(async (site, i) => {
    const way = ways[i];
    if (silent(way)) {
      const began = performance.now();
      await again(site, way, 'Server returned an error on close: Connection closed with an error.');
      assert.ok(performance.now() - began > 2000, `${way.name}: too early`);
      assert.equal((await hub.ended(site.id)).reason, 'timeout');
      await site.connection.stop();
    }
  }));
  await Promise.all(sites.map(async (site, i) => {
    const way = ways[i];
    if (silent(way)) return;
    assert.equal(await site.invoke('Echo', 'still here'), 'still here', way.name);
    assert.deepEqual([site.closes.items, site.story.items], [[], []], way.name);
  }));
});

test('timers: clients that ping are not closed', { timeout: 30_000 }, async (t) => {
  const pinging = ways.filter((way) => way.client.major >= 8);
  const sites = await Promise.all(pinging.map((way) => open(t, way, `${hub.url}/quick`, {
    reconnect: [[0]], builder: (b) => b.withKeepAliveInterval(500).withServerTimeout(4000),
  })));
  await new Promise((resolve) => setTimeout(resolve, 5500)); // longer than the time-outs of both sides
  for (const [i, site] of sites.entries()) {
    assert.equal(await site.invoke('Echo', 'still here'), 'still here', pinging[i].name);
    assert.deepEqual([site.closes.items, site.story.items], [[], []], pinging[i].name);
  }
});
