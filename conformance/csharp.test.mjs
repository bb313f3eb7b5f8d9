// The page's C# sample, as the bytes that a .NET client exchanges with the hub.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RS, RawConnection } from './raw.mjs';
import { ephemeral } from './rte.mjs';
import { read } from './samples.mjs';
import { within } from './wait.mjs';

const user = 'c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3';

/** The transcript as [{who, text}], text with the real separator. */
function transcript() {
  const lines = read('csharp.transcript').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const parts = /^([CSP]) (.+)$/.exec(line);
    assert.ok(parts, `no line of a transcript: ${line}`);
    return { who: parts[1], text: parts[2].replaceAll('␞', RS) };
  });
}

/** Whether a message is the expected one, whose cursor may be any. */
function same(got, expected) {
  const pattern = expected.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace('‹cursor›', '[!-~]{1,24}');
  return new RegExp(`^${pattern}$`, 'u').test(got);
}

/** Negotiates as a .NET client does and opens the WebSocket. */
async function negotiated(rte, token) {
  const response = await fetch(`${rte.hub}/negotiate?negotiateVersion=1`, {
    method: 'POST', headers: { Authorization: `Bearer ${token}`, 'X-Requested-With': 'XMLHttpRequest' },
  });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^application\/json/);
  const answer = await response.json();
  assert.equal(answer.negotiateVersion, 1);
  assert.deepEqual(answer.availableTransports.find((a) => a.transport === 'WebSockets').transferFormats, ['Text', 'Binary']);
  return new RawConnection(rte.hub, token, `?id=${encodeURIComponent(answer.connectionToken)}`);
}

for (const how of ['negotiated', 'without negotiation']) {
  test(`the C# sample, ${how}, byte for byte`, async (t) => {
    const rte = await ephemeral();
    t.after(() => rte?.stop());
    const token = rte.token({ user });
    const raw = how === 'negotiated' ? await negotiated(rte, token) : new RawConnection(rte.hub, token);
    t.after(() => raw.socket.terminate());
    await within(raw.opened, 'open');
    let answers = 0;
    for (const { who, text } of transcript()) {
      if (who === 'C') raw.socket.send(text);
      if (who === 'P') await rte.publish(JSON.parse(text));
      if (who === 'S') {
        answers++;
        const got = (await raw.nth(answers, `answer ${answers}: ${text}`)) + RS;
        assert.ok(same(got, text), `answer ${answers} is\n${got}\nexpected\n${text}`);
      }
    }
    assert.equal(answers, 5);
    const { code } = await within(raw.closed, 'end after the client\'s Close');
    assert.equal(code, 1000);
    // The client's Close may be answered with a Close, and with nothing else.
    for (const rest of raw.texts.slice(answers)) assert.equal(JSON.parse(rest).type, 7);
  });
}

test('the comparison of the transcript can fail', () => {
  assert.ok(same('{"a":"AbC1"}', '{"a":"‹cursor›"}'));
  assert.ok(!same('{"a":""}', '{"a":"‹cursor›"}'));
  assert.ok(!same('{"a":1}', '{"a":2}'));
  assert.ok(!same('{"a":1} ', '{"a":1}'));
});
