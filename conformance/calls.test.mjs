// Calls and pushes, over every way to the hub.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startHub } from './hub.mjs';
import { assertClosedWith, failure, onEveryWay, open, transportOf } from './ways.mjs';
import { Inbox, within } from './wait.mjs';

let hub;
before(async () => {
  hub = await startHub();
});
after(() => hub?.stop());

/** Values that come back as they went, whatever the encoding. */
const values = [
  null, true, false, 0, 1, -1, 127, 128, -32, -33, 255, 65_536, 4_294_967_296, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.5, -1.25e-7, 1e300,
  '', 'text', 'quotes " and \\ and /', 'tab\t, line\n, return\r', 'record separator \x1e inside', 'zero \0', '\u2028 and \u2029', '<&>\'',
  '客服中心 – 顧客サービス – 고객 센터', '👩🏽‍💻🎧🏴‍☠️ 𝔘', 'שלום مرحبا', 'é e\u0301', 'x'.repeat(5000), '话'.repeat(2000),
  [], [[]], [1, 'two', null, [3, [4]]], {}, { a: 1 }, { EntityId: 1, entityId: 2, 'with space': 3, '': 4, 客: 5, '\x1e': 6, proto: { x: null } },
  Array.from({ length: 1000 }, (_, i) => i), nested(50), { type: 7, error: 'looks like a Close' }, '{"type":7}\x1e{}',
];

function nested(depth) {
  return depth === 0 ? ['deep'] : { inner: nested(depth - 1) };
}

/** Values that MessagePack has and JSON has not. */
const packed = [
  new Uint8Array(0), Uint8Array.from([0, 30, 128, 255]), new Uint8Array(3000).map((_, i) => i),
  new Date(0), new Date('2026-11-22T08:00:00Z'), new Date('2026-11-22T08:00:00.123Z'), new Date('2262-04-11T23:47:16.854Z'),
];

/** Dates that the MessagePack library of versions before 6.0 writes wrongly. */
const farDates = [new Date('1969-12-31T23:59:59.5Z'), new Date('0001-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59.999Z')];

/** Bytes as a plain array, deep inside too: versions differ in what they make of them. */
function comparable(value) {
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
  if (Array.isArray(value)) return value.map(comparable);
  if (value?.constructor === Object) return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, comparable(v)]));
  return value;
}

const failed = (target) => `Failed to invoke '${target}' due to an error on the server.`;
const broke = (target) => `An unexpected error occurred invoking '${target}' on the server.`;
const types = 'InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked.';

/** method, arguments, the whole text without details, and with them where that differs. */
const wrong = [
  ['NoSuchMethod', [], `${failed('NoSuchMethod')} HubException: Method does not exist.`],
  ['nosuchMETHOD', ['x', 1], `${failed('nosuchMETHOD')} HubException: Method does not exist.`],
  ['Echo', [], failed('Echo'), `${failed('Echo')} InvalidDataException: Invocation provides 0 argument(s) but target expects 1.`],
  ['aDD', [1], failed('aDD'), `${failed('aDD')} InvalidDataException: Invocation provides 1 argument(s) but target expects 2.`],
  ['Add', [1, 2, 3], failed('Add'), `${failed('Add')} InvalidDataException: Invocation provides 3 argument(s) but target expects 2.`],
  ['Add', [1, 'two'], failed('Add'), `${failed('Add')} ${types}`],
  ['Thing', [{ text: 5 }], failed('Thing'), `${failed('Thing')} ${types}`],
  ['Fail', ['a secret'], broke('Fail'), `${broke('Fail')} Error: a secret`],
  ['Panic', ['a secret'], broke('Panic'), `${broke('Panic')} Error: method panicked: a secret`],
  ['FailOpen', ['not "today" 客\x1e'], `${broke('FailOpen')} HubException: not "today" 客\x1e`],
  ['forBIDDEN', [], "Failed to invoke 'forBIDDEN' because user is unauthorized"],
  ['Counter', [1, 0], "The client attempted to invoke the streaming 'Counter' method with a non-streaming invocation."],
  ['Concat', ['x'], `${broke('Concat')} HubException: Client sent 0 stream(s), Hub method expects 1.`],
];

