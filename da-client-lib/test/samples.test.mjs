// The page's samples, word for word: the global of the UMD bundle in Chromium,
// loaded from the node, and the ES module in Node.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import vm from 'node:vm';

import { openBrowser } from '../../conformance/chromium.mjs';
import { ephemeral } from '../../conformance/rte.mjs';
import { eventNames } from '../../conformance/samples.mjs';
import { Inbox } from '../../conformance/wait.mjs';
import * as DAClientLib from '../dist/da-client-lib.js';
import { sample, samples } from './samples.mjs';

const a1 = 'a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3';
const cb = 'cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3';
/** The page's own list, as its text shows it. */
const subscriptions = [
  { EntityId: a1, EventName: 'UserAvailability' },
  { EntityId: cb, EventName: 'QueueCallIncoming' },
];

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

const line = (entityId, eventName, subscribed) => ({ subscribed, message: null, entityId, eventName });

/** Runs all samples in a place; run takes a script's text, log gets what the console is told. */
async function all(run, log, org) {
  const said = (start) => log.find((text) => text.startsWith(start), `the line "${start}…"`);
  await run(sample('new DAClientLib'));
  await run(sample('.Connect()'));
  await said('connected');
  await run(sample('OnSubscriptionDataChanged'));
  await run(sample('daService.Subscribe('));
  assert.equal(
    await said('Subscription result: ['),
    `Subscription result: ${JSON.stringify([line(a1, 'useravailability', true), line(cb, 'queuecallincoming', true)])}`,
  );
  await rte.publish({ eventName: 'UserAvailability', data: { userId: a1, availability: 'Busy' } }, org);
  const event = await said('Subscription result: {');
  assert.equal(
    event,
    `Subscription result: ${JSON.stringify({ entityId: a1, eventName: 'useravailability' }, null, 2)}. Data: ${JSON.stringify({ userId: a1, availability: 'Busy' }, null, 2)}`,
  );
  await run(sample('.GetActiveSubscriptions()'));
  const active = JSON.parse((await said('GetActiveSubscriptions result: ')).replace('GetActiveSubscriptions result: ', ''));
  assert.deepEqual(active.map((p) => p.eventName).sort(), ['queuecallincoming', 'useravailability']);
  await run(sample('.Unsubscribe('));
  assert.equal(
    await said('Unsubscription result: ['),
    `Unsubscription result: ${JSON.stringify([line(a1, 'useravailability', false), line(cb, 'queuecallincoming', false)])}`,
  );
  await run(sample('.UnsubscribeAll()'));
  await said('Unsubscription result: true');
  await run(sample('.GetAvailableSubscriptionEvents()'));
  assert.equal(await said('AvailableSubscriptionEvents result: '), `AvailableSubscriptionEvents result: ${JSON.stringify(eventNames)}`);
}

for (const [name, lib] of [['ES module', DAClientLib], ['CommonJS', createRequire(import.meta.url)('../dist/da-client-lib.cjs')]]) {
  test(`the samples in Node: ${name}`, async () => {
    const org = randomUUID();
    const log = new Inbox();
    const jwt = rte.token({ user: a1, org, queues: [cb], role: 'supervisor' });
    const place = vm.createContext({ DAClientLib: lib, rteUrl: rte.hub, jwt, subscriptions, console: { log: log.push, error: log.push } });
    await all((text) => vm.runInContext(text, place), log, org);
    assert.equal(samples.length, 8);
    await vm.runInContext('daService.Disconnect()', place);
  });
}

test('the samples in Chromium, with the UMD bundle that the node serves', async (t) => {
  const org = randomUUID();
  const log = new Inbox();
  const page = await openBrowser(t);
  page.on('console', (m) => log.push(m.text()));
  page.on('pageerror', (err) => log.push(`page error: ${err.message}`));
  await page.goto(`${rte.url}/api/v1/openapi.json`); // any document of the node
  await page.setContent('<!doctype html><title>samples</title>');
  await page.addScriptTag({ url: `${rte.url}/client/da-client-lib.umd.js` });
  const jwt = rte.token({ user: a1, org, queues: [cb], role: 'supervisor' });
  await page.evaluate((globals) => Object.assign(globalThis, globals), { rteUrl: rte.hub, jwt, subscriptions });
  await all((content) => page.addScriptTag({ content }), log, org);
  assert.deepEqual(log.items.filter((text) => text.startsWith('page error')), []);
});

test('the ES module that the node serves, imported in Chromium', async (t) => {
  const page = await openBrowser(t);
  await page.goto(`${rte.url}/api/v1/openapi.json`);
  const answer = await page.evaluate(
    async ({ url, hub, token, pair }) => {
      const { DAService } = await import(`${url}/client/da-client-lib.js`);
      const service = new DAService(hub, () => Promise.resolve(token));
      await service.Connect();
      const results = await service.Subscribe([pair]);
      await service.Disconnect();
      return [service.state, results];
    },
    { url: rte.url, hub: rte.hub.replace(/^http:\/\//, ''), token: rte.token({ user: a1 }), pair: subscriptions[0] },
  );
  assert.deepEqual(answer, ['disconnected', [line(a1, 'useravailability', true)]]);
});
