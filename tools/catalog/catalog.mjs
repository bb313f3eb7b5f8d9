// What the tests share: the program, the golden payloads, the committed files.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { binary } from '../../conformance/process.mjs';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** An overlay of the documentation: eleven further events. */
export const overlay = join(root, 'docs/examples/older-events.overlay.json');

/** The text of a file of the repository. */
export const read = (...path) => readFileSync(join(root, ...path), 'utf8');

/** What `rte catalog` prints. */
export function catalog(format, ...flags) {
  return execFileSync(binary('./cmd/rte'), ['catalog', '--format', format, ...flags], { encoding: 'utf8', maxBuffer: 1 << 26 });
}

/** The golden payloads: event, file, organization, entity, wire (text). */
export function goldens() {
  const folder = join(root, 'internal/event/testdata/golden');
  return some(readdirSync(folder)).map((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    return {
      file,
      event: file.split('.')[0],
      organization: /^organization: (.*)$/m.exec(text)[1],
      entity: /^entity: (.*)$/m.exec(text)[1],
      wire: /^-- wire --\n(.*)\n/m.exec(text)[1],
    };
  });
}

/** The committed schemas by event. */
export function schemas() {
  const folder = join(root, 'docs/api/schemas');
  return new Map(some(readdirSync(folder)).map((file) => [basename(file, '.json'), JSON.parse(readFileSync(join(folder, file), 'utf8'))]));
}

/** The list, unless it is empty: a loop over nothing would prove nothing. */
export function some(list) {
  if (list.length === 0) throw new Error('nothing found');
  return list;
}
