// The way to a hub that is not straight: transports that are not offered or do
// not get through, redirects, tokens, spellings.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startHub } from './hub.mjs';
import { narrowProxy } from './proxy.mjs';
import { build, failure, onEveryWay, open, transportOf, ways } from './ways.mjs';

let hub;
before(async () => {
  hub = await startHub();
});
after(() => hub?.stop());

/** What a client that starts says of its failure. */
async function refused(t, way, url, more) {
  const { connection } = build(way, url, more);
  t.after(() => connection.stop());
  return String((await failure(connection.start(), `start over ${way.name}`))?.message); // 1.1.4 gives null for a refused WebSocket
}

const by = (mode) => ways.filter((way) => way.mode === mode);

describe('a proxy that lets no WebSockets through', () => {
  for (const events of [true, false]) {
    for (const way of by('automatic')) {
      test(`${events ? 'but event streams' : 'and no event streams'}: ${way.name}`, async (t) => {
        const proxy = await narrowProxy(t, hub.url, { events });
        const { invoke, connection } = await open(t, way, `${proxy.url}/default`);
        const transport = events && way.encoding === 'json' ? 'ServerSentEvents' : 'LongPolling';
        assert.equal((await invoke('Whoami')).transport, transport);
        assert.equal(await invoke('Echo', '客'), '客');

        // Every transport had a negotiation of its own, and so its own token.
        const asked = proxy.requests.items.filter(({ what }) => what.startsWith('GET ') || what.endsWith('/negotiate'));
        const tries = events || way.encoding === 'messagepack' ? 2 : 3;
        const negotiations = asked.filter(({ what }) => what === 'POST /default/negotiate');
        assert.equal(negotiations.length, tries);
        assert.equal(new Set(asked.filter(({ id }) => id).map(({ id }) => id)).size, tries);
        await connection.stop();
      });
    }
  }

  for (const way of by('WebSockets')) {
    test(`a client that wants nothing else: ${way.name}`, async (t) => {
      const proxy = await narrowProxy(t, hub.url, { events: true });
      assert.match(await refused(t, way, `${proxy.url}/default`), /403|WebSocket failed to connect|There was an error with the transport|Unable to (connect|initialize)/);
    });
  }
});

describe('transports that are not offered', () => {
  const offers = { '/sockets': ['WebSockets'], '/events': ['ServerSentEvents'], '/polling': ['LongPolling'], '/nosockets': ['ServerSentEvents', 'LongPolling'] };
  for (const [path, offered] of Object.entries(offers)) {
    for (const way of ways.filter(({ mode }) => mode !== 'skipped negotiation')) {
      test(`${path}: ${way.name}`, async (t) => {
        const wanted = way.mode === 'automatic' ? offered : offered.filter((name) => name === way.mode);
        const [transport] = wanted.filter((name) => way.encoding === 'json' || name !== 'ServerSentEvents');
        if (!transport) {
          assert.match(await refused(t, way, hub.url + path), /Unable to (connect to the server with any|initialize any) of the available transports|None of the transports supported by the client are supported by the server/);
          return;
        }
        const { invoke } = await open(t, way, hub.url + path);
        assert.equal((await invoke('Whoami')).transport, transport);
      });
    }
  }

  for (const way of by('skipped negotiation')) {
    test(`without negotiation: ${way.name}`, async (t) => {
      assert.match(await refused(t, way, `${hub.url}/polling`), /404|WebSocket failed to connect|There was an error with the transport|undefined/);
    });
  }
});

