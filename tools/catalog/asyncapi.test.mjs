// The AsyncAPI document, by the initiative's own parser.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Parser } from '@asyncapi/parser';
import Ajv from 'ajv';

import { catalog, overlay, read, some } from './catalog.mjs';

for (const [what, text, events] of [
  ['the committed one', () => read('docs/api/asyncapi.json'), 41],
  ['with an overlay', () => catalog('asyncapi', '--overlay', overlay), 52],
  ['of one event', () => catalog('asyncapi', '--event', 'CallbackChanged'), 1],
]) {
  test(`the document is good: ${what}`, async () => {
    const { document, diagnostics } = await new Parser().parse(text());
    // That 3.1 is out is no fault.
    const faults = diagnostics.filter((d) => d.code !== 'asyncapi-latest-version').map((d) => `${d.path.join('.')}: ${d.message}`);
    assert.deepEqual(faults, []);
    assert.equal(document.version(), '3.0.0');

    const pushed = document.operations().get('MessageReceived').messages().all();
    assert.equal(pushed.length, events);
    for (const message of some(pushed)) {
      const validate = new Ajv({ strict: true, allErrors: true }).addKeyword('x-parser-schema-id').compile(message.payload().json());
      for (const example of some(message.examples().all())) {
        assert.ok(validate(example.payload()), `${message.name()}: ${JSON.stringify(validate.errors)}`);
      }
      assert.ok(!validate({ subscription: { entityId: '', eventName: 'other' }, data: {} }), `${message.name()} takes another event's name`);
      assert.ok(!validate({ data: {} }), `${message.name()} takes a push without subscription`);
    }

    const methods = ['Subscribe', 'Unsubscribe', 'UnsubscribeAll', 'AvailableSubscriptions', 'GetActiveSubscriptions', 'Explain', 'EnableNotices'];
    for (const name of methods) {
      const operation = document.operations().get(name);
      assert.equal(operation.action(), 'receive', name);
      assert.equal(operation.reply().messages().all().length, 1, name);
    }
  });
}

test('what the catalogue knows beyond schemas is there', async () => {
  const document = JSON.parse(read('docs/api/asyncapi.json'));
  const traits = document.components.messages.CallbackChanged['x-rte'];
  assert.equal(traits.entity, 'callListId');
  assert.equal(traits.privacy.contactNumber, 'contact');
  assert.equal(traits.privacy.callbackExtras.value, 'content');
  assert.deepEqual(traits.hearers, ['lists', 'supervisor']);
});
