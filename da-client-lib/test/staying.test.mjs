// Staying connected: cuts, a killed node, tokens that end, a network that goes
// and comes. Nothing is lost and nothing comes twice.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { openBrowser } from '../../conformance/chromium.mjs';
import { Network } from '../../conformance/proxy.mjs';
import { ephemeral, freePort, serve } from '../../conformance/rte.mjs';
import { within } from '../../conformance/wait.mjs';
import { connect, numbers, open, person, upTo } from './help.mjs';

let rte;
before(async () => {
  rte = await ephemeral();
});
after(() => rte?.stop());

const CUTS = 20;
const hubOf = (network) => `${network.url}/rte`;

for (const options of [
  { statefulReconnect: false },
  { statefulReconnect: true },
  { statefulReconnect: false, messagepack: true },
  { statefulReconnect: false, transport: 'serversentevents' },
  { statefulReconnect: false, transport: 'longpolling' },
]) {
  test(`${CUTS} cuts while events come: ${JSON.stringify(options)}`, async (t) => {
    const p = person(rte);
    const network = await Network.open(t, rte.url);
    const { service, messages, states, notices } = await connect(t, hubOf(network), p.token(), options);
    const [result] = await within(service.Subscribe([p.calls]), 'Subscribe');
    assert.equal(result.subscribed, true);

    let n = 0;
    for (let cut = 0; cut < CUTS; cut++) {
      await rte.publish(upTo(5).map(() => p.call(++n)), p.org);
      // Every other cut goes through the midst of what is on its way.
      if (cut % 2 === 0) network.cut();
      else {
        const inside = network.cutInside();
        await rte.publish(p.call(++n), p.org);
        await inside;
      }
      await rte.publish(upTo(3).map(() => p.call(++n)), p.org);
      // Now and then it has come back before the next cut, now and then not.
      if (cut % 3 === 0) await messages.until((all) => numbers(all).length >= n, `all calls after cut ${cut + 1}`);
    }
    await messages.until((all) => numbers(all).length >= n, 'all calls');
    await service.GetActiveSubscriptions(); // anything that came twice would have come by now
    assert.deepEqual(numbers(messages.items), upTo(n));
    assert.equal(network.cuts, CUTS);
    assert.deepEqual(notices.items, []);
    if (!options.statefulReconnect) assert.ok(states.items.filter((s) => s.state === 'reconnecting').length > 3);
  });
}

test('a node is killed with -9 and started again on its folder', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'rte-dalib-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const place = { listen: `127.0.0.1:${await freePort()}`, dir, secret: 'a secret of more than thirty-two bytes', org: randomUUID() };
  let node = await serve(place);
  t.after(() => node.stop());
  const p = person(node);
  let tokens = 0;
  const { service, messages, states, notices } = await connect(t, node.hub, () => (tokens++, p.token()));
  await service.Subscribe([p.calls, p.availability]);
  let n = 0;
  for (let round = 0; round < 3; round++) {
    await node.publish(upTo(20).map(() => p.call(++n)), p.org);
    await node.process.stop('SIGKILL');
    node = await serve(place);
    await node.publish(upTo(20).map(() => p.call(++n)), p.org);
    await messages.until((all) => numbers(all).length >= n, `all calls of round ${round + 1}`);
  }
  assert.deepEqual(numbers(messages.items), upTo(n));
  assert.deepEqual(notices.items, []);
  assert.ok(tokens >= 4, 'the function is called for each connection');
  assert.ok(states.items.some((s) => s.state === 'reconnecting' && s.error && s.retryIn >= 0));

  // Another store knows nothing of the cursors: the app is told.
  await node.process.stop('SIGKILL');
  rmSync(dir, { recursive: true });
  node = await serve(place);
  const missed = await notices.find((x) => x.kind === 'missed', 'the notice missed');
  assert.deepEqual(missed.subscription, { entityId: p.user, eventName: 'usercallincoming' });
  await node.publish(p.call(++n), p.org);
  await messages.until((all) => numbers(all).length >= n, 'an event of the new store');
});

