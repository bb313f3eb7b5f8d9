// The wallboard as a person sees it: the address that `rte demo` prints, opened
// in headless Chromium.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { openBrowser } from './chromium.mjs';
import { demo } from './demo.mjs';
import { Inbox } from './wait.mjs';

/** Milliseconds until everything has a value: the simulation tells each state every 5 s. */
const FILLED = 15_000;

/** The last picture of the wallboard, to look at. */
const picture = join(tmpdir(), 'rte-conformance-wallboard.png');

/** Opens an address and gathers what a console and a policy would complain of. */
async function open(t, url) {
  const page = await openBrowser(t, { viewport: { width: 1920, height: 1080 }, colorScheme: 'dark' });
  page.setDefaultTimeout(FILLED);
  const complaints = new Inbox();
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && complaints.push(`${m.type()}: ${m.text()}`));
  page.on('pageerror', (err) => complaints.push(`page error: ${err.message}`));
  await page.exposeFunction('complain', complaints.push);
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) => window.complain(`policy: ${e.violatedDirective} ${e.blockedURI}`));
    // All counters of queues; waiting times are not among them, they run on a clock and prove nothing.
    window.counters = () =>
      [...document.querySelectorAll('[data-testid^=queue-]:not([data-testid=queue-longest-wait])')].map((e) => e.textContent).join(' ');
  });
  const requests = new Inbox();
  page.on('request', (r) => requests.push(r));
  // The newest figures of the day that the page was told.
  const figures = { newest: [] };
  page.on('response', async (r) => {
    if (new URL(r.url()).pathname === '/api/v1/figures' && r.status() === 200) figures.newest = await r.json().catch(() => figures.newest);
  });
  const response = await page.goto(url);
  assert.equal(response.status(), 200);
  return { page, complaints, requests, response, figures };
}

const live = (page) => page.waitForFunction(() => document.querySelector('[data-testid=connection]').dataset.state === 'live');

/** The texts of all elements with this test id. */
const texts = (page, id) => page.$$eval(`[data-testid=${id}]`, (all) => all.map((e) => e.textContent));

test('the printed address shows a live contact centre', async (t) => {
  const { process, boardUrl } = await demo(t);
  const claims = JSON.parse(Buffer.from(boardUrl.split('#token=')[1].split('.')[1], 'base64url'));
  const { page, complaints, requests, response, figures } = await open(t, boardUrl);
  assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
  await live(page);

  // The token has left the address bar, and no request but the hub's has it.
  assert.equal(page.url(), boardUrl.split('#')[0]);
  assert.equal(await page.evaluate(() => location.hash), '');
  for (const r of requests.items) {
    assert.ok(!r.url().includes('eyJ') && !(r.headers().referer ?? '').includes('eyJ'), `the token is in a request: ${r.url().split('eyJ')[0]}`);
    assert.equal(new URL(r.url()).origin, new URL(boardUrl).origin);
  }

  // Every queue and every agent of the token has a card, and the cards fill.
  assert.equal((await texts(page, 'queue')).length, claims.queues.length);
  assert.equal((await texts(page, 'agent')).length, claims.users.length);
  await page.waitForFunction(() => {
    const waiting = [...document.querySelectorAll('[data-testid=queue-waiting]')];
    return waiting.every((e) => /^\d+$/.test(e.textContent)) && document.querySelector('[data-testid=agent]:not([data-state=unknown])');
  });
  await page.waitForFunction(() => !document.querySelector('[data-testid=agent][data-state=unknown]'));
  const states = await page.$$eval('[data-testid=agent]', (all) => all.map((e) => e.dataset.state));
  for (const state of states) assert.ok(['free', 'ringing', 'talking', 'wrapup', 'away'].includes(state), `state ${state}`);

  // The sums on top are those of the cards, read in one moment.
  const sums = await page.evaluate(() => {
    const number = (e) => Number(e.textContent);
    const all = (id) => [...document.querySelectorAll(`[data-testid=${id}]`)];
    const agents = (state) => all('agent').filter((e) => e.dataset.state === state).length;
    return {
      waiting: [number(all('total-waiting')[0]), all('queue-waiting').map(number).reduce((a, b) => a + b, 0)],
      talking: [number(all('total-talking')[0]), agents('talking')],
      free: [number(all('total-free')[0]), agents('free')],
    };
  });
  for (const [name, [total, sum]] of Object.entries(sums)) assert.equal(total, sum, name);

  // Values change by themselves, three times.
  const seen = [];
  for (let i = 0; i < 3; i++) {
    seen.push(await page.evaluate(() => window.counters()));
    await page.waitForFunction((old) => !old.includes(window.counters()), seen);
  }
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=ticker-line]').length >= 3);
  await page.waitForFunction(() => Number(document.querySelector('[data-testid=events-per-minute]').textContent.replace(/\D/g, '')) > 0);

  await page.screenshot({ path: picture });
  t.diagnostic(`picture: ${picture}`);

  // After a reload it is live again, without a token in the address.
  await page.reload();
  await live(page);
  assert.equal(page.url(), boardUrl.split('#')[0]);
  assert.deepEqual(complaints.items, []);

  // The demo ends: the page says so.
  const ended = process.stop();
  await page.waitForFunction(() => document.querySelector('[data-testid=connection]').dataset.state === 'reconnecting');
  assert.equal(await ended, 0, process.errors());
});

