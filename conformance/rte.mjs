// The real rte program, built and started for tests.
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { hs256, now } from './jwt.mjs';
import { Inbox, SOON, within } from './wait.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

let built;

/**
 * Path of the program: RTE_BINARY, else it is built from this repository, once
 * per process and into a folder that goes with it. `npm test` builds once for
 * all test files and sets RTE_BINARY.
 */
export function binary() {
  built ??= process.env.RTE_BINARY || build();
  return built;
}

function build() {
  const folder = mkdtempSync(join(tmpdir(), 'rte-conformance-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, process.platform === 'win32' ? 'rte.exe' : 'rte');
  // No version stamp: it would need git, and a clone that git trusts.
  execFileSync('go', ['build', '-buildvcs=false', '-o', file, './cmd/rte'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  return file;
}

// Whatever happens to this process, it leaves no other behind.
const children = new Set();
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(143)); // else there is no 'exit'

/** The environment without settings for rte. */
function plainEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RTE_')));
}

/** One running rte process and what it has written. */
export class Process {
  lines = new Inbox(); // standard output
  log = new Inbox(); // standard error, in the pieces it came in

  constructor(args) {
    this.started = performance.now();
    this.what = `rte ${args[0]}`;
    this.child = spawn(binary(), args, { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(this.child);
    this.exit = new Promise((resolve) => {
      this.child.once('error', (err) => resolve(err.message));
      this.child.once('close', (code, signal) => resolve(code ?? signal));
    }).finally(() => children.delete(this.child));
    this.child.stderr.setEncoding('utf8').on('data', this.log.push);
    let rest = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      lines.forEach(this.lines.push);
    });
  }

  /** What it has written to standard error so far. */
  errors() {
    return this.log.items.join('');
  }

  /** Waits for a line of standard output that matches. */
  async line(match, what) {
    const ended = this.exit.then((code) => {
      throw new Error(`${this.what} ended with ${code} before ${what}`);
    });
    try {
      return await Promise.race([this.lines.find(match, what), ended]);
    } catch (err) {
      err.message += `\nstandard error of ${this.what}:\n${this.errors()}`;
      throw err;
    }
  }

  /** Sends a signal and returns the exit code, or the name of the signal that ended it. */
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    try {
      return await within(this.exit, `end of ${this.what} after ${signal}`);
    } catch (err) {
      this.child.kill('SIGKILL');
      err.message += `\n${this.errors()}`;
      throw err;
    }
  }
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
  const p = new Process(['serve', '--ephemeral', '--drain=0s', ...flags]);
  const line = await p.line(() => true, 'its line of JSON');
  return new Node(p, JSON.parse(line));
}

/**
 * Starts `rte serve` as in production: listen is a fixed address, dir its
 * data; it is ready when this returns.
 */
export async function serve({ listen, dir, secret, org, drain = '1s' }) {
  const admin = `127.0.0.1:${await freePort()}`;
  const p = new Process(['serve', `--listen=${listen}`, `--admin-listen=${admin}`, `--data-dir=${dir}`, `--jwt-secret=${secret}`, `--drain=${drain}`]);
  const url = `http://${listen}`;
  const node = new Node(p, { url, hub: `${url}/rte`, admin: `http://${admin}`, org, jwtSecret: secret });
  await ready(node);
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
