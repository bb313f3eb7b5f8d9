// Builds rte once and runs every test file against it and the built bundles:
// `npm test`. Further arguments go to `node --test`.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { binary } from '../../conformance/process.mjs';

const folder = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.test.mjs'));
if (files.length === 0) throw new Error(`no test files in ${folder}`);

// Rooms that the bundles keep to themselves, for units.test.mjs.
await build({
  absWorkingDir: dirname(folder),
  entryPoints: ['packed', 'pair', 'url', 'keeper', 'subscriptions'].map((name) => `src/${name}.ts`),
  outdir: 'node_modules/.cache/units',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  external: ['@microsoft/signalr'],
  define: { THIS_FILE: 'import.meta.url' },
  logLevel: 'warning',
});

const tests = spawn(
  process.execPath,
  ['--test', '--test-concurrency=3', ...process.argv.slice(2), ...files.map((name) => join(folder, name))],
  { cwd: folder, stdio: 'inherit', env: { ...process.env, RTE_BINARY: binary('./cmd/rte') } },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
tests.once('close', (code) => process.exit(code ?? 1));
