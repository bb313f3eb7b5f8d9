// Connections that break: nothing lost, nothing twice, in order.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Network } from "../../conformance/proxy.mjs";
import { ephemeral, freePort, serve } from "../../conformance/rte.mjs";
import { within } from "../../conformance/wait.mjs";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Caller, callsOf, desk, long, usersOf } from "./desk.mjs";

let rte;
before(async () => (rte = await ephemeral()));
after(() => rte?.process.stop("SIGKILL")); // connections that were cut off would be waited for

describe("50 cuts of the network while events flow", { concurrency: true }, () => {
  const ways = [
    { name: "WebSockets", options: { statefulReconnect: false } },
    { name: "WebSockets with stateful reconnect", options: {} },
    { name: "WebSockets, MessagePack", options: { protocol: MessagePackHubProtocol } },
    { name: "server-sent events", options: { transports: ["serversentevents"] } },
    { name: "long polling", options: { transports: ["longpolling"] } },
  ];
  for (const { name, options } of ways) {
    test(name, async (t) => {
      const network = await Network.open(t, rte.url);
      const users = usersOf(5);
      const org = randomUUID();
      let tokens = 0;
      const token = () => (tokens++, rte.token({ user: users[0], org, role: "supervisor" }));
      const d = await desk(t, `${network.url}/rte`, token, options);
      const results = await d.service.Subscribe(callsOf(users));
      assert.deepEqual(results.map((r) => [r.subscribed, Object.keys(r)]), users.map(() => [true, ["subscribed", "message", "entityId", "eventName"]])); // prettier-ignore
      const caller = new Caller({ publish: (events) => rte.publish(events, org) }, users);
      for (let i = 0; i < (long ? 500 : 50); i++) {
        // Cut while nothing flows, while something does, inside of what flows, and while a connection is being made.
        await caller.call();
        if (i % 3 === 0) await Promise.all([network.cutInside(), caller.call()]);
        else network.cut();
        await caller.call();
        if (i % 5 !== 4) await caller.check(d.messages);
      }
      await caller.check(d.messages);
      assert.deepEqual(d.notices.items, []);
      assert.ok(tokens > 40, `${tokens} connections were made`);
      assert.equal((await d.service.GetActiveSubscriptions()).length, users.length);
    });
  }
});

test("calls outlive cuts: each is answered once, in order", async (t) => {
  const network = await Network.open(t, rte.url);
  const users = usersOf(50);
  const d = await desk(t, `${network.url}/rte`, () => rte.token({ user: users[0], role: "supervisor" }), { statefulReconnect: false });
  const order = [];
  const calls = users.map((user, i) => {
    if (i % 10 === 3) network.cut();
    return d.service.Subscribe(callsOf([user])).then((results) => {
      order.push(i);
      assert.equal(results[0].entityId, user);
    });
  });
  calls.push(d.service.Unsubscribe(callsOf(users.slice(0, 10))));
  network.cut();
  await within(Promise.all(calls), "answers");
  assert.deepEqual(order, users.map((_, i) => i)); // prettier-ignore
  assert.deepEqual((await d.service.GetActiveSubscriptions()).map((p) => p.entityId).sort(), users.slice(10).sort());
});

test("kill -9 and restart of the node, again and again: everything that was accepted comes, once and in order", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "rte-data-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const where = { listen: `127.0.0.1:${await freePort()}`, dir, secret: randomBytes(32).toString("hex"), org: randomUUID() };
  let node = await serve(where);
  t.after(() => node.process.child.kill("SIGKILL"));
  const users = usersOf(4);
  const tokens = [];
  const d = await desk(t, node.hub, () => (tokens.push(node.token({ user: users[0], role: "supervisor" })), tokens.at(-1)));
  await d.service.Subscribe([...callsOf(users), { EntityId: users[0], EventName: "UserAvailability" }]);
  const caller = new Caller(node, users);
  for (let round = 0; round < (long ? 20 : 3); round++) {
    await caller.call(node);
    const dies = node.process.stop(round % 2 === 0 ? "SIGKILL" : "SIGTERM");
    await caller.call(node).catch(() => {}); // it may be accepted, or not; the next call has the same ids
    await dies;
    node = await serve(where);
    await caller.call(node);
    const note = `state ${round}`;
    await node.publish({ eventName: "UserAvailability", data: { userId: users[0], note } });
    await caller.check(d.messages, 30_000);
    await d.messages.find((m) => m.data.note === note, note);
  }
  assert.deepEqual(d.notices.items.filter((n) => n.kind !== "draining"), []); // prettier-ignore
  assert.ok(tokens.length >= 4, "a token for each connection");
  assert.ok(d.states.items.some((s) => s.state === "Reconnecting" && s.error.code === "unreachable" && s.retryIn >= 0));
  assert.ok(d.states.items.filter((s) => s.state === "Connected").every((s) => s.recovered === true));
});
