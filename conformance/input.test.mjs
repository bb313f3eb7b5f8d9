// Wrong calls and broken bytes: a clear error, and everybody else lives on.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect as dial } from 'node:net';
import { after, before, beforeEach, afterEach, describe, test } from 'node:test';

import { clients, connect, newest, subscribe } from './clients.mjs';
import { RS, RawConnection, rawConnect } from './raw.mjs';
import { ephemeral } from './rte.mjs';
import { within } from './wait.mjs';

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

const failed = (target) => `Failed to invoke '${target}' due to an error on the server.`;

/** method, arguments, the whole error text. */
const wrongCalls = [
  ['NoSuchMethod', [], `${failed('NoSuchMethod')} HubException: Method does not exist.`],
  ['nosuch method', [1, 'two'], `${failed('nosuch method')} HubException: Method does not exist.`],
  ['Subscribe', [], failed('Subscribe')],
  ['Subscribe', ['text'], failed('Subscribe')],
  ['Subscribe', [42], failed('Subscribe')],
  ['Subscribe', [{ EntityId: randomUUID(), EventName: 'UserStatus' }], failed('Subscribe')],
  ['Subscribe', [['text']], failed('Subscribe')],
  ['Subscribe', [[{ EntityId: 5, EventName: 'UserStatus' }]], failed('Subscribe')],
  ['Subscribe', [[{ EntityId: randomUUID(), EventName: { a: 1 } }]], failed('Subscribe')],
  ['subscribe', [[], 'one too many'], failed('subscribe')],
  ['Unsubscribe', [true], failed('Unsubscribe')],
];

for (const client of clients) {
  test(`${client.name}: wrong calls fail with ASP.NET Core's words, the connection lives on`, async (t) => {
    const user = randomUUID();
    const { connection, inbox } = await connect(t, client, rte.hub, rte.token({ user }));
    let closed = 'no';
    connection.onclose((err) => (closed = `closed: ${err}`));
    for (const [method, args, text] of wrongCalls) {
      const call = `${method}(${JSON.stringify(args)})`;
      const result = connection.invoke(method, ...args).then(() => assert.fail(`${call} succeeded`), (err) => err.message);
      assert.equal(await within(result, `answer to ${call}`), text, call);
    }
    // Without an answer to wait for, nothing comes, and nothing breaks.
    await connection.send('NoSuchMethod', 1);
    await connection.send('Subscribe', 'text');

    await subscribe(connection, { EntityId: user, EventName: 'UserStatus' });
    await rte.publish({ eventName: 'UserStatus', data: { userId: user, available: false } });
    await inbox.count(1, 'pushed message');
    assert.equal(closed, 'no');
  });
}

