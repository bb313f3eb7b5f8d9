import assert from "node:assert/strict";
import { test } from "node:test";
import type { QueueEvent } from "../events.ts";
import { Meter, Skew } from "../meter.ts";
import { Board, staleAfter, tickerLines } from "../model.ts";
import { anna, begin, billing, call, claims, mikko, pushed, queueStatus, sales, userStatus } from "./make.ts";

function callEvent(event: QueueEvent, data: Record<string, unknown> = {}): ReturnType<typeof pushed> {
  return pushed(sales, event, { callId: call, callerNumber: "+447700900123", queueName: "Sales", ...data });
}

test("a new board has everything the token names, and no values", () => {
  const b = new Board(claims([sales, billing], [anna]), begin);
  assert.deepEqual([...b.queues.keys()], [sales, billing]);
  assert.deepEqual([...b.agents.keys()], [anna]);
  assert.equal(b.shown(begin), "connecting");
  assert.deepEqual(b.totals(begin), { waiting: null, longestWait: null, talking: null, agents: null });
});

test("totals are there once every part is", () => {
  const b = new Board(claims([sales, billing], [anna, mikko]), begin);
  b.apply(queueStatus({ nbrOfNotServedRequesters: 2, maxWaitTime: 7 }), begin);
  b.apply(userStatus(), begin);
  assert.equal(b.totals(begin).waiting, null);
  assert.equal(b.totals(begin).agents, null);
  b.apply(pushed(billing, "QueueStatus", { nbrOfNotServedRequesters: 1, maxWaitTime: 30, nbrOfConnected: 1 }), begin);
  b.apply(userStatus({ talking: true, canBeAllocatedTo: false }, mikko), begin);
  const t = b.totals(begin + 2000);
  assert.deepEqual([t.waiting, t.longestWait, t.talking], [3, 32, 4]);
  assert.deepEqual([t.agents?.free, t.agents?.talking, t.agents?.away], [1, 1, 0]);
});

test("what is refused is told, and left out of the totals", () => {
  const b = new Board(claims([sales, billing], [anna, mikko]), begin);
  const no = { subscribed: false, message: "Unauthorized" };
  b.subscribed([
    { subscribed: true, message: null, entityId: sales, eventName: "queuestatus" },
    { ...no, entityId: billing, eventName: "queuestatus" },
    { ...no, entityId: mikko, eventName: "UserStatus" },
    { ...no, entityId: anna, eventName: "useravailability" },
  ]);
  assert.equal(b.asked, 4);
  assert.deepEqual(b.refusals.map((r) => r.event), ["queuestatus", "UserStatus", "useravailability"]);
  assert.equal(b.queues.get(billing)?.refused, "Unauthorized");
  assert.equal(b.agents.get(mikko)?.refused, "Unauthorized");
  assert.equal(b.agents.get(anna)?.refused, null);
  b.apply(queueStatus(), begin);
  b.apply(userStatus(), begin);
  assert.equal(b.totals(begin).waiting, 0);
  assert.equal(b.totals(begin).agents?.free, 1);
  b.subscribed([{ subscribed: true, message: null, entityId: billing, eventName: "queuestatus" }]);
  assert.equal(b.queues.get(billing)?.refused, null);
});

test("events of others and of no known entity change nothing", () => {
  const b = new Board(claims([sales], [anna]), begin);
  b.apply(pushed(billing, "QueueStatus", { nbrOfNotServedRequesters: 2 }), begin);
  b.apply(userStatus({}, mikko), begin);
  assert.equal(b.queues.size + b.agents.size, 2);
  assert.equal(b.queues.get(sales)?.counters, null);
});