test('Connect waits for a node that is not there yet; calls made meanwhile are answered', async (t) => {
  const network = await Network.open(t, rte.url);
  network.refuses = true;
  const p = person(rte);
  const { service, states } = open(t, hubOf(network), p.token());
  let ready = false;
  service.ready.then(() => (ready = true));
  const connected = service.Connect();
  const subscribed = service.Subscribe([p.calls]);
  await states.count(5, 'changes of the state');
  assert.equal(service.state, 'connecting');
  assert.equal(ready, false);
  network.refuses = false;
  assert.equal(await within(connected, 'Connect'), true);
  assert.equal((await within(subscribed, 'Subscribe'))[0].subscribed, true);
  await within(service.ready, 'ready');
});

test('a token in words that has ended: a named error, and the subscriptions are kept', async (t) => {
  const strict = await ephemeral('--jwt-leeway=0s');
  t.after(() => strict.stop());
  const network = await Network.open(t, strict.url);
  const p = person(strict);
  const { service, states, messages } = await connect(t, hubOf(network), p.token({ ttl: 3 }), { statefulReconnect: false });
  await service.Subscribe([p.calls]);
  await strict.publish(p.call(1), p.org);
  await messages.count(1, 'call');
  // Cut again and again, until the moment comes when the token is refused.
  const cutting = setInterval(() => network.cut(), 200);
  t.after(() => clearInterval(cutting));
  const { error } = await states.find((s) => s.state === 'disconnected', 'the refusal');
  assert.equal(error.code, 'token-expired');
  assert.equal(error.name, 'TokenExpiredError');
  assert.ok(error.expiredAt instanceof Date);
  await assert.rejects(service.GetActiveSubscriptions(), { code: 'not-connected', cause: error });
  await assert.rejects(service.Connect(), { code: 'token-expired' });
});

test('a token function is asked again when its token has ended', async (t) => {
  const p = person(rte);
  const old = p.token({ exp: Math.floor(Date.now() / 1000) - 3600 });
  let asked = 0;
  const { service } = await connect(t, rte.hub, async () => (++asked === 1 ? old : p.token()));
  assert.equal(asked, 2);
  assert.equal(service.state, 'connected');
});

test('a token function that fails is asked again; one that throws UnauthorizedError ends it', async (t) => {
  const { UnauthorizedError } = await import('../dist/da-client-lib.js');
  const p = person(rte);
  let asked = 0;
  await connect(t, rte.hub, () => {
    if (++asked < 3) throw new Error('the API is away');
    return p.token();
  });
  assert.equal(asked, 3);
  const { service } = open(t, rte.hub, () => Promise.reject(new UnauthorizedError('signed out')));
  await assert.rejects(within(service.Connect(), 'Connect'), { code: 'unauthorized', message: 'signed out' });
});

test('Chromium: the network goes and comes back; the event online ends the pause at once', async (t) => {
  const p = person(rte);
  const network = await Network.open(t, rte.url);
  const page = await openBrowser(t);
  await page.goto(`${network.url}/api/v1/openapi.json`);
  await page.evaluate(
    async ({ url, token, pair }) => {
      const { DAService } = await import(`${url}/client/da-client-lib.js`);
      globalThis.seen = [];
      // Without the event it would wait for minutes.
      globalThis.service = new DAService(`${url}/rte`, token, { retry: { base: 600_000, cap: 1_200_000 } });
      service.OnSubscriptionDataChanged.on((m) => seen.push(Number(m.data.callerNumber)));
      await service.Connect();
      await service.Subscribe([pair]);
    },
    { url: network.url, token: p.token(), pair: p.calls },
  );
  await rte.publish([p.call(1), p.call(2)], p.org);
  await page.waitForFunction(() => seen.length === 2);
  await page.context().setOffline(true);
  network.refuses = true;
  network.cut();
  await page.waitForFunction(() => service.state === 'reconnecting');
  await rte.publish([p.call(3), p.call(4)], p.org);
  network.refuses = false;
  await page.context().setOffline(false);
  await page.waitForFunction(() => seen.length >= 4);
  await rte.publish(p.call(5), p.org);
  await page.waitForFunction(() => seen.length >= 5);
  assert.deepEqual(await page.evaluate(() => seen), upTo(5));
});
