// Streams down and up, and results that the server asks clients for, over
// every way to the hub.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startHub } from './hub.mjs';
import { build, failure, onEveryWay, open } from './ways.mjs';
import { Inbox, within } from './wait.mjs';

let hub;
before(async () => {
  hub = await startHub();
});
after(() => hub?.stop());

const broke = (target) => `An unexpected error occurred invoking '${target}' on the server.`;
const midst = 'An error occurred on the server while streaming results.';

/** A stream's items; end waits for "complete" or the text of its error. */
function listen(connection, method, ...args) {
  const items = new Inbox();
  let subscription;
  const end = new Promise((resolve) => {
    subscription = connection.stream(method, ...args).subscribe({ next: items.push, complete: () => resolve('complete'), error: (err) => resolve(err.message) });
  });
  return { items, end: () => within(end, `end of ${method}`), cancel: () => subscription.dispose() };
}

onEveryWay((way) => {
  const { client } = way;
  const enter = (t, path = '/default') => open(t, way, hub.url + path);

  test('streams down: items, none, errors before and behind items, wrong kinds of call', async (t) => {
    for (const [path, details] of [['/default', ''], ['/detailed', ' Error: a secret']]) {
      const { connection, invoke } = await enter(t, path);
      const cases = [
        ['cOUNTER', [5, 0], [0, 1, 2, 3, 4], 'complete'],
        ['Counter', [0, 0], [], 'complete'],
        ['Breaks', [0, 'a secret'], [], broke('Breaks') + details],
        ['Breaks', [3, 'a secret'], [null, null, null], midst + details],
        ['BreaksOpen', [0, 'no'], [], `${broke('BreaksOpen')} HubException: no`],
        ['breaksopen', [2, 'no'], [null, null], `${midst} HubException: no`],
        ['Echo', ['x'], [], "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation."],
        ['Closed', [], [], "Failed to invoke 'Closed' because user is unauthorized"],
        ['nosuch', [], [], "Failed to invoke 'nosuch' due to an error on the server. HubException: Method does not exist."],
        ['Mirror', [], [], `${broke('Mirror')} HubException: Client sent 0 stream(s), Hub method expects 1.`],
      ];
      for (const [method, args, want, end] of cases) {
        const { items, end: got } = listen(connection, method, ...args);
        assert.equal(await got(), end);
        assert.deepEqual(items.items, want, method);
      }
      assert.equal(await invoke('Echo', 'on'), 'on');
      await connection.stop();
    }
  });

  test('streams run beside calls and one another, and end when they are cancelled', async (t) => {
    const { connection, invoke, id } = await enter(t);
    const [a, b] = [listen(connection, 'Endless'), listen(connection, 'Endless')];
    await Promise.all([a.items.count(3, 'item'), b.items.count(3, 'item')]);
    assert.equal(await invoke('Echo', 'meanwhile'), 'meanwhile');
    if (client.major < 3 && way.encoding === 'messagepack') {
      assert.throws(a.cancel, /Invalid message type/); // before 3.0 MessagePack had no word for it
      return;
    }
    a.cancel();
    await hub.wrote({ id, what: 'Endless' });
    const had = a.items.items.length;
    await b.items.count(b.items.items.length + 5, 'items of the other stream');
    assert.equal(a.items.items.length, had, 'a cancelled stream brings nothing more');
    assert.deepEqual(b.items.items, b.items.items.map((_, i) => i));
    const c = listen(connection, 'Counter', 100, 0);
    assert.equal(await c.end(), 'complete');
    assert.equal(c.items.items.length, 100);
    b.cancel();
    assert.equal(await invoke('Echo', 'on'), 'on');
  });

  test('a client that goes ends its streams', async (t) => {
    const { connection, id } = await enter(t);
    const { items, end } = listen(connection, 'Endless');
    await items.count(1, 'item');
    await connection.stop();
    await hub.wrote({ id, what: 'Endless' });
    assert.equal((await hub.ended(id)).what, 'disconnected');
    assert.match(await end(), /^Invocation canceled due to (the underlying )?connection being closed\.$/);
  });

  if (client.uploads) test('streams up: one, two, none, an error, up and down', (t) => uploads(t, way));
  if (client.uploads) test('an upload faster than its method holds nobody up and loses nothing', (t) => pressure(t, way));
  if (client.uploads) test('a client that goes ends its uploads', (t) => abandoned(t, way));
  if (client.results) test('results of the client: a value, none, two, an error; calls go on meanwhile', (t) => results(t, way));
  if (client.results) test('results of the client: it goes instead of answering', (t) => unanswered(t, way));
  if (client.results) test('results of the client: none in OnConnected', (t) => tooEarly(t, way));
});