onEveryWay((way) => {
  const sockets = transportOf(way.mode) === 'WebSockets';
  // Before 6.0 clients in Node do not follow a POST, and Node's own fetch
  // loses a binary body on the way. No WebSocket client follows.
  if (!sockets && way.client.major >= 6 && way.encoding === 'json') {
    test('HTTP 307 to an absolute address', async (t) => {
      const { invoke } = await open(t, way, `${hub.url}/moved/default?tenant=a`);
      const me = await invoke('Whoami');
      assert.deepEqual([me.transport, me.query.tenant], [way.mode, ['a']]);
    });
  }

  if (way.mode !== 'skipped negotiation') {
    test('negotiation sends elsewhere, with and without a token of its own', async (t) => {
      const here = await open(t, way, `${hub.url}/redirect?tenant=a`);
      assert.equal((await here.invoke('Whoami')).id, here.id);
      const there = await open(t, way, `${hub.url}/elsewhere`, { token: 'bob-for-1h' });
      assert.equal((await there.invoke('Whoami')).user, 'alice', 'the token that came with the redirect counts');
      assert.equal(await there.invoke('Echo', 'on'), 'on');
    });

    test('negotiation refuses, or sends round and round', async (t) => {
      // 1.0.27 does not know that member and fails on what is missing beside it.
      assert.match(await refused(t, way, `${hub.url}/full`), way.client.version === '1.0.27' ? /./ : /the house is full$/);
      assert.match(await refused(t, way, `${hub.url}/round`), /Negotiate redirection limit exceeded\.$/);
    });
  }

  test('tokens: on every request, by header or query as the client does', async (t) => {
    let asked = 0;
    const token = () => {
      asked++;
      return 'alice-for-1h';
    };
    const { connection, invoke, messages, id } = await open(t, way, `${hub.url}/tokens`, { token });
    const me = await invoke('Whoami');
    assert.equal(me.user, 'alice');
    assert.ok(asked >= 1);
    await invoke('SendToUser', 'alice', `to ${id}`);
    await messages.find(([text]) => text === `to ${id}`, 'push to the user');
    await connection.stop();
  });

  test('no token, and one that is not good', async (t) => {
    for (const token of [undefined, 'nobody']) {
      assert.match(await refused(t, way, `${hub.url}/tokens`, { token }), /Unauthorized|401|WebSocket failed to connect|There was an error with the transport|undefined/);
    }
  });

  test('another spelling of the path, and a slash at its end', async (t) => {
    for (const path of ['/DeFault', '/default/']) {
      const { invoke, connection } = await open(t, way, hub.url + path);
      assert.equal(await invoke('Echo', path), path);
      await connection.stop();
    }
  });

  test('negotiation of version 0, where the client can be told', async (t) => {
    const { invoke, id } = await open(t, way, `${hub.url}/default?negotiateVersion=0`);
    assert.equal((await invoke('Whoami')).id, id);
  });
});

test('the header goes before the query; two users do not share a connection', async () => {
  const ask = (method, path, headers = {}) => fetch(hub.url + path, { method, headers, signal: AbortSignal.timeout(5000) });
  const alice = { Authorization: 'Bearer alice-for-1h' };
  const bob = { Authorization: 'Bearer bob-for-1h' };
  const { connectionToken } = await (await ask('POST', '/tokens/negotiate?negotiateVersion=1&access_token=bob-for-1h', alice)).json();
  const path = `/tokens?id=${connectionToken}`;
  assert.equal((await ask('GET', `${path}&access_token=bob-for-1h`, alice)).status, 200, 'first poll');
  for (const [method, headers] of [['POST', bob], ['GET', bob], ['DELETE', bob]]) {
    const response = await ask(method, path, headers);
    assert.deepEqual([response.status, await response.text()], [403, ''], method);
  }
  const response = await ask('POST', path);
  assert.deepEqual([response.status, await response.text()], [401, '']);
  assert.equal((await ask('DELETE', path, alice)).status, 202);
});

test('refresh: a new token keeps a connection that its old one would end', async (t) => {
  const way = ways.findLast(({ mode, encoding }) => mode === 'WebSockets' && encoding === 'json');
  const httpClient = way.client.httpClient();
  const send = httpClient.send.bind(httpClient);
  let negotiated;
  httpClient.send = async (request) => {
    const response = await send(request);
    if (request.url.includes('/negotiate')) negotiated = JSON.parse(response.content);
    return response;
  };
  const keeps = await open(t, way, `${hub.url}/refresh`, { token: 'alice-for-3s', options: { httpClient } });
  const { connectionToken } = negotiated;
  assert.equal(negotiated.tokenLifetimeSeconds, 3);
  const goes = await open(t, way, `${hub.url}/refresh`, { token: 'alice-for-3s', reconnect: [[0]] });
  const refresh = async (id, token) => {
    const response = await fetch(`${hub.url}/refresh/refresh?id=${id}`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
    return [response.status, await response.json()];
  };
  assert.deepEqual(await refresh(connectionToken, 'bob-for-1h'), [403, { error: 'permission_change_rejected' }]);
  assert.deepEqual(await refresh(connectionToken, 'nobody'), [401, { error: 'invalid_token' }]);
  assert.deepEqual(await refresh(keeps.id, 'alice-for-1h'), [404, { error: 'connection_not_found' }], 'the public id is no token');
  assert.deepEqual(await refresh(connectionToken, 'alice-for-1h'), [200, { tokenLifetimeSeconds: 3600 }]);
  await hub.wrote({ id: keeps.id, what: 'refreshed' });

  // The other one is told to come back, and does, with what its factory gives.
  await goes.story.count(2, 'onreconnected');
  assert.equal(goes.story.items[0], 'reconnecting: undefined');
  assert.deepEqual([(await hub.ended(goes.id)).reason, keeps.closes.items], ['expired', []]);
  assert.equal(await keeps.invoke('Echo', 'on'), 'on');
});
