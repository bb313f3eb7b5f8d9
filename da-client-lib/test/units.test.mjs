// Rooms of the library that need no connection.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { pause } from '../node_modules/.cache/units/keeper.mjs';
import { camelCase, dates, unpacked } from '../node_modules/.cache/units/packed.mjs';
import { keyOf, stateEvents } from '../node_modules/.cache/units/pair.mjs';
import { Subscriptions } from '../node_modules/.cache/units/subscriptions.mjs';
import { hubUrl } from '../node_modules/.cache/units/url.mjs';

const catalog = JSON.parse(readFileSync(new URL('../../internal/event/catalog.json', import.meta.url), 'utf8'));

/** All objects of the catalogue that have fields, at any depth. */
function* described(value) {
  if (typeof value !== 'object' || value === null) return;
  if (typeof value.name === 'string' && typeof value.wireName === 'string') yield value;
  for (const v of Object.values(value)) yield* described(v);
}

test('names become what the catalogue calls them on the wire', () => {
  const fields = [...described(catalog)];
  assert.ok(fields.length > 300, `${fields.length} fields`);
  for (const f of fields) assert.equal(camelCase(f.name), f.wireName);
  for (const [name, want] of [['', ''], ['a', 'a'], ['A', 'a'], ['ID', 'id'], ['IDs', 'iDs'], ['CBRId', 'cbrId'], ['aB', 'aB'], ['Äb', 'äb'], ['AB C', 'ab C']]) {
    assert.equal(camelCase(name), want);
  }
});

test('the states are those of the catalogue', () => {
  const states = catalog.events.filter((e) => e.semantics === 'state').map((e) => e.name.toLowerCase());
  assert.ok(states.length > 0);
  assert.deepEqual([...stateEvents].sort(), states.sort());
});

test('dates of MessagePack as text, with all their digits', () => {
  const bytes = (...list) => new Uint8Array(list.flatMap((n) => (typeof n === 'bigint' ? [...new Uint8Array(new BigUint64Array([n]).buffer)].reverse() : [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255])));
  for (const [data, want] of [
    [bytes(0), '1970-01-01T00:00:00.000Z'],
    [bytes(1_700_000_000), '2023-11-14T22:13:20.000Z'],
    [bytes((345_678_900n << 34n) | 1_700_000_000n), '2023-11-14T22:13:20.3456789Z'],
    [bytes((500_000_000n << 34n) | 1_700_000_000n), '2023-11-14T22:13:20.500Z'],
    [bytes(999_999_900, 253_402_300_799n), '9999-12-31T23:59:59.9999999Z'],
    [bytes(0, BigInt.asUintN(64, -1n)), '1969-12-31T23:59:59.000Z'],
  ]) {
    assert.equal(dates.decode(data, -1), want);
  }
  const now = new Date('2026-11-22T08:00:00.123Z');
  assert.equal(dates.decode(dates.tryToEncode(now).data, -1), now.toISOString());
  assert.equal(dates.tryToEncode('x'), null);
  assert.deepEqual(unpacked({ Time: now, Data: { X: [now, null, { Keep: 1 }] } }), { time: now.toISOString(), data: { x: [now.toISOString(), null, { Keep: 1 }] } });
});

test('addresses', () => {
  for (const [given, page, want] of [
    ['https://a/rte', undefined, 'https://a/rte'],
    ['a.example:8080/rte', undefined, 'https://a.example:8080/rte'],
    ['a.example/rte', 'http://b/x', 'http://a.example/rte'],
    ['127.0.0.1:8080/rte', undefined, 'http://127.0.0.1:8080/rte'],
    ['localhost/rte', undefined, 'http://localhost/rte'],
    ['localhost.example/rte', undefined, 'https://localhost.example/rte'],
    ['wss://a/rte', undefined, 'https://a/rte'],
    ['/rte', 'https://b/x/y', 'https://b/rte'],
    ['//a/rte', 'https://b/', 'https://a/rte'],
    ['https://a/rte#x', undefined, 'https://a/rte'],
  ]) {
    assert.equal(hubUrl(given, page), want);
  }
  for (const bad of ['', ' ', undefined, null, 7, 'file:///x', '/rte', 'a b/rte', 'http://']) {
    assert.throws(() => hubUrl(bad, undefined), { code: 'bad-url' }, String(bad));
  }
});

test('pauses: any time below the bound, which doubles up to the cap', () => {
  for (const [tries, want] of [[0, 1000], [1, 2000], [4, 16_000], [5, 30_000], [5000, 30_000]]) {
    assert.equal(pause(tries, undefined, () => 1), want);
    assert.equal(pause(tries, undefined, () => 0), 0);
  }
});

test('a key is one for all spellings', () => {
  const want = keyOf('a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3', 'UserStatus');
  for (const id of ['{A1EEB030-FF4B-EA11-AC9C-00155D4FDCF3}', 'a1eeb030ff4bea11ac9c00155d4fdcf3', '(a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3)']) {
    assert.equal(keyOf(id, 'USERSTATUS'), want);
  }
  assert.notEqual(keyOf('room-7', 'x'), keyOf('room7', 'x'));
});

const item = { EntityId: 'e', EventName: 'QueueCallInArrived' };
const yes = (more) => ({ subscribed: true, message: null, entityId: 'e', eventName: 'queuecallinarrived', ...more });

test('the place of a pair: of the last message, never beyond what is still under way', () => {
  const s = new Subscriptions(false);
  assert.equal(s.ask([item])[0].After, '');
  s.answered([item], [yes({ recovered: true, cursor: 'j1' })]);
  assert.equal(s.all()[0].After, 'j1', 'a quiet pair goes on from its join');
  // The answer says j9, but what was missed since j1 has not come yet.
  s.restored(s.all(), [yes({ recovered: true, cursor: 'j9' })]);
  assert.equal(s.all()[0].After, 'j1');
  assert.equal(s.came('E', 'QUEUECALLINARRIVED', 'm2'), true);
  assert.equal(s.came('e', 'queuecallinarrived', 'm2'), false, 'the same once more');
  assert.equal(s.all()[0].After, 'm2');
  const { missed } = s.restored(s.all(), [yes({ recovered: false, cursor: 'j20' })]);
  assert.equal(missed.length, 1);
  assert.equal(s.all()[0].After, 'j20');
});

test('a message before its answer is not overtaken by it', () => {
  const s = new Subscriptions(false);
  s.ask([item]);
  s.came('e', 'queuecallinarrived', 'm2');
  s.answered([item], [yes({ recovered: true, cursor: 'j1' })]);
  assert.equal(s.all()[0].After, 'm2');
});

test('a hub without cursors: each outage is told', () => {
  const s = new Subscriptions(false);
  s.ask([item]);
  assert.deepEqual(s.answered([item], [yes()]), [yes()]);
  for (let i = 0; i < 2; i++) {
    s.came('e', 'queuecallinarrived', undefined);
    const items = s.all();
    assert.equal(items[0].After, '');
    assert.equal(s.restored(items, [yes()]).missed.length, 1);
  }
});

test('refused when it comes back: gone for good, or later', () => {
  const s = new Subscriptions(false);
  s.ask([item]);
  s.answered([item], [yes({ recovered: true, cursor: 'j1' })]);
  const no = (message) => ({ subscribed: false, message, entityId: 'e', eventName: 'queuecallinarrived' });
  assert.equal(s.restored(s.all(), [no('Too many subscriptions')]).later.length, 1);
  assert.equal(s.all().length, 1);
  assert.equal(s.restored(s.all(), [no('Unauthorized')]).removed.length, 1);
  assert.equal(s.all().length, 0);
});
