// The product page's samples, run as they are.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

import { Inbox } from './wait.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'samples');

/** A file of samples/ as text. */
export function read(name) {
  return readFileSync(join(folder, name), 'utf8');
}

/** The JavaScript samples in the order of the page. */
export const scripts = ['connect.js', 'subscribe.js', 'unsubscribe.js', 'unsubscribe-all.js', 'available-subscriptions.js'];

/** The page's own result examples, as the page writes them. */
export const pageResults = read('page.txt').split('\n').filter((line) => line.startsWith('[{"subscribed":'));

/** The names of the 41 events in the order of the page. */
export const eventNames = read('event-names.txt').trim().split('\n').map((line) => line.replace(/^Event: /, ''));

/**
 * The connection sample for a client: 1.0.27 has no withAutomaticReconnect, so
 * that one line is left out for it. Everything else stays.
 */
export function connectSample(client) {
  const text = read('connect.js');
  if (client.reconnects) return text;
  const without = text.replace('.withAutomaticReconnect()\n', '');
  assert.notEqual(without, text, 'the sample has no line with withAutomaticReconnect');
  return without;
}

// The samples configure no logging, so both clients tell every connection to the
// console: 1.0.27 with the token in the address.
console.info = () => {};

/** A page-like place where scripts run one after another and share globals. */
export class Page {
  constructor(client, rteUrl, token) {
    this.client = client;
    this.log = new Inbox();
    this.globals = vm.createContext({
      signalR: client.signalR,
      rteUrl,
      GetToken: () => token,
      console: { log: this.log.push, error: this.log.push },
    });
    vm.runInContext(connectSample(client), this.globals, { filename: 'connect.js' });
    this.connection = this.globals.connection;
  }

  /** Runs a sample and returns the line it logs that begins with start. */
  run(name, start) {
    vm.runInContext(read(name), this.globals, { filename: name });
    return this.log.find((line) => String(line).startsWith(start), `the line "${start}…" of ${name}`);
  }
}
