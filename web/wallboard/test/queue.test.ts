import assert from "node:assert/strict";
import { test } from "node:test";
import { historySpan, longestWait, newQueue, opening, readAttached, readStatus, urgency } from "../queue.ts";
import { spark } from "../spark.ts";
import { begin, pushed, queueStatus, sales } from "./make.ts";

test("a queue without a status shows nothing, not zero", () => {
  const q = newQueue(sales);
  assert.equal(q.counters, null);
  assert.equal(longestWait(q, begin), null);
  assert.deepEqual(urgency(q, begin), { level: "calm", wait: "calm", calls: "calm", nobody: false });
  assert.deepEqual(spark(q.history, begin, historySpan, 100, 20), { line: "", area: "" });
});

test("counters", () => {
  const q = newQueue(sales);
  readStatus(q, queueStatus({ nbrOfNotServedRequesters: 4, nbrOfAllocated: 1, maxWaitTime: 12 }).members, begin);
  assert.equal(q.name, "Sales");
  assert.deepEqual(q.counters, {
    waiting: 4, ringing: 1, talking: 3, free: 2, serving: 5, checkedIn: 6, wrapUp: 1, maxWait: 12, open: 5,
  });
});

test("the longest wait grows between two statuses, and only while someone waits", () => {
  const q = newQueue(sales);
  readStatus(q, queueStatus({ nbrOfNotServedRequesters: 1, maxWaitTime: 12 }).members, begin);
  assert.equal(longestWait(q, begin), 12);
  assert.equal(longestWait(q, begin + 3500), 15.5);
  assert.equal(longestWait(q, begin - 3500), 12);
  readStatus(q, queueStatus().members, begin + 4000);
  assert.equal(longestWait(q, begin + 60_000), 0);
});

for (const [name, data, after, want] of [
  ["nobody waits", {}, 0, "calm: calm calm"],
  ["one waits a little", { nbrOfNotServedRequesters: 1, maxWaitTime: 5 }, 0, "calm: calm calm"],
  ["three wait", { nbrOfNotServedRequesters: 3, maxWaitTime: 5 }, 0, "watch: calm watch"],
  ["half a minute", { nbrOfNotServedRequesters: 1, maxWaitTime: 30 }, 0, "watch: watch calm"],
  ["half a minute by now", { nbrOfNotServedRequesters: 1, maxWaitTime: 25 }, 5000, "watch: watch calm"],
  ["two minutes", { nbrOfNotServedRequesters: 3, maxWaitTime: 120 }, 0, "alarm: alarm watch"],
  ["eight wait", { nbrOfNotServedRequesters: 8, maxWaitTime: 5 }, 0, "alarm: calm alarm"],
  ["nobody serves", { nbrOfNotServedRequesters: 1, maxWaitTime: 1, nbrOfServingAgentsEstimate: 0 }, 0, "alarm: calm calm nobody"],
  ["nobody serves, nobody waits", { nbrOfServingAgentsEstimate: 0 }, 0, "calm: calm calm"],
] as const) {
  test(`urgency: ${name} is ${want}`, () => {
    const q = newQueue(sales);
    readStatus(q, queueStatus(data).members, begin);
    const u = urgency(q, begin + after);
    assert.equal(`${u.level}: ${u.wait} ${u.calls}${u.nobody ? " nobody" : ""}`, want);
  });
}

test("open status has a colour and words", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((n) => opening(n).colour),
    ["grey", "red", "yellow", "red", "yellow", "green", "yellow", "grey"],
  );
  assert.equal(new Set([1, 2, 3, 4, 5, 6].map((n) => opening(n).text)).size, 6);
});

test("attached users", () => {
  const q = newQueue(sales);
  readAttached(q, pushed(sales, "QueueAttachedUsers", { attachedUsers: [{ active: true }, { active: false }, { active: true }] }).members);
  assert.deepEqual(q.attached, { active: 2, all: 3 });
});

test("history keeps changes only, and no more than it shows", () => {
  const q = newQueue(sales);
  for (let s = 0; s < 3600; s++) {
    readStatus(q, queueStatus({ nbrOfNotServedRequesters: Math.floor(s / 10) % 3 }).members, begin + s * 1000);
  }
  assert.equal(q.history.length, historySpan / 10_000 + 1);
  const end = begin + 3599_000;
  assert.ok((q.history[1]?.at ?? 0) > end - historySpan);
  assert.ok((q.history[0]?.at ?? 0) <= end - historySpan);
});

test("a sparkline: steps, newest at the right, empty before the first sample", () => {
  const history = [
    { at: 50, waiting: 0 },
    { at: 75, waiting: 4 },
  ];
  const s = spark(history, 100, 100, 200, 22);
  assert.equal(s.line, "M100 21H150V1H200");
  assert.equal(s.area, "M100 21H150V1H200V22H100Z");
  assert.equal(spark(history, 160, 100, 200, 22).line, "M0 21H30V1H200");
  assert.equal(spark([{ at: 0, waiting: 1 }], 100, 100, 200, 22).line, "M0 16H200");
});
