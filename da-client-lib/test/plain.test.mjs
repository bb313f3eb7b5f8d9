// Hubs without RTE's additions, hubs that say less, and what RTE adds.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { startHub } from "../../conformance/hub.mjs";
import { Network } from "../../conformance/proxy.mjs";
import { ephemeral } from "../../conformance/rte.mjs";
import { within } from "../../conformance/wait.mjs";
import { DAService } from "../dist/index.js";
import { Caller, callsOf, desk, usersOf } from "./desk.mjs";

let hub;
let rte;
before(async () => ([hub, rte] = await Promise.all([startHub(), ephemeral()])));
after(() => Promise.all([hub?.stop(), rte?.process.stop("SIGKILL")]));

for (const protocol of ["json", MessagePackHubProtocol]) {
  test(`a hub without cursors, ${protocol.name ?? protocol}: it works, and says when something may be missing`, async (t) => {
    const network = await Network.open(t, hub.url);
    const d = await desk(t, `${network.url}/plain`, "any", { protocol });
    const other = new DAService(`${hub.url}/plain`, "any", { protocol });
    await other.Connect();
    t.after(() => other.Disconnect());
    const [user] = usersOf(1);
    const item = { EntityId: user, EventName: "UserCallInComing" };
    const pair = { entityId: user, eventName: "usercallincoming" };
    assert.deepEqual(await d.service.Subscribe([item]), [{ subscribed: true, message: null, ...pair }]);
    assert.deepEqual(await d.service.GetActiveSubscriptions(), [pair]);
    assert.deepEqual(await d.service.GetAvailableSubscriptionEvents(), ["UserAvailability", "UserCallInComing"]);
    await assert.rejects(d.service.Explain([item]), { code: "unsupported" });
    const raise = (n) => other.hub.ask("Raise", [pair, { callerNumber: n }]).catch((err) => assert.match(err.message, /no list/));
    await raise("1");
    await d.messages.find((m) => m.data.callerNumber === "1", "1");

    network.cut();
    await d.states.find((s) => s.state === "Reconnecting", "cut");
    await within(d.service.ready, "ready");
    assert.equal(d.states.items.at(-1).recovered, false);
    const [missed] = await d.notices.count(1, "notice");
    assert.equal(missed.kind, "missed");
    assert.deepEqual(missed.subscription, pair);
    await raise("2");
    await d.messages.find((m) => m.data.callerNumber === "2", "2");
    assert.deepEqual(d.messages.items.map((m) => m.subscription), [pair, pair].map((p) => ({ ...p, ...(protocol === "json" ? {} : {}) }))); // prettier-ignore
    await d.service.Unsubscribe([item]);
    await raise("3");
    assert.equal(await d.service.UnsubscribeAll(), true);
    assert.equal(d.messages.items.length, 2);
  });
}

test("a node whose pushes have no cursors: nothing comes twice, and the gap is told", async (t) => {
  const quiet = await ephemeral("--push-extras=false");
  t.after(() => quiet.process.stop("SIGKILL"));
  const network = await Network.open(t, quiet.url);
  const users = usersOf(2);
  const d = await desk(t, `${network.url}/rte`, () => quiet.token({ user: users[0], role: "supervisor" }), { statefulReconnect: false });
  await d.service.Subscribe(callsOf(users));
  const caller = new Caller(quiet, [users[0]]);
  await caller.call();
  await caller.check(d.messages);
  network.cut();
  await d.states.find((s) => s.state === "Reconnecting", "cut");
  await within(d.service.ready, "ready");
  // The pair that was quiet could be resumed, the other one could not.
  assert.deepEqual(d.notices.items.map((n) => [n.kind, n.subscription.entityId]), [["missed", users[0]]]); // prettier-ignore
  await caller.call();
  await caller.check(d.messages);
});

test("snapshot first, After, and what MessagePack makes of them: the same", async (t) => {
  const user = randomUUID();
  const state = (note) => ({ eventName: "UserAvailability", data: { UserId: user, Note: note, StartTime: "2026-11-22T08:00:00.25Z", EndTime: "9999-12-31T23:59:59.9999999Z" } });
  const changed = {
    eventName: "CallbackChanged",
    data: { CallListId: randomUUID(), CallBackId: randomUUID(), CallbackAttempts: [{ Id: randomUUID(), Note: "n", Timestamp: "2026-11-22T08:00:00Z", UserId: null }], Custom: { KeepThis: 1 } },
  };
  const { cursor } = await rte.publish([state("old"), state("new")]);
  const items = [{ EntityId: user, EventName: "UserAvailability", Snapshot: true }, { EntityId: changed.data.CallListId, EventName: "CallbackChanged" }];
  const told = [];
  for (const protocol of ["json", MessagePackHubProtocol]) {
    const d = await desk(t, rte.hub, () => rte.token({ user, role: "supervisor" }), { protocol });
    const results = await d.service.Subscribe(items);
    assert.deepEqual(results.map((r) => Object.keys(r)), [["subscribed", "message", "entityId", "eventName", "recovered", "cursor"], ["subscribed", "message", "entityId", "eventName"]]); // prettier-ignore
    assert.equal(results[0].recovered, true);
    const [first] = await d.messages.count(1, "snapshot");
    assert.equal(first.data.note, "new");
    assert.equal(first.cursor, cursor);
    await rte.publish({ ...changed, time: "2026-11-22T08:00:01Z" });
    await d.messages.count(2, "message");
    told.push(d.messages.items.map(({ cursor: _, ...rest }) => rest));
    const after = await d.service.Explain(items);
    assert.ok(after.every((e) => e.subscribed && e.allowed && typeof e.reason === "string" && e.entityId), JSON.stringify(after));
  }
  assert.deepEqual(told[1], told[0]);
  assert.deepEqual(told[0][1].data.callbackAttempts[0].timestamp, "2026-11-22T08:00:00Z");
  assert.deepEqual(told[0][1].data.custom, { KeepThis: 1 });

  const later = await desk(t, rte.hub, () => rte.token({ user }), { snapshot: true });
  assert.deepEqual((await later.service.Subscribe([{ EntityId: user, EventName: "useravailability", After: cursor }]))[0].recovered, true);
  await rte.publish(state("newest"));
  const [next] = await later.messages.count(1, "message");
  assert.equal(next.data.note, "newest");
});

test("more pairs than a call takes, and a restore of them", async (t) => {
  const network = await Network.open(t, rte.url);
  const users = usersOf(2500);
  const d = await desk(t, `${network.url}/rte`, () => rte.token({ user: users[0], role: "supervisor" }), { statefulReconnect: false });
  const results = await d.service.Subscribe(callsOf(users));
  assert.deepEqual(results.map((r) => r.entityId), users); // prettier-ignore
  network.cut();
  await d.states.find((s) => s.state === "Reconnecting", "cut");
  const caller = new Caller(rte, users.slice(0, 200));
  await caller.call();
  await within(d.service.ready, "ready");
  await caller.check(d.messages);
  assert.deepEqual(d.notices.items, []);
  assert.equal((await d.service.GetActiveSubscriptions()).length, users.length);
});