async function uploads(t, way) {
  const { Subject } = way.client.signalR;
  const { connection, invoke } = await open(t, way, `${hub.url}/default`);
  const send = (subject, ...items) => items.forEach((item) => subject.next(item));

  const one = new Subject();
  const all = invoke('conCAT', 'first ', one);
  send(one, '客', '', '👩🏽‍💻');
  one.complete();
  assert.equal(await all, 'first 客👩🏽‍💻');

  const none = new Subject();
  const empty = invoke('Concat', '', none);
  none.complete();
  assert.equal(await empty, '');

  const [x, y] = [new Subject(), new Subject()];
  const woven = invoke('Weave', x, 'between', y);
  send(y, 'c');
  send(x, 'a');
  send(y, 'd');
  y.complete();
  send(x, 'b');
  x.complete();
  assert.deepEqual(await woven, ['ab', 'cd']);

  const broken = new Subject();
  const failed = failure(invoke('Concat', '', broken), 'a broken upload');
  send(broken, 'a');
  broken.error(new Error('no more "客"'));
  assert.equal((await failed).message, `${broke('Concat')} HubException: no more "客"`);

  const odd = new Subject();
  const refused = failure(invoke('Concat', '', odd), 'an item of the wrong type');
  send(odd, 5);
  assert.equal((await refused).message, "Failed to invoke 'Concat' due to an error on the server.");
  send(odd, 'too late');
  odd.complete();

  const extra = new Subject();
  const counted = failure(invoke('Echo', 'x', extra), 'an upload that nobody takes');
  extra.complete();
  assert.equal((await counted).message, `${broke('Echo')} HubException: Client sent 1 stream(s), Hub method expects 0.`);

  const up = new Subject();
  const down = listen(connection, 'Mirror', up);
  const values = [1, 'two', null, { three: [3] }];
  for (const [i, value] of values.entries()) {
    up.next(value);
    await down.items.count(i + 1, 'item that comes back');
  }
  up.complete();
  assert.equal(await down.end(), 'complete');
  assert.deepEqual(down.items.items, values);

  const torn = new Subject();
  const half = listen(connection, 'Mirror', torn);
  torn.next(1);
  await half.items.count(1, 'item');
  torn.error('torn');
  assert.equal(await half.end(), `${midst} HubException: torn`);
  assert.equal(await invoke('Echo', 'on'), 'on');
}

async function pressure(t, way) {
  const { Subject } = way.client.signalR;
  const { invoke } = await open(t, way, `${hub.url}/default`);
  const bystander = await open(t, way, `${hub.url}/default`);
  const items = new Subject();
  const counted = invoke('Slow', 1, items);
  for (let i = 0; i < 40; i++) items.next(`${i}${'.'.repeat(500)}`);
  assert.equal(await bystander.invoke('Echo', 'meanwhile'), 'meanwhile');
  items.complete();
  assert.equal(await counted, 40);
  assert.equal(await invoke('Echo', 'on'), 'on');
}

async function abandoned(t, way) {
  const { Subject } = way.client.signalR;
  const { connection, messages, id } = await open(t, way, `${hub.url}/default`);
  const items = new Subject();
  const call = connection.invoke('Slow', 0, items).catch((err) => err.message);
  items.next('one');
  await messages.count(1, 'sign that the item has arrived');
  await connection.stop();
  await hub.wrote({ id, what: 'Slow' });
  await hub.ended(id);
  assert.equal(await within(call, 'end of the call'), 'Invocation canceled due to the underlying connection being closed.');
}

async function results(t, way) {
  const { connection, invoke } = await open(t, way, `${hub.url}/default`);
  const other = await open(t, way, `${hub.url}/default`);
  other.connection.on('Double', (n) => 2 * n);
  other.connection.on('Later', async (text) => {
    await other.invoke('Echo', 'a call of its own');
    return { text, list: [null, '客'] };
  });
  other.connection.on('Nothing', () => {});
  other.connection.on('Null', () => null);
  other.connection.on('Throws', () => {
    throw new Error('thrown 客');
  });
  other.connection.on('Rejects', () => Promise.reject(new Error('rejected')));
  other.connection.on('Twice', () => 1);
  other.connection.on('Twice', () => 2);
  connection.on('Own', () => 'my own');

  const ask = (...args) => invoke('AskOther', other.id, ...args);
  const says = (text) => `${broke('AskOther')} HubException: the client says: ${text}`;
  assert.equal(await ask('Double', 21), 42);
  assert.deepEqual(await ask('lATER', 'x'), { text: 'x', list: [null, '客'] });
  assert.equal(await ask('Null'), null);
  for (const [target, text] of [
    ['Nothing', "Client didn't provide a result."],
    ['NoHandler', "Client didn't provide a result."],
    ['Throws', 'Error: thrown 客'],
    ['Rejects', 'Error: rejected'],
    ['Twice', 'Client provided multiple results.'],
  ]) {
    assert.equal((await failure(ask(target), target)).message, says(text));
  }
  // The caller itself may be asked by the method that it has called.
  assert.equal(await invoke('Ask', 'Own'), 'my own');
  assert.equal((await failure(invoke('AskOther', 'nobody', 'x'), 'asking nobody')).message, `${broke('AskOther')} HubException: no such connection`);
  assert.equal(await other.invoke('Echo', 'on'), 'on');
}

async function unanswered(t, way) {
  const { invoke, id } = await open(t, way, `${hub.url}/detailed`);
  const other = await open(t, way, `${hub.url}/detailed`);
  other.connection.on('Never', () => {
    other.connection.stop();
    return new Promise(() => {});
  });
  const err = await failure(invoke('AskOther', other.id, 'Never'), 'asking one that goes');
  assert.equal(err.message, `${broke('AskOther')} Error: hub: the connection has ended`);
  assert.equal((await hub.wrote({ id, what: 'Ask' })).error, 'hub: the connection has ended');
}

async function tooEarly(t, way) {
  const { connection, closes } = build(way, `${hub.url}/asking`);
  t.after(() => connection.stop());
  connection.on('Answer', () => 'nobody waits for it');
  // The handshake was good, so start may be through before the Close comes.
  const early = await within(connection.start().then(() => undefined, (err) => err), 'end of start');
  const err = early ?? (await closes.count(1, 'onclose'))[0];
  assert.match(err.message, /Connection closed with an error\. Client results inside OnConnectedAsync Hub methods are not allowed\.$/);
}
