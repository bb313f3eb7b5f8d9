// Programs of this repository, built and run for tests.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Inbox, within } from './wait.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Environment variables that name programs which are built already. */
const variables = { './cmd/rte': 'RTE_BINARY', './conformance/hub': 'HUB_BINARY' };

const built = new Map();

/**
 * Path of a program by its package: what its variable says, else it is built
 * from this repository, once per process and into a folder that goes with it.
 * `npm test` builds once for all test files and sets the variables.
 */
export function binary(source) {
  if (!built.has(source)) built.set(source, process.env[variables[source]] || build(source));
  return built.get(source);
}

/** All programs, as the environment that spares others the building. */
export function binaries() {
  return Object.fromEntries(Object.entries(variables).map(([source, name]) => [name, binary(source)]));
}

function build(source) {
  const folder = mkdtempSync(join(tmpdir(), 'rte-conformance-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, basename(source) + (process.platform === 'win32' ? '.exe' : ''));
  // No version stamp: it would need git, and a clone that git trusts.
  execFileSync('go', ['build', '-buildvcs=false', '-o', file, source], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
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

/** One running program and what it has written. */
export class Process {
  lines = new Inbox(); // standard output
  log = new Inbox(); // standard error, in the pieces it came in

  /** source is the program's package, args its arguments. */
  constructor(source, args = []) {
    this.started = performance.now();
    this.what = [basename(source), ...args.slice(0, 1)].join(' ');
    this.child = spawn(binary(source), args, { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
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
