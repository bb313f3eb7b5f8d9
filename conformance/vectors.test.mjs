// The MessagePack vectors of signalr/testdata, read by Microsoft's own parser
// and written by its own writer: our tests read and write the same bytes. The
// wrong ones, sent to the server, end the connection in good order.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import WebSocket from 'ws';

import { ephemeral } from './rte.mjs';
import { Inbox, within } from './wait.mjs';

const require = createRequire(import.meta.url);
const { MessagePackHubProtocol } = require('@microsoft/signalr-protocol-msgpack');
const { MessageType } = require('@microsoft/signalr');

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'signalr', 'testdata', 'vectors');
const WRITTEN = '@microsoft/signalr-protocol-msgpack'; // the source of bytes that it writes exactly

/** The bytes of a msgpack line: hexadecimal pairs and text in quotes. */
function bytes(line) {
  const parts = line.match(/"[^"]*"|[0-9a-f]{2}/g) ?? [];
  assert.equal(parts.join(' '), line);
  return new Uint8Array(Buffer.concat(parts.map((p) => (p[0] === '"' ? Buffer.from(p.slice(1, -1)) : Buffer.from(p, 'hex')))));
}

function read(file) {
  return readFileSync(join(folder, file), 'utf8')
    .split(/\n\n+/)
    .map((text) => {
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).replace(/^ /, '')]));
    })
    .filter((v) => v.msgpack !== undefined)
    .map((v) => {
      const [kind, ...members] = v.message.split(' ');
      return { ...v, kind, members: JSON.parse(members.join(' ') || '{}'), bytes: bytes(v.msgpack), why: `${file}: ${v.message} ${v.msgpack}` };
    });
}

/** A value as the vectors have it: dates and bytes as text, no number that JSON lacks. */
function plain(value) {
  if (value instanceof Date) return value.toISOString().replace(/\.?0*Z$/, 'Z').replace(/T(\d\d:\d\d)Z$/, 'T$1:00Z');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value?.constructor?.name === 'ExtData' || (typeof value === 'number' && !Number.isFinite(value))) return null;
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, plain(v)]));
  return value;
}

/** The members of a message as Microsoft's parser gives it, absent ones left out. */
function members({ type, invocationId, headers, streamIds, ...rest }) {
  const all = { id: invocationId, headers: Object.keys(headers ?? {}).length > 0 ? headers : undefined, ...rest };
  if (all.error === null || all.error === '') delete all.error;
  if (all.allowReconnect === false) delete all.allowReconnect;
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined).map(([name, v]) => [name, name === 'headers' ? v : plain(v)]));
}

// What this parser does not read at all: only servers get these.
const toServersOnly = new Set(['StreamInvocation', 'CancelInvocation']);
// And what JavaScript has no word for.
const lost = (v) => /\d{16}/.test(v.message) || /-0]/.test(v.message) || v.source.startsWith('msgpack spec.md, Timestamp') || v.source.startsWith('msgpack spec.md, float') || v.message.includes('"null":3');

const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
const vectors = files.flatMap(read);

test('there are vectors of every kind', () => {
  const kinds = new Set(vectors.filter((v) => v.source === WRITTEN).map((v) => v.kind));
  assert.deepEqual([...kinds].sort(), ['Ack', 'CancelInvocation', 'Close', 'Completion', 'Invocation', 'Ping', 'Sequence', 'StreamInvocation', 'StreamItem']);
  assert.ok(vectors.length >= 150, `${vectors.length} vectors`);
});

describe("Microsoft's parser reads what we write and read", () => {
  for (const v of vectors.filter((v) => ['both', 'read'].includes(v.expect) && !lost(v))) {
    test(v.why, () => {
      const messages = new MessagePackHubProtocol().parseMessages(v.bytes.buffer, { log() {} });
      if (toServersOnly.has(v.kind)) {
        assert.deepEqual(messages, []);
        return;
      }
      assert.equal(messages.length, 1);
      assert.equal(messages[0].type, MessageType[v.kind]);
      const want = { ...v.members };
      delete want.streamIds; // it drops them
      assert.deepEqual(members(messages[0]), want);
    });
  }
});

describe("Microsoft's parser ignores or refuses what we ignore", () => {
  for (const v of vectors.filter((v) => v.expect === 'ignored')) {
    test(v.why, () => assert.deepEqual(new MessagePackHubProtocol().parseMessages(v.bytes.buffer, { log() {} }), []));
  }
});

describe("Microsoft's writer writes these bytes", () => {
  for (const v of vectors.filter((v) => v.source === WRITTEN)) {
    test(v.why, () => {
      const { id, ...rest } = v.members;
      const message = { type: MessageType[v.kind], headers: {}, ...(id === undefined ? {} : { invocationId: id }), ...rest };
      assert.deepEqual(new Uint8Array(new MessagePackHubProtocol().writeMessage(message)), v.bytes);
    });
  }
});

describe('wrong bytes, sent to the server: Close with allowReconnect', () => {
  let rte;
  before(async () => {
    rte = await ephemeral();
  });
  after(() => rte?.stop());

  const wrong = vectors.filter((v) => v.expect.startsWith('error '));
  test('there are enough', () => assert.ok(wrong.length >= 34, `${wrong.length} vectors`));
  for (const v of wrong) {
    test(v.why, async (t) => {
      const socket = new WebSocket(rte.hub.replace(/^http/, 'ws'), { headers: { Authorization: `Bearer ${rte.token()}` } });
      t.after(() => socket.terminate());
      const frames = new Inbox();
      socket.on('message', (data, binary) => frames.push({ data: new Uint8Array(data), binary }));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      await within(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 'open');
      // As the JavaScript client does: the handshake as text, all else as bytes.
      socket.send('{"protocol":"messagepack","version":1}\x1e');
      const [{ data, binary }] = await frames.count(1, 'answer to the handshake');
      assert.deepEqual([Buffer.from(data).toString(), binary], ['{}\x1e', true]);
      socket.send(v.bytes);
      assert.equal(await within(closed, 'end of the connection'), 1000);
      const messages = frames.items.slice(1).flatMap((f) => new MessagePackHubProtocol().parseMessages(f.data.buffer, { log() {} }));
      const close = messages.at(-1);
      assert.equal(close?.type, MessageType.Close);
      assert.equal(close.allowReconnect, true);
      assert.match(close.error, /^Connection closed with an error\./);
      assert.ok(messages.slice(0, -1).every((m) => m.type === MessageType.Ping));
    });
  }
});