/** What the cards say of the day, by queue. */
const days = (page) =>
  page.$$eval('[data-testid=queue]', (all) =>
    Object.fromEntries(all.map((card) => [card.dataset.queueId, ['offered', 'answered', 'abandoned', 'level', 'average', 'longest'].map((name) => card.querySelector(`[data-testid=day-${name}]`).textContent)])),
  );

const clock = (seconds) => [seconds / 60, seconds % 60].map((n) => String(Math.floor(n)).padStart(2, '0')).join(':');

test('each queue shows its day, as the figures of the day say', async (t) => {
  const { boardUrl } = await demo(t, '--speed=5');
  const claims = JSON.parse(Buffer.from(boardUrl.split('#token=')[1].split('.')[1], 'base64url'));
  const { page, complaints, figures } = await open(t, boardUrl);
  await live(page);
  // The hub writes the figures of a queue every 15 seconds, and the page asks as often.
  const end = performance.now() + 90_000;
  for (;;) {
    const told = figures.newest;
    const want = Object.fromEntries(claims.queues.map((id) => [id, ['0', '0', '0', '–', '–', '00:00']]));
    for (const f of told) {
      const level = f.serviceLevel === null ? '–' : `${f.serviceLevel === 1 ? 100 : Math.min(99, Math.round(f.serviceLevel * 100))} %`;
      const average = f.averageAnswerTime === null ? '–' : clock(f.averageAnswerTime);
      want[f.queueId] = [f.offered, f.answered, f.abandoned].map(String).concat(level, average, clock(f.longestWait));
    }
    const got = await days(page);
    if (told === figures.newest && told.some((f) => f.answered > 0) && isDeepStrictEqual(got, want)) break;
    assert.ok(performance.now() < end, `the cards say ${JSON.stringify(got)}, the figures ${JSON.stringify(want)}`);
    await page.waitForTimeout(100);
  }
  assert.deepEqual(complaints.items, []);
  await page.screenshot({ path: picture });
});

test('without a token, and with a bad one, the page asks for one and shows nothing else', async (t) => {
  const { boardUrl } = await demo(t);
  const plain = boardUrl.split('#')[0];
  const { page } = await open(t, plain);
  await page.waitForSelector('[data-testid=sign-in]', { state: 'visible' });
  assert.equal((await texts(page, 'queue')).length, 0);

  const good = boardUrl.split('#token=')[1];
  const [header, claims] = good.split('.');
  await page.fill('[data-testid=sign-in-token]', `${header}.${claims}.${'A'.repeat(43)}`);
  await page.click('[data-testid=sign-in] button');
  await page.waitForFunction(() => /did not accept/.test(document.querySelector('[data-testid=sign-in-problem]').textContent));
  assert.ok(!page.url().includes('eyJ'));

  await page.fill('[data-testid=sign-in-token]', good);
  await page.click('[data-testid=sign-in] button');
  await live(page);
  assert.equal(page.url(), plain);
});
