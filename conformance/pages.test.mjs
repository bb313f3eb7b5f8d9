// The newest client in headless Chromium, as a page of another origin than the
// hub: every transport and encoding, plain and through the front, and cuts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { openBrowser } from './chromium.mjs';
import { startHub } from './hub.mjs';
import { Network } from './proxy.mjs';
import { newestWays, transportOf } from './ways.mjs';
import { SOON, within } from './wait.mjs';

const require = createRequire(import.meta.url);

/** A file of a package's browser build. */
const bundle = (name, file) => readFileSync(join(dirname(dirname(require.resolve(name))), 'browser', file), 'utf8');

let hub, context, origin;
const closing = [];
const scope = { after: (act) => closing.push(act) };
before(async () => {
  hub = await startHub();
  const files = {
    '/': ['text/html', '<!doctype html><meta charset="utf-8"><title>visitor</title><link rel="icon" href="data:,"><script src="signalr.js"></script><script src="msgpack.js"></script><script src="visit.js"></script>'],
    '/signalr.js': ['text/javascript', bundle('@microsoft/signalr', 'signalr.js')],
    '/msgpack.js': ['text/javascript', bundle('@microsoft/signalr-protocol-msgpack', 'signalr-protocol-msgpack.js')],
    '/visit.js': ['text/javascript', `${connect}\n${visit}\n${cutVisit}`],
  };
  const server = createServer((req, res) => {
    const [type, body] = files[new URL(req.url, 'http://x').pathname] ?? [];
    res.writeHead(body === undefined ? 404 : 200, { 'Content-Type': `${type}; charset=utf-8` }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.after(() => server.closeAllConnections());
  scope.after(() => server.close());
  origin = `http://127.0.0.1:${server.address().port}`;
  context = (await openBrowser(scope, { ignoreHTTPSErrors: true })).context(); // the front's certificate is its own
});
after(async () => {
  for (const act of closing.reverse()) await act();
  await hub?.stop();
});

/** A page of the site, what its console complains of, and the HTTP versions of the answers it got from the hub. */
async function openPage(t) {
  const page = await context.newPage();
  t.after(() => page.close());
  page.setDefaultTimeout(SOON);
  const complaints = [];
  page.on('pageerror', (err) => complaints.push(err.message));
  const versions = new Set();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.enable');
  devtools.on('Network.responseReceived', ({ type, response }) => type !== 'Preflight' && !response.url.startsWith(origin) && versions.add(response.protocol));
  await page.goto(`${origin}/`);
  return { page, complaints, versions };
}

// What follows runs in the page.
/* global signalR */

/** A connection over a way, and everything that comes to it. */
function connect({ url, mode, encoding, token, stateful }) {
  const options = { accessTokenFactory: () => token };
  if (mode === 'skipped negotiation') Object.assign(options, { skipNegotiation: true, transport: signalR.HttpTransportType.WebSockets });
  else if (mode !== 'automatic') options.transport = signalR.HttpTransportType[mode];
  const builder = new signalR.HubConnectionBuilder().withUrl(url, options).configureLogging(signalR.LogLevel.None).withAutomaticReconnect([0, 100, 300, 1000]);
  if (encoding === 'messagepack') builder.withHubProtocol(new signalR.protocols.msgpack.MessagePackHubProtocol());
  if (stateful) builder.withStatefulReconnect();
  const connection = builder.build();
  const site = { connection, messages: [], hello: [], story: [] };
  connection.on('Message', (...args) => site.messages.push(args));
  connection.on('Hello', (id) => site.hello.push(id));
  connection.on('Double', (n) => 2 * n);
  connection.onreconnecting((err) => site.story.push(`reconnecting: ${err?.message}`));
  connection.onreconnected((id) => site.story.push(`reconnected: ${id}`));
  connection.onclose((err) => site.story.push(`closed: ${err?.message}`));
  site.until = async (enough) => {
    while (!enough()) await new Promise((resolve) => setTimeout(resolve, 5)); // between two questions, not instead of one
  };
  return site;
}

/** Everything that a page does with a hub; returns what it has seen. */
async function visit(way) {
  const { connection, messages, hello, story, until } = connect(way);
  await connection.start();
  const seen = { me: await connection.invoke('Whoami'), first: connection.connectionId };
  seen.echo = await connection.invoke('Echo', { text: '客 👩🏽‍💻 \u2028\x1e "', list: [1, null, -2.5, [true]], when: way.encoding === 'messagepack' ? new Date(1e12) : '2001-09-09' });
  if (way.encoding === 'messagepack') {
    seen.when = seen.echo.when instanceof Date && seen.echo.when.getTime();
    seen.bytes = [...await connection.invoke('Echo', Uint8Array.from([0, 30, 255]))];
  }
  seen.errors = [];
  for (const [method, ...args] of [['Nope'], ['Add', 1], ['Fail', 'secret'], ['FailOpen', 'no']]) {
    seen.errors.push(await connection.invoke(method, ...args).catch((err) => err.message));
  }
  await connection.invoke('Pushes', 300, 'x'.repeat(300));
  seen.pushes = messages.map(([n]) => n);
  seen.many = await Promise.all(Array.from({ length: 100 }, (_, i) => connection.invoke('Note', i)));
  seen.notes = await connection.invoke('Notes');
  seen.items = [];
  await new Promise((resolve, reject) => {
    connection.stream('Counter', 20, 1).subscribe({ next: (n) => seen.items.push(n), complete: resolve, error: reject });
  });
  const subject = new signalR.Subject();
  const upload = connection.invoke('Concat', '', subject);
  for (const text of ['a', '客', 'c']) subject.next(text);
  subject.complete();
  seen.upload = await upload;
  seen.doubled = await connection.invoke('Ask', 'Double', 21);
  seen.ended = await connection.invoke('CloseAllow', 'come back').catch((err) => err.message);
  await until(() => hello.length === 2);
  await until(() => story.length === 2);
  seen.second = [connection.connectionId, (await connection.invoke('Whoami')).id];
  seen.hello = hello;
  await connection.stop();
  await until(() => story.length === 3);
  return { ...seen, story };
}

/** Calls, a stream and pushes while the network is cut; returns what has come. */
async function cutVisit(way, count) {
  const { connection, messages, hello, story, until } = connect({ ...way, stateful: true });
  await connection.start();
  const id = connection.connectionId;
  connection.stream('Ticks', count, 2).subscribe({ next() {}, complete() {}, error: (err) => messages.push([err.message]) });
  const calls = [];
  for (let i = 0; i < count; i++) {
    calls.push(connection.invoke('Note', i));
    if (i % 50 === 25) {
      await window.cut();
      await connection.invoke('Nothing');
    }
    await until(() => messages.length > i);
  }
  const answers = await Promise.all(calls);
  const notes = await connection.invoke('Notes');
  const same = connection.connectionId === id;
  const before = [...story];
  await connection.stop();
  return { answers, notes, messages: messages.map(([n]) => n), hello: hello.length, same, story: before };
}

/** What a visit must have seen. */
async function check(seen, { mode, encoding }, complaints) {
  const numbers = (n) => Array.from({ length: n }, (_, i) => i);
  const skipped = mode === 'skipped negotiation';
  const [first, second] = seen.hello;
  assert.deepEqual([seen.me.transport, seen.me.protocol, seen.me.user, seen.me.id], [transportOf(mode), encoding, 'alice', first]);
  assert.equal(seen.first, skipped ? null : first);
  assert.equal(seen.echo.text, '客 👩🏽‍💻 \u2028\x1e "');
  assert.deepEqual(seen.echo.list, [1, null, -2.5, [true]]);
  if (encoding === 'messagepack') assert.deepEqual([seen.when, seen.bytes], [1e12, [0, 30, 255]]);
  assert.deepEqual(seen.errors, [
    "Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist.",
    "Failed to invoke 'Add' due to an error on the server.",
    "An unexpected error occurred invoking 'Fail' on the server.",
    "An unexpected error occurred invoking 'FailOpen' on the server. HubException: no",
  ]);
  assert.deepEqual(seen.pushes, numbers(300));
  assert.deepEqual(seen.many, numbers(100));
  assert.deepEqual(seen.notes, numbers(100));
  assert.deepEqual(seen.items, numbers(20));
  assert.equal(seen.upload, 'a客c');
  assert.equal(seen.doubled, 42);
  assert.equal(seen.ended, 'Server returned an error on close: come back');
  assert.notEqual(first, second);
  assert.deepEqual(seen.second, [skipped ? null : second, second]);
  assert.deepEqual(seen.story, ['reconnecting: Server returned an error on close: come back', `reconnected: ${skipped ? undefined : second}`, 'closed: undefined']);
  assert.deepEqual(complaints, []);
  assert.equal((await hub.ended(first)).reason, 'asked');
  assert.equal((await hub.ended(second)).reason, 'goodbye');
}

for (const [name, base, version] of [['plain', () => hub.url, 'http/1.1'], ['through the front, by HTTP/2 but for WebSockets', () => hub.front, 'h2']]) {
  describe(name, () => {
    for (const way of newestWays) {
      test(way.name, async (t) => {
        const { page, complaints, versions } = await openPage(t);
        const { mode, encoding } = way;
        const seen = await within(page.evaluate((w) => visit(w), { url: `${base()}/tokens`, mode, encoding, token: 'alice-for-1h' }), 'the visit');
        await check(seen, way, complaints);
        assert.deepEqual([...versions], mode === 'skipped negotiation' ? [] : [version]);
      });
    }
  });
}

describe('stateful reconnect, cut eight times', () => {
  for (const encoding of ['json', 'messagepack']) {
    for (const cut of ['cut', 'strand']) {
      test(`${encoding}, ${cut}`, async (t) => {
        const network = await Network.open(t, hub.url);
        const { page, complaints } = await openPage(t);
        await page.exposeFunction('cut', () => network[cut]());
        const way = { url: `${network.url}/stateful`, mode: 'WebSockets', encoding, token: '' };
        const seen = await within(page.evaluate((w) => cutVisit(w, 400), way), 'the visit', 2 * SOON);
        const all = Array.from({ length: 400 }, (_, i) => i);
        assert.deepEqual(seen, { answers: all, notes: all, messages: all, hello: 1, same: true, story: [] });
        assert.equal(network.cuts, 8);
        assert.deepEqual(complaints, []);
      });
    }
  }
});

describe('a hub that this origin may not use', () => {
  for (const way of newestWays) {
    test(way.name, async (t) => {
      const { page } = await openPage(t);
      const { mode, encoding } = way;
      const text = await page.evaluate((w) => connect(w).connection.start().then(() => 'started', (err) => err.message), { url: `${hub.url}/origins`, mode, encoding, token: '' });
      assert.match(text, mode === 'skipped negotiation' ? /WebSocket failed to connect/ : /Failed to complete negotiation with the server: TypeError: Failed to fetch/);
      assert.ok(!hub.diary.some(({ site }) => site === '/origins'), 'a connection was made');
    });
  }
});
