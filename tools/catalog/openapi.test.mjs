// The OpenAPI document, by the initiative's own schema for it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';

import { ephemeral } from '../../conformance/rte.mjs';
import { catalog, overlay, read, some } from './catalog.mjs';

const guid = '5e0b1c52-3a7d-4f0e-9a51-2f6d1c8e7b10';

let node, developers;
before(async () => ([node, developers] = await Promise.all([ephemeral(), ephemeral('--dev-tokens', '--base-path=/rt', `--catalog-overlay=${overlay}`)])));
after(() => Promise.all([node?.stop(), developers?.stop()]));

for (const [what, text, events] of [
  ['the committed one', () => read('docs/api/openapi.json'), 41],
  ['with an overlay', () => catalog('openapi', '--overlay', overlay), 52],
  ['of a running node', async () => (await fetch(`${node.url}/api/v1/openapi.json`)).text(), 41],
  ['of a node for developers, with an overlay', async () => (await fetch(`${developers.url}/api/v1/openapi.json`)).text(), 52],
]) {
  test(`the document is good: ${what}`, async () => {
    const document = JSON.parse(await text());
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, '3.1');
    validator.resolveRefs(); // throws if one leads nowhere

    // Every schema is one, and every example of a body fits.
    const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
    ajv.addFormat('date-time', (text) => !Number.isNaN(Date.parse(text)));
    ajv.addVocabulary(['components', 'openapi', 'info', 'jsonSchemaDialect', 'servers', 'paths']);
    ajv.addSchema(document, 'openapi');
    for (const name of some(Object.keys(document.components.schemas))) ajv.getSchema(`openapi#/components/schemas/${name}`);
    const body = document.paths['/api/v1/events'].post.requestBody.content['application/json'];
    const validate = ajv.getSchema('openapi#/components/schemas/Envelope');
    assert.equal(Object.keys(body.examples).length, events);
    for (const [name, { value }] of Object.entries(body.examples)) assert.ok(validate(value), `${name}: ${JSON.stringify(validate.errors)}`);
    assert.ok(!validate({ organizationId: guid, data: {} }), 'an envelope without eventName passes');
  });
}

test('every example is accepted by the node', async () => {
  const document = await (await fetch(`${developers.url}/api/v1/openapi.json`)).json();
  const { examples } = document.paths['/api/v1/events'].post.requestBody.content['application/json'];
  const envelopes = some(Object.values(examples)).map((e) => e.value);
  const response = await fetch(`${developers.url}/api/v1/events`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${developers.token({ org: envelopes[0].organizationId, role: 'service' })}` },
    body: JSON.stringify(envelopes),
  });
  const answer = await response.json();
  assert.deepEqual([response.status, answer.accepted, answer.rejected], [200, 52, []]);
});

test('every path answers, with what the document says', async () => {
  const base = new URL(developers.url).origin;
  const document = await (await fetch(`${developers.url}/api/v1/openapi.json`)).json();
  assert.deepEqual(document.servers, [{ url: '/rt' }]);
  let operations = 0;
  for (const [path, item] of some(Object.entries(document.paths))) {
    for (const [method, operation] of Object.entries(item)) {
      const url = base + document.servers[0].url + path.replace('{eventName}', 'UserSetting').replace('{userId}', guid);
      const response = await fetch(url, { method: method.toUpperCase() });
      const described = operation.responses[response.status];
      assert.ok(described, `${method} ${path} answers ${response.status}, which is not described`);
      const type = response.headers.get('content-type');
      assert.deepEqual(Object.keys(described.content ?? {}), type ? [type] : [], `${method} ${path}, ${response.status}`);
      assert.ok(response.status < 300 || (operation.security ?? []).length > 0, `${method} ${path} answers ${response.status}`);
      operations++;
    }
  }
  assert.equal(operations, 11);
});
