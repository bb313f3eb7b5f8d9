// Who has no good token is told 401, on negotiate and on the connection request
// alike, and the released clients say so.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { build, clients, newest } from './clients.mjs';
import { hs256, now, rs256, unsigned } from './jwt.mjs';
import { ephemeral } from './rte.mjs';
import { within } from './wait.mjs';

const issuer = 'https://tokens.example.com';
const audience = 'rte';

let open, strict; // nodes: without and with issuer and audience configured
before(async () => {
  [open, strict] = await Promise.all([ephemeral(), ephemeral(`--jwt-issuer=${issuer}`, `--jwt-audience=${audience}`)]);
});
after(() => Promise.all([open?.stop(), strict?.stop()]));

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const claims = () => ({ sub: randomUUID(), org: randomUUID(), iat: now(), exp: now() + 3600 });
const without = (name) => {
  const rest = claims();
  delete rest[name];
  return rest;
};

/** name, the node to ask, the token. */
const bad = [
  ['no token', () => open, () => ''],
  ['garbage', () => open, () => 'garbage'],
  ['three parts of garbage', () => open, () => 'a.b.c'],
  ['expired', () => open, () => hs256({ ...claims(), exp: now() - 3600 }, open.jwtSecret)],
  ['not yet valid', () => open, () => hs256({ ...claims(), nbf: now() + 3600 }, open.jwtSecret)],
  ['wrong key', () => open, () => hs256(claims(), 'another secret of at least 32 bytes!')],
  ['algorithm none', () => open, () => unsigned(claims())],
  ['algorithm none with a signature', () => open, () => hs256(claims(), open.jwtSecret, { alg: 'none', typ: 'JWT' })],
  ['RS256 with a real signature', () => open, () => rs256(claims(), privateKey)],
  ['RS256 in the header over an HS256 signature', () => open, () => hs256(claims(), open.jwtSecret, { alg: 'RS256', typ: 'JWT' })],
  ['HS256 with a public key as secret', () => open, () => hs256(claims(), publicKey.export({ type: 'spki', format: 'pem' }))],
  ['HS512 in the header', () => open, () => hs256(claims(), open.jwtSecret, { alg: 'HS512', typ: 'JWT' })],
  ['no exp', () => open, () => hs256(without('exp'), open.jwtSecret)],
  ['no sub', () => open, () => hs256(without('sub'), open.jwtSecret)],
  ['no org', () => open, () => hs256(without('org'), open.jwtSecret)],
  ['sub is no Guid', () => open, () => hs256({ ...claims(), sub: 'alice' }, open.jwtSecret)],
  ['wrong issuer', () => strict, () => hs256({ ...claims(), iss: 'https://elsewhere.example.com', aud: audience }, strict.jwtSecret)],
  ['no issuer', () => strict, () => hs256({ ...claims(), aud: audience }, strict.jwtSecret)],
  ['wrong audience', () => strict, () => hs256({ ...claims(), iss: issuer, aud: 'another' }, strict.jwtSecret)],
  ['no audience', () => strict, () => hs256({ ...claims(), iss: issuer }, strict.jwtSecret)],
];

/** The status and body that answer an HTTP request, WebSocket upgrade included. */
function answer(url, method, headers) {
  return new Promise((resolve, reject) => {
    const req = request(url, { method, headers, agent: false });
    req.once('error', reject);
    req.once('upgrade', (res, socket) => {
      socket.destroy();
      resolve({ status: res.statusCode, body: '' });
    });
    req.once('response', (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (text) => (body += text)).once('end', () => resolve({ status: res.statusCode, body }));
    });
    req.end();
  });
}

const upgrade = {
  Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
};
const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

/** What the `ws` package says of each refused upgrade: the newest client hides it. */
class WatchedWebSocket extends WebSocket {
  static seen = [];
  constructor(...args) {
    super(...args);
    this.on('error', (err) => WatchedWebSocket.seen.push(err.message));
  }
}

