// The chapter "Client library" of the product's page, and its samples.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export const page = readFileSync(new URL('samples/page.txt', import.meta.url), 'utf8');

/** The samples in the order of the page. */
export const samples = [];
for (const line of page.split('\n')) {
  const open = samples.length > 0 && !samples.at(-1).done;
  if (!open && !/^(let )?daService\b/.test(line)) continue;
  if (!open) samples.push({ text: '', done: false });
  const sample = samples.at(-1);
  sample.text += `${line}\n`;
  sample.done = line === '});' || line.startsWith('let ');
}
assert.equal(samples.length, 8, 'the page has eight samples');

/** The page's one slip: no JavaScript has an else on the line of a statement without a semicolon. */
const slip = 'console.log("connected") else';

/** A sample by what it calls, as the page has it but for the slip. */
export function sample(call) {
  const found = samples.filter((s) => s.text.includes(call));
  assert.equal(found.length, 1, `one sample with ${call}`);
  return found[0].text.replace(slip, slip.replace(' else', '; else'));
}
