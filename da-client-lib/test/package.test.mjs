// What npm would publish: exactly these files, usable by a program in
// TypeScript and by one that requires.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('..', import.meta.url));
const run = (file, args, cwd) => execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

test('npm pack: what is in it, and that it can be used', (t) => {
  const place = mkdtempSync(join(tmpdir(), 'rte-dalib-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const [{ filename, files }] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', place], home));
  const types = readdirSync(join(home, 'src')).map((name) => `dist/types/${name.replace(/\.ts$/, '.d.ts')}`);
  assert.deepEqual(
    files.map((f) => f.path).sort(),
    [
      'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json',
      'dist/da-client-lib.cjs', 'dist/da-client-lib.js', 'dist/da-client-lib.js.map', 'dist/da-client-lib.umd.js', 'dist/da-client-lib.umd.js.map',
      'dist/signalr.licence.txt', 'dist/signalr.notices.txt', ...types,
    ].sort(),
  );
  const modules = join(place, 'node_modules');
  mkdirSync(modules);
  run('tar', ['-xzf', join(place, filename)], place);
  cpSync(join(place, 'package'), join(modules, 'da-client-lib'), { recursive: true });
  symlinkSync(join(home, 'node_modules/@microsoft'), join(modules, '@microsoft'));

  cpSync(join(home, 'test/types'), place, { recursive: true });
  run(join(home, 'node_modules/.bin/tsc'), ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext', '--types', '', '--lib', 'es2022,dom', 'use.ts'], place);
  const names = "['DAService','DAError','isEvent','FetchRteToken'].map((n) => typeof lib[n]).join()";
  assert.equal(run(process.execPath, ['-e', `const lib = require('da-client-lib'); console.log(${names})`], place), 'function,function,function,function\n');
  assert.equal(run(process.execPath, ['--input-type=module', '-e', `import * as lib from 'da-client-lib'; console.log(${names})`], place), 'function,function,function,function\n');
});