for (const [name, node, token] of bad) {
  describe(name, () => {
    test('401 with an empty body on negotiate, on the upgrade and on publish', async () => {
      const { hub, url } = node();
      const text = token();
      const query = text ? `?access_token=${encodeURIComponent(text)}` : '';
      const all = await Promise.all([
        answer(`${hub}/negotiate?negotiateVersion=1`, 'POST', bearer(text)),
        answer(`${hub}/negotiate`, 'POST', bearer(text)),
        answer(hub, 'GET', { ...upgrade, ...bearer(text) }),
        answer(hub + query, 'GET', upgrade),
      ]);
      for (const a of all) assert.deepEqual(a, { status: 401, body: '' });
      assert.equal((await answer(`${url}/api/v1/events`, 'POST', bearer(text))).status, 401);
    });

    for (const client of clients) {
      test(`${client.name}: start() rejects`, async () => {
        const { connection } = build(client, node().hub, token());
        const err = await within(connection.start().then(() => assert.fail('it started'), (e) => e), 'end of start()');
        if (client === newest) {
          assert.match(err.message, /Unauthorized: Status code '401'/);
        } else {
          assert.equal(err.message, 'Unauthorized');
          assert.equal(err.statusCode, 401);
        }
      });

      test(`${client.name} that skips negotiation: start() rejects`, async () => {
        WatchedWebSocket.seen = [];
        const options = { skipNegotiation: true, transport: client.signalR.HttpTransportType.WebSockets };
        if (client === newest) options.WebSocket = WatchedWebSocket;
        const { connection } = build(client, node().hub, token(), options);
        const err = await within(connection.start().then(() => assert.fail('it started'), (e) => e), 'end of start()');
        if (client === newest) {
          // In Node it says only "WebSocket failed to connect …"; its socket knows more.
          assert.match(err.message, /WebSocket failed to connect/);
          assert.deepEqual(WatchedWebSocket.seen, ['Unexpected server response: 401']);
        } else {
          assert.equal(err.message, 'Unexpected server response: 401');
        }
      });
    }
  });
}

test('good after negotiate, bad on the connection request: 401 there', async () => {
  const good = open.token();
  const negotiated = await fetch(`${open.hub}/negotiate?negotiateVersion=1`, { method: 'POST', headers: bearer(good) });
  assert.equal(negotiated.status, 200);
  const { connectionToken } = await negotiated.json();
  const url = `${open.hub}?id=${connectionToken}`;
  assert.deepEqual(await answer(url, 'GET', { ...upgrade, ...bearer('garbage') }), { status: 401, body: '' });
  assert.deepEqual(await answer(url, 'GET', upgrade), { status: 401, body: '' });
  assert.equal((await answer(url, 'GET', { ...upgrade, ...bearer(good) })).status, 101);
});

test('the tokens of these tests are good but for the one thing', async () => {
  const good = [
    [open, hs256(claims(), open.jwtSecret)],
    [strict, hs256({ ...claims(), iss: issuer, aud: audience }, strict.jwtSecret)],
    [strict, hs256({ ...claims(), iss: issuer, aud: ['other', audience] }, strict.jwtSecret)],
  ];
  for (const [node, token] of good) {
    for (const client of clients) {
      const { connection } = build(client, node.hub, token);
      await within(connection.start(), 'start');
      await connection.stop();
    }
  }
});

test('a platform token publishes for all and is no client: 403', async () => {
  const token = open.token({ role: 'platform' });
  assert.equal((await answer(`${open.hub}/negotiate`, 'POST', bearer(token))).status, 403);
  assert.equal((await answer(open.hub, 'GET', { ...upgrade, ...bearer(token) })).status, 403);
});

test('the log gives the reason and never a token', async (t) => {
  const node = await ephemeral();
  t.after(() => node.stop());
  const token = hs256({ ...claims(), exp: now() - 3600 }, node.jwtSecret);
  await answer(`${node.hub}?access_token=${token}`, 'GET', upgrade);
  await node.process.log.until((pieces) => /token refused.*expired/.test(pieces.join('')), 'the reason in the log');
  const log = node.process.errors();
  assert.ok(!log.includes('eyJ'), 'the log has the beginning of a token');
  assert.ok(!log.includes('access_token'), 'the log has a query');
  assert.ok(!log.includes(node.jwtSecret), 'the log has the secret');
});