describe('broken bytes on one connection', () => {
  let bystander, user;
  const cleanup = [];
  const scope = { after: (f) => cleanup.push(f) };
  beforeEach(async () => {
    user = randomUUID();
    bystander = await connect(scope, newest, rte.hub, rte.token({ user }));
    bystander.closes = [];
    bystander.connection.onclose((err) => bystander.closes.push(String(err)));
    await subscribe(bystander.connection, { EntityId: user, EventName: 'UserStatus' });
  });
  // Whatever was sent: the other connection and the server have not noticed.
  afterEach(async () => {
    await rte.publish({ eventName: 'UserStatus', data: { userId: user, available: true } });
    await bystander.inbox.count(1, 'event of the bystander');
    assert.deepEqual(bystander.closes, []);
    await connect(scope, newest, rte.hub, rte.token());
    for (const f of cleanup.splice(0)) await f();
  });

  /** name, the text frame to send after the handshake. */
  const broken = [
    ['malformed JSON', `{"type":1,${RS}`],
    ['no JSON at all', `hello${RS}`],
    ['an array', `[1,2]${RS}`],
    ['type is text', `{"type":"1","target":"Subscribe","arguments":[]}${RS}`],
    ['no type', `{"target":"Subscribe"}${RS}`],
    ['arguments are no array', `{"type":1,"target":"Subscribe","arguments":{}}${RS}`],
    ['very deep nesting', `{"type":1,"invocationId":"1","target":"Subscribe","arguments":[${'['.repeat(20_000)}${']'.repeat(20_000)}]}${RS}`],
    ['more than --max-message-bytes', `{"type":1,"target":"Subscribe","arguments":["${'x'.repeat(300 << 10)}"]}${RS}`],
  ];
  for (const [name, bytes] of broken) {
    test(`${name}: Close with allowReconnect`, async (t) => {
      const raw = await rawConnect(t, rte.hub, rte.token());
      raw.socket.send(bytes);
      const close = JSON.parse(await raw.nth(2, 'Close'));
      assert.equal(close.type, 7);
      assert.equal(close.allowReconnect, true);
      assert.match(close.error, /^Connection closed with an error\./);
      assert.equal((await within(raw.closed, 'end of the connection')).code, 1000);
    });
  }

  test('bad UTF-8 in a text frame', async (t) => {
    const raw = await rawConnect(t, rte.hub, rte.token());
    const bytes = Buffer.concat([Buffer.from('{"type":1,"invocationId":"1","target":"Subscribe","arguments":[[{"EntityId":"'), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from(`","EventName":"UserStatus"}]]}${RS}`)]);
    raw.socket.send(bytes, { binary: false });
    await within(raw.closed, 'end of the connection');
  });

  test('half a WebSocket frame, then silence, then gone', async (t) => {
    const raw = await rawConnect(t, rte.hub, rte.token());
    // A masked text frame that promises 100 bytes and brings 3.
    raw.socket._socket.write(Buffer.from([0x81, 0x80 | 100, 1, 2, 3, 4, 0x7a, 0x20, 0x30]));
    await rte.publish({ eventName: 'UserStatus', data: { userId: user, available: true } });
    await bystander.inbox.count(1, 'event while the half frame hangs');
    bystander.inbox.items.length = 0;
    raw.socket.terminate();
    await within(raw.closed, 'end of the connection');
  });

  test('half an HTTP request', async () => {
    const { hostname, port } = new URL(rte.url);
    const socket = dial(Number(port), hostname);
    await within(new Promise((resolve) => socket.once('connect', resolve)), 'connect');
    socket.write('GET /rte HTTP/1.1\r\nHost: x\r\nUpgra');
    socket.destroy();
  });

  /** name, what is sent instead of a handshake, the answer. */
  const handshakes = [
    ['unknown protocol', '{"protocol":"yaml","version":1}', `{"error":"The protocol 'yaml' is not supported."}`],
    ['unknown version', '{"protocol":"json","version":9}', `{"error":"The server does not support version 9 of the 'json' protocol."}`],
  ];
  for (const [name, sent, answer] of handshakes) {
    test(`handshake with ${name}`, async (t) => {
      const raw = new RawConnection(rte.hub, rte.token());
      t.after(() => raw.socket.terminate());
      await within(raw.opened, 'open');
      raw.send(sent);
      await within(raw.closed, 'end of the connection');
      assert.deepEqual(raw.texts, [answer]);
    });
  }
});

describe('bad publishes are refused with a reason, and the good ones beside them pass', () => {
  const post = async (body, headers = {}) => {
    const response = await fetch(`${rte.url}/api/v1/events`, {
      method: 'POST', headers: { Authorization: `Bearer ${rte.serviceToken}`, ...headers }, body,
    });
    return { status: response.status, text: await response.text() };
  };

  test('items', async () => {
    const good = () => ({ organizationId: rte.org, eventName: 'UserStatus', data: { userId: randomUUID() } });
    const bad = [
      { ...good(), eventName: 'NoSuchEvent' },
      { ...good(), organizationId: undefined },
      { ...good(), data: 'text' },
      { ...good(), data: { userId: 'no guid' } },
      { ...good(), data: { userId: randomUUID(), available: 'yes' } },
      { ...good(), entityId: randomUUID() }, // disagrees with data
    ];
    const { status, text } = await post(JSON.stringify([good(), ...bad, good()]));
    assert.equal(status, 200, text);
    const answer = JSON.parse(text);
    assert.equal(answer.accepted, 2, text);
    assert.deepEqual(answer.rejected.map((r) => r.index), bad.map((_, i) => i + 1), text);
    for (const r of answer.rejected) assert.ok(r.error.length > 5, text);
  });

  test('bodies', async () => {
    for (const [name, body, status] of [
      ['malformed JSON', '{"organizationId":', 400],
      ['a number', '7', 400],
      ['bad UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), 400],
      ['10 MB', `[${'"x",'.repeat((10 << 20) / 4)}1]`, 413],
    ]) {
      const answer = await post(body);
      assert.equal(answer.status, status, `${name}: ${answer.text.slice(0, 200)}`);
      assert.ok(answer.text.length > 10, `${name}: ${answer.text}`);
    }
  });
});
