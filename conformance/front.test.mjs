// A hub behind a proxy that ends TLS and keeps the hub's path below one of its
// own: every way through it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { startHub } from './hub.mjs';
import { onEveryWay, open, transportOf } from './ways.mjs';

const { FRONT } = process.env;
if (FRONT === undefined) await underTrust();
else theTests();

/**
 * Runs this file again in a process that trusts the front's certificate: Node
 * reads such a file only when it starts.
 */
async function underTrust() {
  const hub = await startHub();
  const folder = mkdtempSync(join(tmpdir(), 'rte-conformance-'));
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, hub.ca);
  const env = { ...process.env, FRONT: hub.front, NODE_EXTRA_CA_CERTS: ca };
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { env, stdio: 'inherit' });
  process.exitCode = await new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
  rmSync(folder, { recursive: true, force: true });
  await hub.stop();
}

function theTests() {
  onEveryWay((way) => {
    test('calls, pushes, a stream, a large message', async (t) => {
      assert.match(FRONT, /^https:\/\/.+\/behind\/the\/front$/);
      const { connection, messages, closes, invoke, id } = await open(t, way, `${FRONT}/tokens?tenant=a`, { token: 'alice-for-1h' });
      const me = await invoke('Whoami');
      assert.deepEqual([me.id, me.transport, me.user, me.query.tenant], [id, transportOf(way.mode), 'alice', ['a']]);
      await invoke('Pushes', 200, '客'.repeat(100));
      assert.deepEqual(messages.items.map(([n]) => n), Array.from({ length: 200 }, (_, i) => i));
      const items = [];
      await new Promise((resolve, reject) => {
        connection.stream('Counter', 10, 1).subscribe({ next: (n) => items.push(n), complete: resolve, error: reject });
      });
      assert.deepEqual(items, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const large = 'x客👩🏽‍💻'.repeat(1500); // close to the largest message
      assert.equal(await invoke('Echo', large), large);
      assert.deepEqual(closes.items, []);
      await connection.stop();
      assert.equal((await closes.count(1, 'onclose'))[0], undefined);
    });
  });
}
