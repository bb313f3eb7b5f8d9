// Tabs of one browser that share a connection: Chromium, and a real node.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { openBrowser } from "../../conformance/chromium.mjs";
import { Network } from "../../conformance/proxy.mjs";
import { ephemeral } from "../../conformance/rte.mjs";

let rte;
before(async () => (rte = await ephemeral()));
after(() => rte?.process.stop("SIGKILL"));

/** A browser whose tabs are of one user. */
class Browser {
  static async open(t, options = {}) {
    const b = new Browser();
    Object.assign(b, { user: randomUUID(), org: randomUUID(), options, sent: 0 });
    b.network = await Network.open(t, rte.url);
    const first = await openBrowser(t);
    b.context = first.context();
    return b;
  }

  /** A tab that hears the user's calls, and keeps what it is told. */
  async tab({ token = rte.token({ user: this.user, org: this.org }), connect = true } = {}) {
    const page = await this.context.newPage();
    await page.goto(`${this.network.url}/api/v1/openapi.json`);
    await page.setContent("<!doctype html><title>tab</title>");
    await page.evaluate(
      async ({ url, token, user, options, connect }) => {
        const { DAService } = await import(`${url}/client/da-client-lib.js`);
        const service = new DAService(`${url}/rte`, () => token, { share: true, reconnect: { first: 20, most: 200 }, ...options });
        Object.assign(globalThis, { seen: [], values: [], states: [], notices: [], service, calls: [{ EntityId: user, EventName: "UserCallInComing" }] });
        service.OnSubscriptionDataChanged.on("UserCallInComing", (m) => seen.push(Number(m.data.callerNumber)));
        service.OnSubscriptionDataChanged.on("UserAvailability", (m) => values.push(m.data.note));
        service.OnConnectionStateChanged.on((s) => states.push({ state: s.state, recovered: s.recovered, code: s.error?.code }));
        service.OnNotice.on((n) => notices.push(n));
        if (!connect) return;
        await service.Connect();
        await service.Subscribe(calls);
      },
      { url: this.network.url, token, user: this.user, options: this.options, connect },
    );
    return page;
  }

  /** n further calls. */
  async call(n = 1) {
    const events = Array.from({ length: n }, () => ({ eventName: "UserCallInComing", data: { userId: this.user, callerNumber: String(++this.sent) } }));
    await rte.publish(events, this.org);
  }

  publish(note) {
    return rte.publish({ eventName: "UserAvailability", data: { userId: this.user, note } }, this.org);
  }

  /** Waits until each of the tabs has had the calls from a number on, once and in order. */
  async check(tabs, from = 1) {
    const want = Array.from({ length: this.sent - from + 1 }, (_, i) => from + i);
    for (const tab of tabs) {
      await tab.waitForFunction((n) => seen.length >= n, want.length);
      assert.deepEqual(await tab.evaluate(() => [seen, notices]), [want, []]);
    }
  }

  /** The node's connections of this user. */
  async connections() {
    const answer = await fetch(`${rte.admin}/admin/v1/connections?user=${this.user}`);
    const body = await answer.json();
    const list = Array.isArray(body) ? body : body.connections;
    assert.ok(Array.isArray(list), JSON.stringify(body));
    return list.length;
  }

  /** Waits until the node has so many. */
  async connected(n) {
    for (let i = 0; i < 500 && (await this.connections()) !== n; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await this.connections(), n);
  }
}

test("ten tabs, one connection; the leading tab is closed again and again: each tab has each event once", async (t) => {
  const b = await Browser.open(t);
  let tabs = [];
  for (let i = 0; i < 10; i++) tabs.push(await b.tab());
  assert.equal(await b.connections(), 1);
  await b.call(3);
  await b.check(tabs);
  assert.deepEqual(await Promise.all(tabs.map((tab) => tab.evaluate(() => service.State))), tabs.map(() => "Connected")); // prettier-ignore

  // The tab that came first leads, then the next.
  for (let i = 0; i < 4; i++) {
    await b.call(2);
    const calling = b.call(5);
    await tabs.shift().close();
    await calling;
    await b.call(2);
    await b.check(tabs);
    await b.connected(1);
  }
  const late = await b.tab();
  const from = b.sent + 1;
  await b.call(2);
  await b.check([late], from);
  await b.check(tabs);
  tabs.push(late);

  // One leaves in good order, the leading one too.
  await tabs.at(-2).evaluate(() => service.Disconnect());
  await tabs[0].evaluate(() => service.Disconnect());
  await b.call(3);
  await b.check(tabs.slice(1, -2));
  await b.check([late], from);
  for (const tab of tabs) await tab.close();
  await b.connected(0);
});

