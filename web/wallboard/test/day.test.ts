import assert from "node:assert/strict";
import { test } from "node:test";
import { dayOld, dayPause, Days, emptyDay, readDays, type Day, type Reply } from "../day.ts";
import { percent } from "../format.ts";
import { Board } from "../model.ts";
import { isDayOld } from "../queue.ts";
import { begin, billing, claims, sales } from "./make.ts";

const figures = {
  queueId: sales.toUpperCase(), queueName: "Sales", day: "2026-11-25", offered: 8, answered: 5, abandoned: 2, ended: 0, overflowed: 0, waiting: 1,
  serviceLevel: 0.75, threshold: 20, averageAnswerTime: 12.5, longestWait: 61.25,
};
const salesDay: Day = { offered: 8, answered: 5, abandoned: 2, serviceLevel: 0.75, threshold: 20, averageAnswerTime: 12.5, longestWait: 61.25 };

test("the answer is read by queue, whatever is in it", () => {
  assert.deepEqual(readDays([figures, null, "x", { offered: 7 }]), new Map([[sales, salesDay]]));
  assert.deepEqual(readDays([{ queueId: sales, serviceLevel: null, offered: "many" }]), new Map([[sales, emptyDay]]));
  assert.equal(readDays({ error: "no" }), null);
});

test("a queue that is not named has had no call; before the first answer nothing is said", () => {
  const board = new Board(claims([sales, billing]), begin);
  const day = (id: string): unknown => board.queues.get(id)?.day;
  assert.equal(day(sales), null);
  board.days(new Map([[sales, salesDay]]), begin);
  assert.deepEqual([day(sales), day(billing)], [salesDay, emptyDay]);
  const q = board.queues.get(sales);
  assert.ok(q !== undefined && !isDayOld(q, begin + dayOld) && isDayOld(q, begin + dayOld + 1));
});

test("all is said of all only", () => {
  assert.deepEqual([0, 0.004, 0.746, 0.999, 1].map(percent), ["0 %", "0 %", "75 %", "99 %", "100 %"]);
});

/** Days with what the hub answers, one after the other; it is stopped behind the last. */
async function play(replies: (Reply | Error)[]): Promise<{ told: number[]; waits: number[]; left: number }> {
  const told: number[] = [];
  const waits: number[] = [];
  const days: Days = new Days(
    async () => {
      const reply = replies.shift();
      if (reply === undefined || reply instanceof Error) throw reply ?? new Error("nothing is left");
      return reply;
    },
    (all) => told.push(all.get(sales)?.offered ?? -1),
    {
      random: () => 0.5,
      wait: async (ms) => {
        waits.push(ms);
        if (replies.length === 0) days.stop();
      },
    },
  );
  await days.run();
  return { told, waits, left: replies.length };
}

const good = (offered: number): Reply => ({ status: 200, json: async () => [{ ...figures, offered }] });
const bad = (status: number): Reply => ({ status, json: async () => ({ error: "no" }) });

test("it asks again and again, also when the hub is away", async () => {
  const broken: Reply = { status: 200, json: async () => JSON.parse("<html>") as unknown };
  const { told, waits } = await play([good(1), new Error("away"), bad(503), broken, good(2)]);
  assert.deepEqual(told, [1, 2]);
  assert.deepEqual(waits, Array.from({ length: 5 }, () => dayPause));
});

test("a refused token ends it", async () => {
  for (const status of [401, 403]) assert.equal((await play([good(1), bad(status), good(2)])).left, 1);
});
