// Builds rte and the test hubs once and runs every test file against them: `npm
// test`. Further arguments go to `node --test`, such as --test-name-pattern.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { binaries } from './process.mjs';

const folder = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.test.mjs'));
if (files.length === 0) throw new Error(`no test files in ${folder}`);

// Three files at a time: the test that is idle for 40 s takes nothing from the
// other two, and the machine may be small.
const tests = spawn(
  process.execPath,
  ['--test', '--test-concurrency=3', ...process.argv.slice(2), ...files.map((name) => join(folder, name))],
  { cwd: folder, stdio: 'inherit', env: { ...process.env, ...binaries() } },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
tests.once('close', (code) => process.exit(code ?? 1));
