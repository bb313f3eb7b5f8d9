// What clients hide: the bytes and frames of a WebSocket, as the released
// server has them.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { startHub } from './hub.mjs';
import { Inbox, within } from './wait.mjs';

const require = createRequire(import.meta.url);
const { encode, decode } = require('@msgpack/msgpack');

let hub;
before(async () => {
  hub = await startHub();
});
after(() => hub?.stop());

const RS = '\x1e';
const shake = (protocol, version = 1) => `{"protocol":"${protocol}","version":${version}}${RS}`;

/** A WebSocket to a site, without negotiation; every frame that came, and how it ended. */
async function dial(t, path = '/default') {
  const socket = new WebSocket(hub.url.replace(/^http/, 'ws') + path);
  t.after(() => socket.terminate());
  const frames = new Inbox();
  socket.on('message', (data, binary) => frames.push({ data: Buffer.from(data), binary }));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await within(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 'open');
  /** All text that has come, once it has these parts and ends with a whole message. */
  const text = async (...parts) => {
    const all = () => Buffer.concat(frames.items.map(({ data }) => data)).toString();
    await frames.until(() => all().endsWith(RS) && parts.every((part) => all().includes(part)), `text with ${parts}`);
    return all();
  };
  return { socket, frames, text, closed: () => within(closed, 'end of the WebSocket') };
}

