// The schemas, by a validator that RTE does not use: they are good schemas,
// take what RTE sends, and say of a payload what the door says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Ajv2020 } from 'ajv/dist/2020.js';

import { ephemeral } from '../../conformance/rte.mjs';
import { catalog, goldens, overlay, schemas, some } from './catalog.mjs';

/** A validator that takes no keyword it does not know, and no format. */
const validator = () => new Ajv2020({ strict: true, allErrors: true });

const all = schemas();

test('each event has a good schema, which takes its golden payloads and its example', () => {
  assert.equal(all.size, 41);
  const seen = new Set();
  for (const { event, file, wire } of goldens()) {
    const validate = validator().compile(all.get(event));
    assert.ok(validate(JSON.parse(wire)), `${file}: ${JSON.stringify(validate.errors)}`);
    for (const example of some(all.get(event).examples)) assert.ok(validate(example), `${event}: ${JSON.stringify(validate.errors)}`);
    seen.add(event);
  }
  assert.deepEqual([...seen].sort(), [...all.keys()].sort());
});

test('members may be left out, and others pass', () => {
  for (const [event, schema] of all) {
    assert.ok(Object.keys(schema.properties).length > 0, event);
    const validate = validator().compile(schema);
    assert.ok(validate({}), event);
    assert.ok(validate({ somethingNew: { a: [1] } }), event);
  }
});

test('rte catalog --format jsonschema: all in one document, overlay included', () => {
  for (const [flags, count] of [
    [[], 41],
    [['--overlay', overlay], 52],
  ]) {
    const bundle = JSON.parse(catalog('jsonschema', ...flags));
    const events = some(JSON.parse(catalog('json', ...flags)).events.map((e) => e.name));
    assert.equal(events.length, count);
    const ajv = validator();
    ajv.addSchema(bundle, 'bundle');
    for (const event of events) {
      assert.ok(bundle.$defs[event], event);
      assert.ok(ajv.getSchema(`bundle#/$defs/${event}`)({}), event);
    }
    for (const { event, file, wire } of goldens()) {
      const validate = ajv.getSchema(`bundle#/$defs/${event}`);
      assert.ok(validate(JSON.parse(wire)), `${file}: ${JSON.stringify(validate.errors)}`);
    }
  }
});

test('rte catalog --format jsonschema --event gives the schema of that event', () => {
  assert.deepEqual(JSON.parse(catalog('jsonschema', '--event', 'callbackchanged')), all.get('CallbackChanged'));
});

// Values to try in every field. Left out are those of which a schema cannot
// know what the door knows: 31 February, 5.0, numbers beyond 2^53.
const values = [
  null, true, false, 0, 1, 6, 7, -1, 32767, 32768, -32768, -32769, 2147483647, 2147483648, -2147483649, 4294967296000, 1.5,
  '', 'text', 'Busy', 'busy', 'remote', 'init', '5',
  '6f1c2a40-8d3e-eb11-b1ac-00155d4f21a7', '{6F1C2A40-8D3E-EB11-B1AC-00155D4F21A7}', '(6f1c2a40-8d3e-eb11-b1ac-00155d4f21a7)',
  ' 6f1c2a408d3eeb11b1ac00155d4f21a7 ', '6f1c2a40-8d3e-eb11-b1ac-00155d4f21a', 'gf1c2a40-8d3e-eb11-b1ac-00155d4f21a7',
  '2026-11-22T08:00:00Z', '2026-11-22T08:00:00.1234567', '2026-11-22T08:00:00.123456789Z', '2026-11-22T08:00:00.1234567890Z', '9999-12-31T23:59:59.9999999', '2026-11-22T08:00+02:00',
  '2026-11-22', '2026-11-22 08:00:00', '2026-13-22T08:00:00Z', '2026-11-22T24:00:00Z', '2026-11-22T08:00:00+15:00',
  [], [{}], [null], [1], {}, { a: 1 },
]; // prettier-ignore

let node;
before(async () => (node = await ephemeral()));
after(() => node?.stop());

test('door and schema say the same of every value in every field', async (t) => {
  const organization = node.org;
  const entities = new Map(JSON.parse(catalog('json')).events.map((e) => [e.name, e.fields.find((f) => f.name === e.entity)?.wireName]));
  const tries = [];
  for (const { event, entity, wire } of goldens()) {
    const validate = validator().compile(all.get(event));
    const payload = JSON.parse(wire);
    delete payload.organizationId; // the golden one is not this node's
    const add = (data, what) => tries.push({ what, envelope: { organizationId: organization, entityId: entity, eventName: event, data }, good: validate(data) });
    for (const [name, was] of Object.entries(payload)) {
      if (name === entities.get(event)) continue; // which must agree with the envelope, too
      for (const value of values) {
        add({ ...payload, [name]: value }, `${event}.${name} ${JSON.stringify(value)}`);
        if (!Array.isArray(was)) continue;
        for (const item of Object.keys(was[0] ?? {})) {
          add({ ...payload, [name]: [was[0], { ...was[0], [item]: value }] }, `${event}.${name}[1].${item} ${JSON.stringify(value)}`);
        }
      }
    }
  }
  t.diagnostic(`${tries.length} payloads`);
  assert.ok(tries.length > 10_000, `${tries.length} tries`);
  let refused = 0;
  for (let from = 0; from < tries.length; from += 900) {
    const part = tries.slice(from, from + 900); // a thousand rejections are told at most
    const response = await fetch(`${node.url}/api/v1/events`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson', Authorization: `Bearer ${node.serviceToken}` },
      body: part.map((t) => JSON.stringify(t.envelope)).join('\n'),
    });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer).slice(0, 500));
    const rejected = new Map(answer.rejected.map((r) => [r.index, r]));
    part.forEach((t, i) => assert.equal(!rejected.has(i), t.good, `${t.what}: the schema says ${t.good}, the door ${JSON.stringify(rejected.get(i) ?? 'yes')}`));
    refused += rejected.size;
  }
  assert.ok(refused > 1000 && refused < tries.length - 1000, `${refused} of ${tries.length} refused`);
});
