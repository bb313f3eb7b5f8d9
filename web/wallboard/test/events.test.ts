import assert from "node:assert/strict";
import { test } from "node:test";
import { answers, eventName, items, Members, push, queueEvents, userEvents } from "../events.ts";

test("event names are compared ignoring case", () => {
  assert.equal(eventName("queuestatus"), "QueueStatus");
  assert.equal(eventName("QueueCallIncoming"), "QueueCallInComing");
  assert.equal(eventName("UserCallInComing"), null);
});

test("everything is asked for, states with their newest value", () => {
  const got = items(["q"], ["u", "v"]);
  assert.equal(got.length, queueEvents.length + 2 * userEvents.length);
  assert.deepEqual(
    got.filter((i) => i.Snapshot === true).map((i) => `${i.EntityId} ${i.EventName}`),
    ["q QueueStatus", "q QueueAttachedUsers", "u UserAvailability", "u UserStatus", "v UserAvailability", "v UserStatus"],
  );
  assert.deepEqual(got[2], { EntityId: "q", EventName: "QueueCallInComing" });
});

test("answers", () => {
  assert.deepEqual(answers([{ subscribed: true, message: null, entityId: "AB", eventName: "userstatus" }, null, 3]), [
    { subscribed: true, message: null, entityId: "ab", eventName: "userstatus" },
  ]);
  assert.deepEqual(answers([{}]), [{ subscribed: false, message: null, entityId: "", eventName: "" }]);
  assert.deepEqual(answers("no"), []);
});

test("pushed messages", () => {
  const p = push({
    subscription: { entityId: "AB", eventName: "userstatus" },
    data: { talking: true, userName: "anna", serviceTerminals: 2, wrapUpEnd: null },
    cursor: "1",
    time: "2026-11-23T09:00:00.250Z",
  });
  assert.equal(p?.entity, "ab");
  assert.equal(p?.event, "UserStatus");
  assert.equal(p?.time, Date.UTC(2026, 10, 23, 9, 0, 0, 250));
  assert.equal(p?.members.flag("Talking"), true);
  assert.equal(p?.members.number("serviceterminals"), 2);
  assert.equal(p?.members.text("wrapUpEnd"), null);
});

test("a message without extras has no time", () => {
  assert.equal(push({ subscription: { entityId: "a", eventName: "UserStatus" }, data: {} })?.time, null);
});

for (const [name, message] of [
  ["nothing", null],
  ["a text", "hello"],
  ["no subscription", { data: {} }],
  ["no data", { subscription: { entityId: "a", eventName: "UserStatus" } }],
  ["data that is a list", { subscription: { entityId: "a", eventName: "UserStatus" }, data: [] }],
  ["an id that is a number", { subscription: { entityId: 1, eventName: "UserStatus" }, data: {} }],
  ["an event of later days", { subscription: { entityId: "a", eventName: "UserMood" }, data: {} }],
] as const) {
  test(`a message the board leaves alone: ${name}`, () => {
    assert.equal(push(message), null);
  });
}

test("members of both spellings, and of wrong types", () => {
  const m = new Members({ Username: "Anna", nbr: "3", flag: "true", list: [{ Id: 1 }, 2], note: "", id: "AB" });
  assert.equal(m.text("userName"), "Anna");
  assert.equal(m.number("nbr"), null);
  assert.equal(m.flag("flag"), false);
  assert.equal(m.text("note"), null);
  assert.equal(m.id("ID"), "ab");
  assert.deepEqual(m.list("list").map((i) => i.number("id")), [1]);
  assert.deepEqual(m.list("id"), []);
});
