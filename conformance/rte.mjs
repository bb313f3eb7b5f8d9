// The real rte program, started for tests.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';

import { hs256, now } from './jwt.mjs';
import { Process } from './process.mjs';
import { SOON } from './wait.mjs';

/** Starts rte with a verb and its arguments. */
export function rteProcess(...args) {
  return new Process('./cmd/rte', args);
}

/** A node to test against. */
export class Node {
  /** process, and the members of the line that `serve --ephemeral` prints. */
  constructor(process, { url, hub, admin, org, user, jwtSecret, token }) {
    Object.assign(this, { process, url, hub, admin, org, user, jwtSecret, serviceToken: token });
  }

  /**
   * A token for a client: user and org are Guids (default: fresh ones), role
   * and the rest as the page of claims has them; ttl is in seconds.
   */
  token({ user = randomUUID(), org = this.org, ttl = 3600, ...claims } = {}) {
    return hs256({ sub: user, org, iat: now(), exp: now() + ttl, ...claims }, this.jwtSecret);
  }

  /**
   * Publishes events to one organization and fails unless all are accepted.
   * An event is {eventName, data} with entityId where data does not name it.
   */
  async publish(events, org = this.org) {
    const list = [events].flat().map((event) => ({ organizationId: org, ...event }));
    const response = await fetch(`${this.url}/api/v1/events`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.token({ org, role: 'service' })}` },
      body: JSON.stringify(list),
      signal: AbortSignal.timeout(SOON),
    });
    const text = await response.text();
    const answer = response.ok ? JSON.parse(text) : {};
    if (answer.accepted !== list.length) {
      throw new Error(`publish: status ${response.status}, ${list.length} events sent, answer ${text}\n${this.process.errors()}`);
    }
    return answer;
  }

  /** Stops the node with SIGTERM; anything but exit code 0 is an error. */
  async stop() {
    const code = await this.process.stop();
    if (code !== 0) throw new Error(`exit code ${code} after SIGTERM:\n${this.process.errors()}`);
  }
}

/** Starts `rte serve --ephemeral` with further flags. */
export async function ephemeral(...flags) {
  const p = rteProcess('serve', '--ephemeral', '--drain=0s', ...flags);
  const line = await p.line(() => true, 'its line of JSON');
  return new Node(p, JSON.parse(line));
}

/**
 * Starts `rte serve` as in production: listen is a fixed address, dir its
 * data; more are further flags. It is ready when this returns.
 */
export async function serve({ listen, dir, secret, org, drain = '1s' }, ...more) {
  const admin = `127.0.0.1:${await freePort()}`;
  const p = rteProcess('serve', `--listen=${listen}`, `--admin-listen=${admin}`, `--data-dir=${dir}`, `--jwt-secret=${secret}`, `--drain=${drain}`, ...more);
  const url = `http://${listen}`;
  const node = new Node(p, { url, hub: `${url}/rte`, admin: `http://${admin}`, org, jwtSecret: secret });
  try {
    await ready(node);
  } catch (err) {
    p.child.kill('SIGKILL');
    throw err;
  }
  return node;
}

/** Waits until the node says that it is ready. */
async function ready(node) {
  let ended = false;
  node.process.exit.then(() => (ended = true));
  for (const deadline = performance.now() + SOON; performance.now() < deadline && !ended; ) {
    const ok = await fetch(`${node.admin}/readyz`, { signal: AbortSignal.timeout(1000) }).then((r) => r.ok, () => false);
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 20)); // between two questions, not instead of one
  }
  throw new Error(`rte serve did not become ready:\n${node.process.errors()}`);
}

/** A TCP port of loopback that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