test("an agent's call follows the queue's events", () => {
  const b = new Board(claims(), begin);
  const at = (): string | undefined => {
    const c = b.agents.get(anna)?.call;
    return c === null || c === undefined ? undefined : `${c.id} ${c.answered}`;
  };
  b.apply(callEvent("QueueCallInUserAllocated", { userId: anna.toUpperCase(), userName: "anna.b@example.com" }), begin);
  assert.equal(at(), `${call} false`);
  assert.equal(b.agents.get(anna)?.userName, "anna.b@example.com");
  b.apply(callEvent("QueueCallInUserCancelled", { userId: anna, callId: "another" }), begin);
  assert.equal(at(), `${call} false`);
  b.apply(callEvent("QueueCallInUserCancelled", { userId: anna }), begin);
  assert.equal(at(), undefined);
  b.apply(callEvent("QueueCallInUserConnected", { userId: anna }), begin);
  assert.equal(at(), `${call} true`);
  b.apply(callEvent("QueueCallInDisconnected"), begin);
  assert.equal(at(), undefined);
  b.apply(callEvent("QueueCallInUserAllocated", { userId: anna }), begin);
  b.newConnection(begin);
  assert.equal(at(), undefined, "the end may have come while nobody listened");
});

test("the ticker has the newest calls first, and only so many", () => {
  const b = new Board(claims(), begin);
  for (let i = 0; i < tickerLines + 5; i++) b.apply(callEvent("QueueCallInComing", { queueName: `Q${i}` }), begin + i);
  assert.equal(b.calls.length, tickerLines);
  assert.equal(b.calls[0]?.queueName, `Q${tickerLines + 4}`);
  assert.equal(new Set(b.calls.map((l) => l.n)).size, tickerLines);
  assert.equal(b.queues.get(sales)?.name, "Q0", "a call tells the name before the first status");
});

test("connection: connecting, live, reconnecting, stale, live again", () => {
  const b = new Board(claims(), begin);
  b.lost("no route", begin + 1000);
  assert.deepEqual(b.connection, { kind: "connecting", since: begin, problem: "no route" });
  b.newConnection(begin + 2000);
  b.apply(queueStatus(), begin + 2010);
  b.wentLive(begin + 2050);
  assert.equal(b.shown(begin + 2050), "live");
  assert.equal(b.isOld(begin + 2010, begin + 2050), false, "came before the answer, but over this connection");
  b.lost("cut", begin + 10_000);
  b.lost("cut again", begin + 12_000);
  assert.equal(b.connection.since, begin + 10_000);
  assert.equal(b.shown(begin + 10_000 + staleAfter - 1), "reconnecting");
  assert.equal(b.isOld(begin + 2010, begin + 10_000 + staleAfter - 1), false);
  assert.equal(b.shown(begin + 10_000 + staleAfter), "stale");
  assert.equal(b.isOld(begin + 2010, begin + 10_000 + staleAfter), true);
  b.newConnection(begin + 40_000);
  b.wentLive(begin + 40_100);
  assert.equal(b.shown(begin + 40_100), "live");
  assert.equal(b.isOld(begin + 2010, begin + 40_100), true, "not told anew since");
  assert.equal(b.isOld(0, begin + 40_100), false, "never told: a skeleton, not old");
  b.lost("cut", begin + 50_000);
  assert.equal(b.connection.since, begin + 50_000);
  b.refused("401", begin + 60_000);
  assert.equal(b.shown(begin + 60_000), "refused");
  assert.equal(b.isOld(begin + 40_100, begin + 60_000), true);
});

test("the meter counts the last minute", () => {
  const m = new Meter();
  assert.equal(m.lastMinute(begin), null);
  for (let s = 0; s < 90; s++) {
    m.count(begin + s * 1000);
    m.count(begin + s * 1000 + 1);
  }
  assert.equal(m.lastMinute(begin + 89_500), 120);
  assert.equal(m.lastMinute(begin + 119_500), 60);
  assert.equal(m.lastMinute(begin + 3600_000), 0);
});

test("countdowns use the producers' clock", () => {
  const s = new Skew();
  assert.equal(s.there(begin), begin);
  s.note(begin - 30_000, begin + 80); // a value kept from before
  s.note(begin - 5000, begin + 20);
  s.note(begin - 4000, begin + 1100);
  assert.equal(s.there(begin + 5020), begin);
  s.reset();
  assert.equal(s.there(begin), begin);
  const b = new Board(claims(), begin);
  b.apply(queueStatus({}, begin + 7000), begin);
  assert.equal(b.skew.there(begin), begin + 7000);
});