/** A MessagePack message with its length in front. */
function pack(...items) {
  const body = encode(items);
  const length = [];
  for (let n = body.length; ; n >>= 7) {
    length.push((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
    if (n <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from(length), body]);
}

/** The messages of binary frames behind the handshake's answer; none is cut. */
function unpack(frames) {
  const messages = [];
  frames.forEach(({ data }, i) => {
    let at = i === 0 ? data.indexOf(RS) + 1 : 0;
    while (at < data.length) {
      let [length, shift, b] = [0, 0, 0x80];
      while (b & 0x80) {
        b = data[at++];
        length |= (b & 0x7f) << shift;
        shift += 7;
      }
      assert.ok(at + length <= data.length, 'a message is cut');
      messages.push(decode(data.subarray(at, at + length)));
      at += length;
    }
  });
  return messages;
}

/** Opens a connection with MessagePack; answers(n) waits for n messages that are no pings and no greeting. */
async function packed(t, path, version = 1, first = Buffer.alloc(0)) {
  const wire = await dial(t, path);
  wire.socket.send(Buffer.concat([Buffer.from(shake('messagepack', version)), first]));
  const seen = () => unpack(wire.frames.items).filter(([type, , , target]) => type !== 6 && target !== 'Hello');
  const answers = async (n) => {
    await wire.frames.until((items) => items.length > 0 && seen().length >= n, `${n} answers`);
    return seen();
  };
  return { ...wire, answers };
}

describe('JSON', () => {
  test('text frames, and the very bytes of the released server', async (t) => {
    const { socket, text, frames } = await dial(t);
    const send = (...messages) => socket.send(messages.map((m) => m + RS).join(''));
    socket.send(shake('json'));
    const greeting = await text(`]}${RS}`);
    assert.match(greeting, new RegExp(`^\\{\\}${RS}\\{"type":1,"target":"Hello","arguments":\\["[\\w-]{22}"\\]\\}${RS}$`));
    send(
      '{"type":1,"invocationId":"a","target":"nothing","arguments":[]}',
      '{"arguments":["\\u001e客\\ud83c\\udfa7<&>\\u2028"],"target":"ECHO","invocationId":"b","type":1}',
      '{"type":1,"invocationId":"c","target":"FailOpen","arguments":["\\"x\\""]}',
      '{"type":4,"invocationId":"d","target":"BreaksOpen","arguments":[1,"no"]}',
    );
    const answers = [
      '{"type":3,"invocationId":"a","result":null}',
      '{"type":3,"invocationId":"b","result":"\\u001e客\\ud83c\\udfa7<&>\\u2028"}', // handed back as it came
      '{"type":3,"invocationId":"c","error":"An unexpected error occurred invoking \'FailOpen\' on the server. HubException: \\"x\\""}',
      '{"type":2,"invocationId":"d","item":null}',
      '{"type":3,"invocationId":"d","error":"An error occurred on the server while streaming results. HubException: no"}',
    ];
    // The stream runs beside the calls; each of both keeps its order.
    const came = (await text(...answers.map((answer) => answer + RS))).slice(greeting.length).split(RS).filter((answer) => answer !== '');
    assert.deepEqual([...came].sort(), [...answers].sort());
    const calls = came.filter((answer) => !answer.includes('"invocationId":"d"'));
    assert.deepEqual([...calls, ...came.filter((answer) => !calls.includes(answer))], answers);
    assert.ok(frames.items.every(({ binary, data }) => !binary && data.at(-1) === 0x1e), 'text frames of whole messages');
  });

  test('what the server writes itself is UTF-8, and only what must be is escaped', async (t) => {
    const { socket, text } = await dial(t);
    socket.send(shake('json'));
    socket.send(`{"type":1,"invocationId":"1","target":"Thing","arguments":[{"TEXT":"客🎧<&>\\u2028\\u001e","at":"2026-11-22T10:00:00.50+02:00","bytes":"AB7/"}]}${RS}`);
    const all = await text(`"inner":null}}${RS}`);
    assert.ok(all.endsWith(
      '{"type":3,"invocationId":"1","result":{"text":"客🎧<&>\\u2028\\u001e","count":0,"ratio":0,"on":false,"at":"2026-11-22T10:00:00.5+02:00","bytes":"AB7/","nothing":null,"list":null,"names":null,"inner":null}}' + RS,
    ), all);
  });

  test('handshakes: doubled, escaped and further members, any frame type, byte by byte', async (t) => {
    for (const request of [
      '{"protocol":"nothing","version":7,"protocol":"json","version":1}',
      '{"\\u0070rotocol":"js\\u006fn","v\\u0065rsion":1}',
      ' { "more" : [ {} ] , "version" : 2 , "protocol" : "json" } ',
    ]) {
      for (const binary of [true, false]) {
        const { socket, text } = await dial(t);
        for (const byte of request + RS) socket.send(byte, { binary });
        socket.send(`{"type":1,"invocationId":"1","target":"Echo","arguments":[1]}${RS}`, { binary });
        assert.ok((await text(`"result":1}${RS}`)).startsWith(`{}${RS}`));
      }
    }
  });

  test('types that nobody knows and answers that nobody waits for are ignored; headers arrive', async (t) => {
    const { socket, text } = await dial(t);
    socket.send(shake('json'));
    for (const message of [
      '{"type":99,"x":1}', '{"type":5,"invocationId":"77"}', '{"type":3,"invocationId":"77","result":1}', '{"type":2,"invocationId":"77","item":1}',
      '{"type":8,"sequenceId":5}', '{"type":9,"sequenceId":5}', '{"type":6}',
      '{"type":1,"target":"Fail","arguments":["without an id: no answer"]}',
      '{"type":1,"headers":{"traceparent":"00-客"},"invocationId":"1","target":"Headers","arguments":[]}',
    ]) socket.send(message + RS);
    const all = await text(`"result":{"traceparent":"00-客"}}${RS}`);
    assert.equal(all.split(RS).length, 4, `answer to the handshake, greeting, one answer: ${all}`);
  });

  test('a plain call that is cancelled is answered all the same', async (t) => {
    const { socket, text } = await dial(t);
    socket.send(shake('json'));
    socket.send(`{"type":1,"invocationId":"1","target":"Delay","arguments":[50]}${RS}{"type":5,"invocationId":"1"}${RS}`);
    await text(`{"type":3,"invocationId":"1","result":50}${RS}`);
  });
});

describe('MessagePack', () => {
  for (const version of [1, 2]) {
    test(`version ${version}: binary frames, the handshake's answer too`, async (t) => {
      const { answers, frames } = await packed(t, '/default', version, pack(1, {}, '1', 'Echo', ['客'], []));
      assert.deepEqual(await answers(1), [[3, {}, '1', 3, '客']]);
      assert.ok(frames.items.every(({ binary }) => binary));
      assert.equal(frames.items[0].data.subarray(0, 3).toString(), `{}${RS}`);
    });
  }

  test('version 3 and an unknown protocol: a text, then 1000', async (t) => {
    for (const [request, error] of [
      [shake('messagepack', 3), "The server does not support version 3 of the 'messagepack' protocol."],
      [shake('MessagePack'), "The protocol 'MessagePack' is not supported."],
    ]) {
      const { socket, text, closed } = await dial(t);
      socket.send(request);
      assert.equal(await text(RS), `${JSON.stringify({ error })}${RS}`);
      assert.equal(await closed(), 1000);
    }
  });

  test('the forms of messages: five items and more, headers, void, errors, streams, cancel', async (t) => {
    const { socket, answers } = await packed(t);
    socket.send(Buffer.concat([
      pack(1, {}, 'a', 'Echo', [1]),
      pack(1, { k: 'v' }, 'b', 'headers', [], [], 'more', { and: 'more' }),
      pack(1, {}, 'c', 'Nothing', [], []),
      pack(1, {}, null, 'Fail', ['no id'], []),
      pack(1, {}, '', 'Fail', ['no id either'], []),
      pack(1, {}, 'd', 'Nope', [], []),
      pack(99, 'whatever'), pack(5, {}, 'unknown'), pack(6), pack(3, {}, 'unknown', 2),
    ]));
    await answers(4);
    socket.send(pack(4, {}, 'e', 'Counter', [2, 0], []));
    const got = await answers(7);
    assert.deepEqual(got, [
      [3, {}, 'a', 3, 1],
      [3, {}, 'b', 3, { k: 'v' }],
      [3, {}, 'c', 3, null],
      [3, {}, 'd', 1, "Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist."],
      [2, {}, 'e', 0],
      [2, {}, 'e', 1],
      [3, {}, 'e', 2],
    ]);
  });

  test('cut anywhere: single bytes, fragments, many messages in a frame, long lengths', async (t) => {
    const { socket, answers } = await packed(t);
    const one = pack(1, {}, '1', 'Echo', ['x'.repeat(300)]);
    for (const byte of one) socket.send(Buffer.from([byte]));
    socket.send(one.subarray(0, 1), { fin: false, binary: true });
    socket.send(Buffer.alloc(0), { fin: false, binary: true });
    socket.send(one.subarray(1, 200), { fin: false, binary: true });
    socket.ping();
    socket.send(one.subarray(200), { fin: true, binary: true });
    socket.send(Buffer.concat(Array.from({ length: 100 }, () => one)));
    const body = encode([1, {}, '1', 'Echo', [1]]);
    socket.send(Buffer.concat([Buffer.from([body.length | 0x80, 0x80, 0x80, 0]), body])); // a length longer than it need be
    const got = await answers(103);
    assert.deepEqual(got, [...Array.from({ length: 102 }, () => [3, {}, '1', 3, 'x'.repeat(300)]), [3, {}, '1', 3, 1]]);
  });

  test('dates, bytes and names in a result have the forms of the released server', async (t) => {
    const { socket, frames, answers } = await packed(t);
    const at = new Date('2026-11-22T08:00:00Z');
    socket.send(pack(1, {}, '1', 'Thing', [{ text: 'x', at, bytes: Uint8Array.from([0, 255]) }], []));
    const [[, , , kind, value]] = await answers(1);
    assert.equal(kind, 3);
    assert.deepEqual(Object.keys(value), ['Text', 'Count', 'Ratio', 'On', 'At', 'Bytes', 'Nothing', 'List', 'Names', 'Inner']);
    assert.deepEqual([value.At, [...value.Bytes]], [at, [0, 255]]);
    const bytes = Buffer.concat(frames.items.map(({ data }) => data));
    const seconds = Buffer.alloc(4);
    seconds.writeUInt32BE(at.getTime() / 1000);
    assert.ok(bytes.includes(Buffer.concat([Buffer.from([0xa2, 0x41, 0x74, 0xd6, 0xff]), seconds])), 'At is a timestamp of 32 bits');
    assert.ok(bytes.includes(Buffer.from([0xc4, 2, 0, 255])), 'Bytes are bin');
  });

  test('Close of two items is a goodbye; the answer has three', async (t) => {
    const { socket, answers, closed } = await packed(t);
    socket.send(pack(7, null));
    assert.deepEqual(await answers(1), [[7, null, true]]);
    assert.equal(await closed(), 1000);
  });
});

describe('the end of a WebSocket', () => {
  const call = (target, ...args) => `{"type":1,"target":"${target}","arguments":${JSON.stringify(args)}}${RS}`;
  /** path, what is sent behind the handshake, the Close, the status. */
  const ends = [
    ['/default', call('Abort', ''), '{"type":7}', 1000],
    ['/default', call('CloseAllow', ''), '{"type":7,"allowReconnect":true}', 1000],
    ['/default', call('CloseError', 'no "more"'), '{"type":7,"error":"no \\"more\\""}', 1000],
    ['/default', `{"type":7}${RS}`, '{"type":7,"allowReconnect":true}', 1000],
    ['/default', `nonsense${RS}`, '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}', 1000],
    ['/refusing', '', '{"type":7,"error":"Connection closed with an error."}', 1011],
    ['/small', call('Echo', 'x'.repeat(1000)), '{"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size of 1000B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}', 1000],
  ];
  for (const [path, last, close, status] of ends) {
    test(`${path}: ${close.slice(0, 80)}`, async (t) => {
      const { socket, text, closed } = await dial(t, path);
      socket.send(shake('json'));
      if (last) socket.send(last);
      await text(close + RS);
      assert.equal(await closed(), status);
    });
  }

  test('the server cuts: no Close, no status', async (t) => {
    const { socket, text, closed } = await dial(t);
    socket.send(shake('json'));
    await text(`]}${RS}`);
    socket.send(call('Cut', ''));
    assert.equal(await closed(), 1006);
  });

  for (const code of [undefined, 1000, 1001, 4000]) {
    test(`the client closes with ${code ?? 'no'} status: in good order`, async (t) => {
      const { socket, text, closed } = await dial(t);
      socket.send(shake('json'));
      const [, id] = /"Hello","arguments":\["([^"]+)"/.exec(await text(`]}${RS}`));
      socket.close(code);
      assert.equal(await closed(), code ?? 1000);
      assert.deepEqual((({ reason, error }) => [reason, error])(await hub.ended(id)), ['goodbye', undefined]);
    });
  }
});
