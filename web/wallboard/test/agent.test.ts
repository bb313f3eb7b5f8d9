import assert from "node:assert/strict";
import { test } from "node:test";
import { absence, newAgent, readAvailability, readUserStatus, stateOf, stateText, type Agent } from "../agent.ts";
import { anna, begin, call, pushed, sales, userStatus } from "./make.ts";

function agent(status?: Record<string, unknown>, availability?: Record<string, unknown>): Agent {
  const a = newAgent(anna);
  if (status !== undefined) readUserStatus(a, userStatus(status).members, begin);
  if (availability !== undefined) readAvailability(a, pushed(anna, "UserAvailability", availability).members, begin);
  return a;
}

for (const [name, status, availability, state, text] of [
  ["nothing arrived", undefined, undefined, "unknown", ""],
  ["availability alone", undefined, { availability: "Available" }, "unknown", ""],
  ["free", {}, undefined, "free", "Free"],
  ["ringing", { canBeAllocatedTo: false }, undefined, "ringing", "Ringing"],
  ["talking", { canBeAllocatedTo: false, talking: true }, undefined, "talking", "Talking"],
  ["talking though away", { available: false, canBeAllocatedTo: false, talking: true }, { availability: "Busy" }, "talking", "Talking"],
  ["wrap-up", { canBeAllocatedTo: false, wrapUpEnd: "2026-11-23T09:00:20Z" }, undefined, "wrapup", "Wrap-up"],
  ["away, code not here yet", { available: false, canBeAllocatedTo: false }, undefined, "away", "Away"],
  ["off work, code not here yet", { available: false, schedule: false, canBeAllocatedTo: false }, undefined, "away", "Off work"],
  ["do not disturb", { available: false, canBeAllocatedTo: false }, { availability: "DoNotDisturb" }, "away", "Do not disturb"],
  ["a code of later days", { available: false, canBeAllocatedTo: false }, { availability: "Gardening" }, "away", "Gardening"],
  ["callbacks", { serving: false, servingCallback: true, canBeAllocatedTo: false }, undefined, "away", "Callbacks"],
  ["not serving", { serving: false, canBeAllocatedTo: false }, undefined, "away", "Not serving"],
  ["no telephone", { serviceTerminals: 0, canBeAllocatedTo: false }, undefined, "away", "No telephone"],
] as const) {
  test(`state: ${name}`, () => {
    const a = agent(status, availability);
    assert.equal(stateOf(a), state);
    assert.equal(stateText(a), text);
  });
}

test("a call that rings is seen at somebody who does not serve, but not at somebody who is free", () => {
  const a = agent({ serving: false, canBeAllocatedTo: false });
  a.call = { id: call, queue: sales, answered: false, since: begin };
  assert.equal(stateOf(a), "ringing");
  readUserStatus(a, userStatus().members, begin);
  assert.equal(stateOf(a), "free");
});

test("the time of a talk counts from its begin, and only if the page saw it", () => {
  const a = agent({ talking: true });
  assert.equal(a.talkingSince, null);
  readUserStatus(a, userStatus().members, begin);
  readUserStatus(a, userStatus({ talking: true }).members, begin + 1000);
  readUserStatus(a, userStatus({ talking: true }).members, begin + 9000);
  assert.equal(a.talkingSince, begin + 1000);
  readUserStatus(a, userStatus().members, begin + 10_000);
  assert.equal(a.talkingSince, null);
});

test("an absence has its note and its end", () => {
  const lunch = { availability: "OffWork", note: "Lunch", endTime: "2026-11-23T10:30:00Z", userName: "anna.b@example.com" };
  const a = agent({}, lunch);
  assert.equal(a.userName, "anna.b@example.com");
  assert.equal(absence(a, begin).note, "Lunch");
  assert.match(absence(a, begin).end, /^until /);
  assert.deepEqual(absence(agent({}, { ...lunch, endTime: "9999-12-31T23:59:59.9999999" }), begin), { note: "Lunch", end: "" });
  assert.deepEqual(absence(agent({}, { ...lunch, availability: "Available" }), begin), { note: "", end: "" });
  assert.deepEqual(absence(agent({}), begin), { note: "", end: "" });
});