onEveryWay((way) => {
  const enter = (t, path = '/default', more) => open(t, way, hub.url + path, more);

  test('both sides agree on who is connected how; the greeting comes first', async (t) => {
    const { connection, hello, invoke, id } = await enter(t, '/default?user=ann&tenant=a%20b&TENANT=c');
    const me = await invoke('whoAMI');
    assert.deepEqual(me, { id, transport: transportOf(way.mode), protocol: way.encoding, user: '', query: { user: ['ann'], tenant: ['a b'], TENANT: ['c'], ...me.query } });
    assert.deepEqual(Object.keys(me.query).filter((name) => /^(id|access_token|_)$/i.test(name)), [], 'secrets in the query');
    assert.deepEqual(hello.items, [id]);
    if (way.client.connectionId) assert.equal(connection.connectionId, way.mode === 'skipped negotiation' ? null : id);
  });

  test('every kind of value comes back as it went', async (t) => {
    const { invoke } = await enter(t);
    for (const value of way.encoding === 'json' ? values : [...values, ...packed, ...(way.client.major >= 6 ? farDates : [])]) {
      assert.deepEqual(comparable(await invoke('Echo', value)), comparable(value), `echo of ${JSON.stringify(value)?.slice(0, 80)}`);
    }
    assert.equal(await invoke('Nothing'), null, 'void is null');
    assert.equal(await invoke('add', 40, 2), 42);
  });

  test('members are read in any case, and written as the encoding has them', async (t) => {
    const { invoke } = await enter(t);
    const json = way.encoding === 'json';
    const given = { tExT: '客', COUNT: 9_007_199_254_740_991, Ratio: 0.25, on: true, At: new Date('2026-11-22T08:00:00.5Z'), list: [1, 2], Names: { UPPER: 1, lower: 2 }, unknown: 1 };
    given.bytes = json ? 'AB7/' : Uint8Array.from([0, 30, 255]);
    const name = (text) => (json ? text.toLowerCase() : text);
    const empty = { Text: '', Count: 0, Ratio: 0, On: false, At: null, Bytes: null, Nothing: null, List: null, Names: null, Inner: null };
    const want = { ...empty, Text: '客', Count: 9_007_199_254_740_991, Ratio: 0.25, On: true, List: [1, 2], Names: { UPPER: 1, lower: 2 } };
    want.At = json ? '2026-11-22T08:00:00.5Z' : given.At;
    want.Bytes = json ? 'AB7/' : comparable(given.bytes);
    const got = comparable(await invoke('Thing', given));
    assert.deepEqual(got, Object.fromEntries(Object.entries(want).map(([key, value]) => [name(key), value])));
    const inner = (await invoke('Thing', { at: given.At, Inner: { text: 'in', aT: given.At } }))[name('Inner')];
    assert.equal(inner[name('Text')], 'in');
  });

  test('failures have the words of ASP.NET Core, and the connection lives on', async (t) => {
    for (const [path, details] of [['/default', false], ['/detailed', true]]) {
      const { connection, closes, invoke } = await enter(t, path);
      for (const [method, args, plain, detailed = plain] of wrong) {
        const err = await failure(connection.invoke(method, ...args), `${method}(${JSON.stringify(args)})`);
        assert.equal(err.message, details ? detailed : plain);
        await connection.send(method, ...args); // nobody asks: nobody is told
      }
      assert.equal(await invoke('Echo', 'on'), 'on');
      assert.deepEqual(closes.items, []);
      await connection.stop();
    }
  });

  test('what a method pushes comes before its answer, in order', async (t) => {
    const { messages, invoke } = await enter(t);
    assert.equal(await invoke('Pushes', 1000, ''), 1000);
    assert.deepEqual(messages.items.map(([n]) => n), Array.from({ length: 1000 }, (_, i) => i));
    messages.items.length = 0;
    assert.equal(await invoke('Early'), 'answer');
    await messages.count(2, 'pushes around the answer');
    assert.deepEqual(messages.items, [['before'], ['behind']]);
  });

  // Versions before 3.0 send each call by a request of its own, which may
  // overtake one another; over a WebSocket they cannot.
  const ordered = way.client.major >= 3 || transportOf(way.mode) === 'WebSockets';
  test('many calls at once: every answer is its own, one runs after the other', async (t) => {
    const { connection, invoke } = await enter(t);
    const numbers = Array.from({ length: ordered ? 300 : 60 }, (_, i) => i);
    const all = Promise.all(numbers.map((n) => (n % 2 ? connection.invoke('Note', n) : connection.send('Note', n).then(() => n))));
    assert.deepEqual(await within(all, 'answers'), numbers);
    // The last of those that are not answered may still be under way.
    const seen = new Inbox();
    while ((seen.items.at(-1)?.length ?? 0) < numbers.length) seen.push(await invoke('Notes'));
    const ran = seen.items.at(-1);
    assert.deepEqual(ordered ? ran : [...ran].sort((a, b) => a - b), numbers);
  });

  test('a slow call holds up those behind it, unless the hub runs calls in parallel', async (t) => {
    const inOrder = await enter(t);
    const done = new Inbox();
    const slow = inOrder.invoke('Delay', 60).then(done.push);
    if (!ordered) await inOrder.connection.send('Nothing'); // the slow one has left, too
    await Promise.all([slow, inOrder.invoke('Delay', 0).then(done.push)]);
    if (ordered) assert.deepEqual(done.items, [60, 0]);

    const parallel = await enter(t, '/parallel');
    const opened = parallel.invoke('Await');
    await parallel.invoke('Open');
    assert.equal(await opened, 'opened');
  });

  test('large messages, up and down', async (t) => {
    const { messages, invoke } = await enter(t, '/large');
    const large = 'x客👩🏽‍💻'.repeat(12_000); // 250 KB
    assert.equal(await invoke('Echo', large), large);
    await invoke('Pushes', 5, large);
    assert.ok(messages.items.length === 5 && messages.items.every(([n, text], i) => n === i && text === large));
  });

  test('the largest message passes, one byte more closes the connection', async (t) => {
    const protocol = way.encoding === 'json' ? new way.client.signalR.JsonHubProtocol() : way.client.messagePack();
    const write = protocol.writeMessage.bind(protocol);
    let last;
    protocol.writeMessage = (message) => {
      if (message.target) last = message;
      return write(message);
    };
    const size = (message) => Buffer.from(write(message)).length;
    const { closes, invoke } = await enter(t, '/small', { builder: (b) => b.withHubProtocol(protocol) });
    assert.equal(await invoke('Echo', ''), ''); // to see how this version writes a call
    const of = (bytes) => {
      let length = 0;
      while (size({ ...last, arguments: ['x'.repeat(length)] }) < bytes) length++;
      return 'x'.repeat(length);
    };
    const [fits, larger] = [of(1000), of(1001)];
    assert.equal(larger.length, fits.length + 1);
    assert.equal(await invoke('Echo', fits), fits);
    assert.equal(size(last), 1000);
    await failure(invoke('Echo', larger), 'the call that is too large');
    assert.equal(size(last), 1001);
    const [err] = await closes.count(1, 'onclose');
    assertClosedWith(
      way,
      err,
      'Server returned an error on close: Connection closed with an error. InvalidDataException: The maximum message size of 1000B was exceeded. The message size can be configured in AddHubOptions.',
    );
  });
});
