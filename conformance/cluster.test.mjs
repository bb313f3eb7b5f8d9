// Three nodes that form a cluster, behind a proxy that gives each request to
// the next of them: clients need no sticky sessions, and lose nothing when a
// node is killed. Every way of every version at once.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { roundRobin } from './proxy.mjs';
import { Node, freePort, serve } from './rte.mjs';
import { Inbox, within } from './wait.mjs';
import { build, ways } from './ways.mjs';

/** Three nodes, and what stands before them as if it were one. */
async function cluster(t) {
  const [secret, org] = [randomBytes(32).toString('hex'), randomUUID()];
  const routes = [];
  while (routes.length < 3) routes.push(`127.0.0.1:${await freePort()}`);
  const starts = routes.map(async (route, i) => {
    const dir = mkdtempSync(join(tmpdir(), 'rte-data-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const listen = `127.0.0.1:${await freePort()}`;
    const node = await serve(
      { listen, dir, secret, org, drain: '0s' },
      '--cluster-name=three', `--cluster-listen=${route}`, `--cluster-routes=${routes}`, `--cluster-secret=${secret}`, `--cluster-node=n${i}`,
    );
    t.after(() => node.process.child.kill('SIGKILL'));
    return node;
  });
  await Promise.allSettled(starts); // so that each is ended whatever became of the others
  const nodes = await Promise.all(starts);
  const url = await roundRobin(t, nodes.map((node) => node.url));
  const front = new Node({ errors: () => nodes.map((node) => node.process.errors()).join('\n') }, { url, hub: `${url}/rte`, org, jwtSecret: secret });
  return { nodes, front };
}

/** A member of a message, as the encoding of a way spells it. */
const member = (way, object, name) => object[way.encoding === 'json' ? name : name[0].toUpperCase() + name.slice(1)];

/** Between two tries, not instead of one. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

/** A client that comes back by itself and subscribes behind the last it has heard. */
class Listener {
  heard = new Inbox(); // numbers
  joined = new Inbox(); // recovered, of each Subscribe
  stopped = false;
  #starting = false;

  constructor(t, way, front, user) {
    Object.assign(this, { way, pair: { EntityId: user, EventName: 'UserCallInComing' }, after: '' });
    const automatic = way.client.reconnects;
    const options = { token: () => front.token({ user }), reconnect: automatic ? [Array(200).fill(100)] : undefined };
    this.connection = build(way, front.hub, options).connection;
    this.connection.on('MessageReceived', (message) => {
      this.after = member(way, message, 'cursor');
      this.heard.push(Number(member(way, member(way, message, 'data'), 'callerNumber')));
    });
    if (automatic) this.connection.onreconnected(() => this.#rejoin());
    this.connection.onclose(() => this.stopped || automatic || this.#starting || this.start());
    t.after(() => {
      this.stopped = true;
      return this.connection.stop();
    });
  }

  /** Connects, again and again, and subscribes. */
  async start() {
    this.#starting = true;
    while (!this.stopped) {
      try {
        await this.connection.start();
        await this.#join();
        this.#starting = false;
        return;
      } catch {
        await this.connection.stop(); // it may have been made all the same
        await pause();
      }
    }
  }

  async #join() {
    const [result] = await this.connection.invoke('Subscribe', [{ ...this.pair, After: this.after }]);
    this.after ||= member(this.way, result, 'cursor');
    this.joined.push(member(this.way, result, 'recovered'));
  }

  /** Subscribes, again while the connection lasts: the request may have come to the node that was killed. */
  async #rejoin() {
    const { connectionId, state } = this.connection;
    while (this.connection.connectionId === connectionId && this.connection.state === state) {
      try {
        await this.#join();
        return;
      } catch {
        await pause();
      }
    }
  }
}

test('every way behind a round-robin proxy before three nodes: one is killed, nothing is lost, nothing comes twice', async (t) => {
  const { nodes, front } = await cluster(t);
  const user = randomUUID();
  const listeners = ways.map((way) => new Listener(t, way, front, user));
  await Promise.all(listeners.map((l) => l.start()));
  for (const l of listeners) await l.joined.count(1, `Subscribe over ${l.way.name}`);

  let published = 0;
  /** Publishes the next event, again with the same id while a node is away. */
  const publish = async () => {
    const callerNumber = String(published++);
    const event = { id: callerNumber, eventName: 'UserCallInComing', data: { userId: user, callerNumber } };
    for (let tries = 0; ; tries++) {
      try {
        return await front.publish(event);
      } catch (err) {
        if (tries > 100) throw err;
        await pause();
      }
    }
  };
  const all = () => Promise.all(listeners.map((l) => l.heard.count(published, `message over ${l.way.name}`)));

  for (let i = 0; i < 10; i++) await publish();
  await all();
  assert.deepEqual(listeners.map((l) => l.joined.items.length), listeners.map(() => 1), 'nobody had to come back');

  assert.equal(await nodes[0].process.stop('SIGKILL'), 'SIGKILL');
  for (let i = 0; i < 20; i++) await publish();
  await all();
  await publish();
  await all();

  const numbers = Array.from({ length: published }, (_, i) => i);
  for (const l of listeners) {
    assert.deepEqual(l.heard.items, numbers, l.way.name);
    assert.ok(l.joined.items.every((recovered) => recovered === true), `${l.way.name}: ${l.joined.items}`);
  }
  const back = listeners.filter((l) => l.joined.items.length > 1);
  t.diagnostic(`${back.length} came back`);
  assert.ok(back.length > 0, 'the node that was killed had clients');
  for (const mode of ['ServerSentEvents', 'LongPolling']) assert.ok(back.some((l) => l.way.mode === mode), `${mode} came back`);
  const passed = await Promise.all(nodes.slice(1).map(async (node) => {
    const text = await within(fetch(`${node.admin}/metrics`).then((r) => r.text()), 'metrics');
    return Number(/^rte_passed_on_requests_total (\d+)$/m.exec(text)?.[1]);
  }));
  assert.ok(passed.every((n) => n > 0), `requests came to nodes that did not have their connection: ${passed}`);
});
