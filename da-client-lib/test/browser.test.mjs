// Headless Chromium, with the bundles that a node serves at /client/: the
// page's samples, a network that goes and comes, a machine that sleeps.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { openBrowser } from "../../conformance/chromium.mjs";
import { Network } from "../../conformance/proxy.mjs";
import { ephemeral } from "../../conformance/rte.mjs";
import { eventNames } from "../../conformance/samples.mjs";
import { Inbox } from "../../conformance/wait.mjs";
import { read, script, scripts } from "./samples.mjs";

const a1 = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3";
const c9 = "c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3";

let rte;
before(async () => (rte = await ephemeral()));
after(() => rte?.process.stop("SIGKILL"));

/** An empty document of a node, or of a way to it: one that did come from loopback, else Chromium lets no WebSocket go there. */
async function blank(page, url) {
  await page.goto(`${url}/api/v1/openapi.json`);
  await page.setContent("<!doctype html><title>test</title>");
}

/** Puts the globals service and seen into a page; the service hears one user's calls. */
async function listen(page, url, token, user, options = {}) {
  await blank(page, url);
  await page.evaluate(
    async ({ url, token, user, options }) => {
      const { DAService } = await import(`${url}/client/da-client-lib.js`);
      Object.assign(globalThis, { seen: [], states: [], notices: [], service: new DAService(`${url}/rte`, () => token, options) });
      service.OnSubscriptionDataChanged.on("UserCallInComing", (m) => seen.push(Number(m.data.callerNumber)));
      service.OnConnectionStateChanged.on((s) => states.push(s.state));
      service.OnNotice.on((n) => notices.push(n));
      await service.Connect();
      await service.Subscribe([{ EntityId: user, EventName: "UserCallInComing" }]);
    },
    { url, token, user, options },
  );
}

/** Publishes the calls with these numbers. */
const call = (user, org, ...numbers) =>
  rte.publish(numbers.map((n) => ({ eventName: "UserCallInComing", data: { userId: user, callerNumber: String(n) } })), org); // prettier-ignore

test("the samples, word for word, with the global of the UMD bundle", async (t) => {
  const org = randomUUID();
  const log = new Inbox();
  const page = await openBrowser(t);
  page.on("console", (m) => m.location().url.endsWith("/favicon.ico") || log.push(m.text()));
  page.on("pageerror", (err) => log.push(`page error: ${err.message}`));
  await blank(page, rte.url);
  await page.addScriptTag({ url: `${rte.url}/client/da-client-lib.umd.js` });
  const jwt = rte.token({ user: c9, users: [a1], org });
  await page.evaluate((globals) => Object.assign(globalThis, globals), { rteUrl: rte.hub, jwt });
  await page.addScriptTag({ content: read("../../../conformance/samples/subscribe.js").split("// This will")[0] }); // fills subscriptions
  for (const name of scripts.slice(0, 2)) await page.addScriptTag({ content: script(name) });
  await log.find((line) => line === "connected", "connected");
  for (const name of scripts.slice(2, 4)) await page.addScriptTag({ content: script(name) });
  await log.find((line) => line.startsWith("Subscription result: [{"), "results");
  await rte.publish({ eventName: "UserAvailability", data: { userId: a1, availability: "Busy" } }, org);
  await log.find((line) => line.includes('. Data: {\n  "userId"'), "data");
  for (const name of scripts.slice(4)) await page.addScriptTag({ content: script(name) });
  await log.find((line) => line === `AvailableSubscriptionEvents result: ${JSON.stringify(eventNames)}`, "names");
  for (const start of ["GetActiveSubscriptions result: [{", "Unsubscription result: [{", "Unsubscription result: true"]) {
    await log.find((line) => line.startsWith(start), start);
  }
  assert.deepEqual(log.items.filter((line) => !/result: |^connected$/.test(line)), []); // no error, no warning
});

for (const event of ["online", "visibilitychange", "pageshow"]) {
  test(`the network goes and comes back: the event ${event} ends the pause at once`, async (t) => {
    const [user, org] = [randomUUID(), randomUUID()];
    const network = await Network.open(t, rte.url);
    const page = await openBrowser(t);
    // Without the event it would wait for minutes.
    await listen(page, network.url, rte.token({ user, org }), user, { reconnect: { first: 600_000, most: 1_200_000 } });
    await call(user, org, 1, 2);
    await page.waitForFunction(() => seen.length === 2);
    if (event === "online") await page.context().setOffline(true);
    network.refuses = true;
    network.cut();
    await page.waitForFunction(() => service.State === "Reconnecting");
    await call(user, org, 3, 4);
    network.refuses = false;
    if (event === "online") await page.context().setOffline(false);
    else await page.evaluate((name) => (name === "pageshow" ? window : document).dispatchEvent(new Event(name)), event);
    await page.waitForFunction(() => seen.length >= 4);
    await call(user, org, 5);
    await page.waitForFunction(() => seen.length >= 5);
    assert.deepEqual(await page.evaluate(() => [seen, notices]), [[1, 2, 3, 4, 5], []]);
  });
}

test("the machine sleeps: timers stand still, the connection dies without a word; awake, nothing is missing", async (t) => {
  const [user, org] = [randomUUID(), randomUUID()];
  const network = await Network.open(t, rte.url);
  const page = await openBrowser(t);
  await page.clock.install();
  await listen(page, network.url, rte.token({ user, org }), user, { reconnect: { first: 20, most: 200 } });
  await call(user, org, 1, 2);
  await page.waitForFunction(() => seen.length === 2);
  await page.clock.pauseAt(Date.now() + 60_000); // nothing runs any more
  network.hang();
  await call(user, org, 3, 4);
  await page.clock.fastForward(8 * 3600_000);
  await page.clock.resume();
  await page.waitForFunction(() => seen.length >= 4);
  await call(user, org, 5);
  await page.waitForFunction(() => seen.length >= 5);
  assert.deepEqual(await page.evaluate(() => [seen, notices]), [[1, 2, 3, 4, 5], []]);
  assert.ok((await page.evaluate(() => states)).includes("Reconnecting"));
});
