// The page's JavaScript samples as scripts of a web page in headless Chromium,
// with Microsoft's browser bundles, from another origin than the hub.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { findChromium, openBrowser } from './chromium.mjs';
import { clients } from './clients.mjs';
import { ephemeral } from './rte.mjs';
import { connectSample, eventNames, read } from './samples.mjs';
import { Inbox, within } from './wait.mjs';

const require = createRequire(import.meta.url);
const a1 = 'a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3';
const c9 = 'c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3';

/** The file dist/browser/signalr.js of a client's package. */
function bundle(client) {
  const main = require.resolve(client.name.split(' ')[0]); // …/dist/cjs/index.js
  return readFileSync(join(dirname(dirname(main)), 'browser', 'signalr.js'), 'utf8');
}

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

/** Serves a page with the client's bundle and the samples on a port of its own. */
async function site(t, client, rteUrl, token) {
  const files = {
    '/': ['text/html', '<!doctype html><meta charset="utf-8"><title>desk</title><link rel="icon" href="data:,">' +
      '<script src="signalr.js"></script><script src="settings.js"></script><script src="connect.js"></script>'],
    '/signalr.js': ['text/javascript', bundle(client)],
    '/settings.js': ['text/javascript', `var rteUrl = ${JSON.stringify(rteUrl)}; function GetToken() { return ${JSON.stringify(token)}; }`],
    '/connect.js': ['text/javascript', connectSample(client)],
  };
  for (const name of ['subscribe.js', 'unsubscribe.js', 'unsubscribe-all.js', 'available-subscriptions.js']) {
    files[`/${name}`] = ['text/javascript', read(name)];
  }
  const server = createServer((req, res) => {
    const [type, body] = files[new URL(req.url, 'http://x').pathname] ?? [];
    res.writeHead(body === undefined ? 404 : 200, { 'Content-Type': `${type}; charset=utf-8` }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Opens the site and gathers what the page logs and what the network did. */
async function open(t, client, rteUrl, token) {
  const url = await site(t, client, rteUrl, token);
  const page = await openBrowser(t);
  const log = new Inbox();
  page.on('console', (m) => log.push(m.text()));
  page.on('pageerror', (err) => log.push(`page error: ${err.message}`));
  const network = new Inbox();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  devtools.on('Network.requestWillBeSent', (e) => network.push({ id: e.requestId, type: e.type, method: e.request.method, url: e.request.url }));
  devtools.on('Network.responseReceived', (e) => network.push({ id: e.requestId, type: e.type, status: e.response.status, headers: lower(e.response.headers), url: e.response.url }));
  devtools.on('Network.webSocketHandshakeResponseReceived', (e) => network.push({ type: 'WebSocket', status: e.response.status, sent: e.response.requestHeaders }));
  await page.goto(url);
  const run = async (name, start) => {
    await page.addScriptTag({ url: `/${name}` });
    return log.find((line) => line.startsWith(start), `the line "${start}…" of ${name}`);
  };
  return { page, log, network, run, origin: new URL(url).origin };
}

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));

for (const client of clients) {
  test(`${client.name} in Chromium: the samples, from another origin`, async (t) => {
    const org = randomUUID();
    const { page, log, network, run, origin } = await open(t, client, rte.hub, rte.token({ user: c9, org, users: [a1] }));
    await page.evaluate(() => {
      window.connection.on('MessageReceived', (message) => console.log('pushed ' + JSON.stringify(message)));
    });
    await within(page.evaluate(() => window.connection.start()), 'start');

    // A preflight, the negotiation that it allowed, the WebSocket.
    const preflight = await network.find((e) => e.type === 'Preflight' && e.status, 'preflight of negotiate');
    assert.ok(preflight.status === 200 || preflight.status === 204, `preflight: ${preflight.status}`);
    assert.equal(preflight.headers['access-control-allow-origin'], origin);
    assert.equal(preflight.headers['access-control-allow-credentials'], 'true');
    const allowed = preflight.headers['access-control-allow-headers'].toLowerCase();
    for (const name of ['authorization', 'x-requested-with', ...(client.reconnects ? ['x-signalr-user-agent'] : [])]) {
      assert.ok(allowed.includes(name), `allowed headers: ${allowed}`);
    }
    const negotiate = await network.find((e) => e.url?.includes('/negotiate') && e.type !== 'Preflight' && e.status, 'negotiate');
    assert.equal(negotiate.status, 200);
    assert.equal(negotiate.headers['access-control-allow-origin'], origin);
    const socket = await network.find((e) => e.type === 'WebSocket' && e.status, 'WebSocket');
    assert.equal(socket.status, 101);

    assert.equal(
      await run('subscribe.js', 'Subscription result: '),
      `Subscription result: [{"subscribed":true,"message":null,"entityId":"${a1}","eventName":"useravailability"},` +
        `{"subscribed":true,"message":null,"entityId":"${c9}","eventName":"usercallincoming"}]`,
    );
    const text = 'Привет 你好 🎧 "quoted" \u2028 end';
    await rte.publish({ eventName: 'UserAvailability', time: '2026-11-22T08:00:00Z', data: { UserId: a1, Availability: 'Busy', Note: text } }, org);
    await log.find((line) => line === 'Message details: [object Object]', "the page's handler");
    const pushed = JSON.parse((await log.find((line) => line.startsWith('pushed '), 'pushed message')).slice('pushed '.length));
    assert.deepEqual(Object.keys(pushed), ['subscription', 'data', 'cursor', 'time']);
    assert.deepEqual(pushed.subscription, { entityId: a1, eventName: 'useravailability' });
    assert.deepEqual(pushed.data, { userId: a1, availability: 'Busy', note: text });

    assert.equal(
      await run('unsubscribe.js', 'Unsubscription result: '),
      `Unsubscription result: [{"subscribed":false,"message":null,"entityId":"${a1}","eventName":"useravailability"}]`,
    );
    await rte.publish({ eventName: 'UserAvailability', data: { userId: a1, note: 'unsubscribed' } }, org);
    await rte.publish({ eventName: 'UserCallInComing', data: { userId: c9, callerNumber: 'still here' } }, org);
    await log.find((line) => line.includes('still here'), 'event of the pair that is left');
    assert.equal(await run('available-subscriptions.js', 'Available subscriptions '), `Available subscriptions ${JSON.stringify(eventNames)}`);
    assert.equal(await run('unsubscribe-all.js', 'UnsubscribeAll result: '), 'UnsubscribeAll result: true');
    assert.deepEqual(await page.evaluate(() => window.connection.invoke('GetActiveSubscriptions')), []);
    assert.equal(log.items.filter((line) => line.startsWith('pushed ')).length, 2);
    assert.deepEqual(log.items.filter((line) => line.startsWith('page error')), []);
    await page.evaluate(() => window.connection.stop());
  });
}

test('10.0.11 in Chromium with a bad token: start() rejects and names 401', async (t) => {
  const { page } = await open(t, clients[0], rte.hub, 'garbage');
  const text = await within(page.evaluate(() => window.connection.start().then(() => 'started', (err) => err.message)), 'end of start()');
  assert.match(text, /Status code '401'/);
});

test('--allowed-origins: a page from elsewhere does not connect, neither by negotiation nor by WebSocket', async (t) => {
  const strict = await ephemeral('--allowed-origins=https://desk.example.com');
  t.after(() => strict.stop());
  const { page, network } = await open(t, clients[0], strict.hub, strict.token());
  const text = await page.evaluate(() => window.connection.start().then(() => 'started', (err) => err.message));
  assert.notEqual(text, 'started');
  const direct = await page.evaluate(() =>
    new signalR.HubConnectionBuilder()
      .withUrl(rteUrl, { accessTokenFactory: () => GetToken(), skipNegotiation: true, transport: signalR.HttpTransportType.WebSockets })
      .build().start().then(() => 'started', (err) => err.message));
  assert.notEqual(direct, 'started');
  assert.ok(!network.items.some((e) => e.type === 'WebSocket' && e.status === 101), 'a WebSocket was opened');
});

describe('finding Chromium', () => {
  test('CHROMIUM goes before PATH', () => assert.equal(findChromium({ CHROMIUM: '/opt/it', PATH: process.env.PATH }), '/opt/it'));
  test('without any: a sentence that says what to install', () => {
    assert.throws(() => findChromium({ PATH: '/nowhere' }), /Install it .*apt-get install chromium.* or set CHROMIUM/);
  });
});
