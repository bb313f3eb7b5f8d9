// Rooms of the library that need no hub.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { stateEventNames } from "../dist/index.js";
import { addressOf } from "../node_modules/.cache/units/address.mjs";
import { backoff } from "../node_modules/.cache/units/backoff.mjs";
import { Ledger } from "../node_modules/.cache/units/ledger.mjs";
import { keyOf } from "../node_modules/.cache/units/pair.mjs";
import { Restorer } from "../node_modules/.cache/units/restorer.mjs";
import { camelCase, datesAsText, pushOf } from "../node_modules/.cache/units/shape.mjs";
import { Book } from "../node_modules/.cache/units/tabs/book.mjs";

const catalog = JSON.parse(readFileSync(new URL("../../internal/event/catalog.json", import.meta.url), "utf8"));

/** All objects of the catalogue that have fields, at any depth. */
function* described(value) {
  if (typeof value !== "object" || value === null) return;
  if (typeof value.name === "string" && typeof value.wireName === "string") yield value;
  for (const v of Object.values(value)) yield* described(v);
}

test("names become what the catalogue calls them on the wire", () => {
  const fields = [...described(catalog)];
  assert.ok(fields.length > 300, `${fields.length} fields`);
  for (const f of fields) assert.equal(camelCase(f.name), f.wireName);
  for (const [name, want] of [["", ""], ["a", "a"], ["A", "a"], ["ID", "id"], ["IDs", "iDs"], ["CBRId", "cbrId"], ["aB", "aB"], ["Äb", "äb"]]) {
    assert.equal(camelCase(name), want);
  }
});

test("the states are those of the catalogue", () => {
  const states = catalog.events.filter((e) => e.semantics === "state").map((e) => e.name);
  assert.ok(states.length > 0);
  assert.deepEqual([...stateEventNames], states);
});