test("the shared connection is cut while events flow, and the leading tab dies in the midst", async (t) => {
  const b = await Browser.open(t, { statefulReconnect: false }); // else the node keeps what was cut for some seconds
  const tabs = [];
  for (let i = 0; i < 4; i++) tabs.push(await b.tab());
  for (let i = 0; i < 20; i++) {
    await b.call(2);
    if (i % 2 === 0) b.network.cut();
    else await Promise.all([b.network.cutInside(), b.call()]);
    if (i % 7 === 6) await tabs.shift().close({ runBeforeUnload: false });
    await b.call(2);
    if (i % 3 === 0) await b.check(tabs);
  }
  await b.check(tabs);
  await b.connected(1);
});

test("each tab hears what it has asked for, and a snapshot of its own", async (t) => {
  const b = await Browser.open(t, { snapshot: true });
  const [one, two] = [await b.tab(), await b.tab()];
  await b.publish("first");
  const availability = [{ EntityId: b.user, EventName: "UserAvailability" }];
  const results = await one.evaluate((items) => service.Subscribe(items), availability);
  assert.deepEqual(results, [{ subscribed: true, message: null, entityId: b.user, eventName: "useravailability" }]);
  await one.waitForFunction(() => values.length === 1);
  assert.deepEqual(await two.evaluate(() => values), []);
  await two.evaluate((items) => service.Subscribe(items), availability);
  await two.waitForFunction(() => values.length === 1);
  await b.publish("second");
  for (const tab of [one, two]) {
    await tab.waitForFunction(() => values.length === 2);
    assert.deepEqual(await tab.evaluate(() => values), ["first", "second"]);
  }

  // What one leaves, the other keeps.
  assert.equal((await one.evaluate((items) => service.Unsubscribe(items), availability))[0].subscribed, false);
  assert.deepEqual((await one.evaluate(() => service.GetActiveSubscriptions())).map((p) => p.eventName), ["usercallincoming"]); // prettier-ignore
  assert.equal((await two.evaluate(() => service.GetActiveSubscriptions())).length, 2);
  await b.publish("third");
  await two.waitForFunction(() => values.length === 3);
  assert.equal(await one.evaluate(() => service.UnsubscribeAll()), true);
  await b.call(2);
  await b.check([two]);
  assert.deepEqual(await one.evaluate(() => [values, seen]), [["first", "second"], []]);
  const explained = await one.evaluate((items) => service.Explain(items), availability);
  assert.equal(explained[0].allowed, true);
  assert.equal((await one.evaluate(() => service.GetAvailableSubscriptionEvents())).length, 41);
  const bad = await one.evaluate(() => service.Subscribe([{ EntityId: "x", EventName: "UserStatus" }, { EntityId: calls[0].EntityId, EventName: "Nothing" }]));
  assert.deepEqual(bad.map((r) => r.message), ["Invalid EntityId", "Invalid event name"]); // prettier-ignore
});

test("a refusal is for all tabs; tabs of different users share nothing", async (t) => {
  const b = await Browser.open(t);
  const tabs = [await b.tab(), await b.tab()];
  const other = await b.tab({ token: rte.token({ user: randomUUID(), role: "supervisor", org: b.org }) });
  assert.equal(await b.connections(), 1);
  await b.call();
  await b.check([...tabs, other]);
  const revoked = await fetch(`${rte.admin}/admin/v1/revocations`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: b.user, org: b.org }),
  });
  assert.equal(revoked.status, 200, await revoked.text());
  for (const tab of tabs) {
    await tab.waitForFunction(() => service.State === "Disconnected");
    assert.equal((await tab.evaluate(() => states)).at(-1).code, "closed");
  }
  assert.equal(await other.evaluate(() => service.State), "Connected");
  const late = await b.tab({ connect: false });
  assert.equal(await late.evaluate(() => service.Connect().catch((err) => [err.name, err.code]).then(String)), "UnauthorizedError,unauthorized");
});

test("Connect before there is a network, in two tabs; calls wait for it", async (t) => {
  const b = await Browser.open(t);
  const [one, two] = [await b.tab({ connect: false }), await b.tab({ connect: false })];
  b.network.refuses = true;
  b.network.cut();
  for (const tab of [one, two]) await tab.evaluate(() => void (globalThis.done = Promise.all([service.Connect(), service.Subscribe(calls)])));
  await one.waitForFunction(() => states.filter((s) => s.code === "unreachable").length > 2);
  await two.waitForFunction(() => states.filter((s) => s.code === "unreachable").length > 2);
  b.network.refuses = false;
  for (const tab of [one, two]) assert.equal((await tab.evaluate(() => done))[1][0].subscribed, true);
  await b.call(2);
  await b.check([one, two]);
  await b.connected(1);
});