test("dates of MessagePack as text, with all their digits", () => {
  const word = (n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
  const long = (n) => [...new Uint8Array(new BigUint64Array([n]).buffer)].reverse();
  for (const [data, want] of [
    [word(0), "1970-01-01T00:00:00Z"],
    [word(1_700_000_000), "2023-11-14T22:13:20Z"],
    [long((345_678_900n << 34n) | 1_700_000_000n), "2023-11-14T22:13:20.3456789Z"],
    [long((500_000_000n << 34n) | 1_700_000_000n), "2023-11-14T22:13:20.5Z"],
    [[...word(999_999_900), ...long(253_402_300_799n)], "9999-12-31T23:59:59.9999999Z"],
    [[...word(0), ...long(BigInt.asUintN(64, -1n))], "1969-12-31T23:59:59Z"],
  ]) {
    assert.equal(datesAsText.decode(new Uint8Array(data), -1), want);
  }
  assert.throws(() => datesAsText.decode(new Uint8Array(5), -1));
  assert.throws(() => datesAsText.decode(new Uint8Array(4), 7));
});

test("what is no message is none", () => {
  for (const bad of [null, undefined, 7, "x", [], {}, { subscription: null }, { subscription: {} }, { subscription: { entityId: 1, eventName: "x" } }]) {
    assert.equal(pushOf(bad, false), null);
    assert.equal(pushOf(bad, true), null);
  }
});

test("addresses", () => {
  const at = (href) => href && { href, protocol: new URL(href).protocol };
  for (const [given, page, want] of [
    ["https://a/rte", undefined, "https://a/rte"],
    ["a.example:8080/rte", undefined, "https://a.example:8080/rte"],
    ["a:8080/rte", undefined, "https://a:8080/rte"],
    ["a.example/rte", "http://b/x", "http://a.example/rte"],
    ["127.0.0.1:8080/rte", undefined, "http://127.0.0.1:8080/rte"],
    ["[::1]:8080/rte", undefined, "http://[::1]:8080/rte"],
    ["localhost/rte", undefined, "http://localhost/rte"],
    ["localhost.example/rte", undefined, "https://localhost.example/rte"],
    ["wss://a/rte", undefined, "https://a/rte"],
    ["/rte", "https://b/x/y", "https://b/rte"],
    ["//a/rte", "https://b/", "https://a/rte"],
    ["https://a/rte#x", undefined, "https://a/rte"],
  ]) {
    assert.equal(addressOf(given, at(page)), want);
  }
  for (const bad of ["", " ", undefined, null, 7, "file:///x", "/rte", "a b/rte", "http://"]) {
    assert.equal(addressOf(bad, undefined).code, "invalidUrl", String(bad));
  }
});

test("pauses: any time below the bound, which doubles up to the most", () => {
  for (const [tries, want] of [[0, 1000], [1, 2000], [4, 16_000], [5, 30_000], [5000, 30_000]]) {
    assert.equal(backoff(tries, { first: 1000, most: 30_000 }, () => 1), want);
    assert.equal(backoff(tries, { first: 1000, most: 30_000 }, () => 0), 0);
  }
});

test("a key is one for all spellings", () => {
  const want = keyOf("a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3", "UserStatus");
  for (const id of ["{A1EEB030-FF4B-EA11-AC9C-00155D4FDCF3}", "a1eeb030ff4bea11ac9c00155d4fdcf3", "(a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3)"]) {
    assert.equal(keyOf(id, "USERSTATUS"), want);
  }
  assert.notEqual(keyOf("room-7", "x"), keyOf("room7", "x"));
});

const item = { EntityId: "e", EventName: "QueueCallInArrived" };
const yes = (more) => ({ subscribed: true, message: null, entityId: "e", eventName: "queuecallinarrived", ...more });
const push = (cursor) => ({ subscription: { entityId: "e", eventName: "queuecallinarrived" }, data: {}, ...(cursor ? { cursor } : {}) });

/** A ledger with the item subscribed, joined at j1. */
function subscribed(moved) {
  const l = new Ledger(moved);
  l.begin();
  assert.equal(l.asks([item], 1, false)[0].After, null);
  l.accepted([item], [yes({ recovered: true, cursor: "j1" })], 1);
  return l;
}

/** The item asked for again on a new connection, and the answer to it. */
function restored(l, result) {
  l.begin();
  const { keys, asks } = l.restoreAsks(l.toRestore());
  return { after: asks[0]?.After, ...l.restored(keys, asks, [result]) };
}

test("the place of a pair: of the last message, never beyond what is still under way", () => {
  const l = subscribed();
  // The answer says j9, but what was missed since j1 has not come yet.
  let r = restored(l, yes({ recovered: true, cursor: "j9" }));
  assert.deepEqual([r.after, r.missed], ["j1", []]);
  r = restored(l, yes({ recovered: true, cursor: "j9" }));
  assert.equal(r.after, "j1");
  assert.equal(l.take(push("m2")), true);
  assert.equal(l.take(push("m2")), false, "the same once more");
  r = restored(l, yes({ recovered: false, cursor: "j20" }));
  assert.equal(r.after, "m2");
  assert.equal(r.missed.length, 1);
  assert.equal(restored(l, yes({ recovered: true, cursor: "j20" })).after, "j20");
});

test("a message before its answer is not overtaken by it", () => {
  const l = new Ledger();
  l.begin();
  l.asks([item], 1, false);
  l.take(push("m2"));
  l.accepted([item], [yes({ recovered: true, cursor: "j1" })], 1);
  assert.equal(restored(l, yes({ recovered: true, cursor: "j9" })).after, "m2");
});

test("a hub without cursors: each outage is told", () => {
  const l = new Ledger();
  l.begin();
  l.asks([item], 1, false);
  l.accepted([item], [yes()], 1);
  for (let i = 0; i < 2; i++) {
    l.take(push());
    const r = restored(l, yes());
    assert.equal(r.after, null);
    assert.equal(r.missed.length, 1);
  }
});

test("refused when it comes back: gone, and told", () => {
  const l = subscribed();
  const r = restored(l, { subscribed: false, message: "Unauthorized", entityId: "e", eventName: "queuecallinarrived" });
  assert.equal(r.removed[0].reason, "Unauthorized");
  assert.equal(l.size, 0);
});

test("no room when it comes back: it is asked for again, from where it was", async () => {
  const l = subscribed();
  l.begin();
  const timers = [];
  const answers = [{ ...yes(), subscribed: false, message: "Too many subscriptions" }, yes({ recovered: true, cursor: "j5" })];
  const asked = [];
  const link = { invoke: async (_, [ask]) => (asked.push(ask.After), [answers.shift()]) };
  const restorer = new Restorer(link, l, { now: () => 0, random: () => 0, after: (ms, call) => (timers.push(call), () => {}) }, assert.fail);
  assert.equal(await restorer.restore(), true);
  timers.shift()();
  await new Promise(setImmediate);
  assert.deepEqual(asked, ["j1", "j1"]);
  assert.deepEqual(l.toRestore(), []);
  restorer.stop();
});

test("what was left is not heard, even if it is under way; what is asked for again is", () => {
  const l = subscribed();
  l.unsubscribed([item], 2);
  assert.equal(l.take(push("m2")), false);
  l.asks([item], 3, false);
  l.unsubscribed([item], 2); // the answer of the earlier call
  assert.equal(l.take(push("m3")), true);
});

test("the places of quiet pairs are kept young, but never beyond what is still under way", async () => {
  const moved = [];
  const l = subscribed((key, cursor) => moved.push(cursor));
  restored(l, yes({ recovered: true, cursor: "j9" }));
  const timers = [];
  const world = { now: () => 0, random: () => 0, after: (ms, call) => (timers.push({ ms, call }), () => {}) };
  const answers = ["j1", "j12", "j30", undefined];
  const asked = [];
  const link = {
    async invoke(method, asks) {
      asked.push([method, asks]);
      const cursor = answers.shift();
      if (cursor === "j30") l.take(push("m31")); // it was under way
      return [yes({ recovered: true, cursor })];
    },
  };
  const restorer = new Restorer(link, l, world, assert.fail);
  assert.equal(await restorer.restore(), true);
  assert.deepEqual(asked, []);
  for (const want of ["j1", "j12", "m31", "m31"]) {
    const { ms, call } = timers.shift();
    assert.ok(ms >= 60_000 && ms < 600_000);
    call();
    await new Promise(setImmediate);
    assert.equal(l.place(keyOf("e", item.EventName)).cursor, want);
  }
  assert.deepEqual(asked[0], ["Subscribe", [{ EntityId: "e", EventName: "QueueCallInArrived", After: null }]]);
  assert.deepEqual(moved, ["j12"]);
  restorer.stop();
});

test("a tab that was told more than the new leader skips what comes again; one that cannot know is told", () => {
  const b = new Book();
  const key = keyOf(item.EntityId, item.EventName);
  b.want(item, 1, false);
  b.settle(item, yes(), { item, cursor: "j1", owed: false }, 1);
  for (const cursor of ["m1", "m2", "m3"]) assert.equal(b.take(push(cursor), false), true);
  assert.deepEqual(b.heard(), [{ item, cursor: "m3", owed: false }]);
  assert.deepEqual(b.resume(new Map([[key, "m1"]])), { unknown: [], missed: [] });
  assert.deepEqual(["m2", "m3", "m4"].map((cursor) => b.take(push(cursor), false)), [false, false, true]);
  assert.deepEqual(b.resume(new Map([[key, "never heard of"]])).missed, [{ entityId: "e", eventName: "queuecallinarrived" }]);
  assert.deepEqual(b.resume(new Map()).unknown, [{ item, cursor: "m4", owed: false }]);
});
