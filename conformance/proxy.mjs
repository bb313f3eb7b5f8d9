// What may stand between a client and its hub: networks that break, and
// proxies that do not let everything through.
import { createServer as createHTTP, request } from 'node:http';
import { connect, createServer } from 'node:net';

import { Inbox, within } from './wait.mjs';

async function listen(server, t) {
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** A network between clients and a server that can be cut; it ends with the test t. */
export class Network {
  #pairs = new Set();
  #inside; // called instead of passing on the whole of the next piece
  refuses = false;
  cuts = 0;

  static async open(t, target) {
    const network = new Network();
    const { hostname, port } = new URL(target);
    network.url = await listen(createServer((client) => network.#join(client, connect(Number(port), hostname))), t);
    t.after(() => network.cut());
    return network;
  }

  #join(client, server) {
    const pair = { client, server };
    if (this.refuses) return this.#end(pair);
    this.#pairs.add(pair);
    for (const [from, to] of [[client, server], [server, client]]) {
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        if (from === client && bytes.includes('pgrade: websocket')) pair.upgraded = true;
        if (pair.torn) return; // nothing comes behind the half of a piece
        if (!this.#inside || bytes.length < 2) {
          to.write(bytes);
          return;
        }
        pair.torn = true;
        to.write(bytes.subarray(0, bytes.length >> 1), this.#inside);
        this.#inside = undefined;
      });
      from.on('error', () => this.#end(pair));
      from.on('close', () => !pair.stranded && this.#end(pair));
    }
  }

  #end(pair) {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }

  /** Cuts all connections there are, without a word. */
  cut() {
    this.cuts++;
    for (const pair of [...this.#pairs]) this.#end(pair);
  }

  /** Cuts all connections inside the next piece of data, whichever way it goes, and waits for that. */
  async cutInside() {
    await within(new Promise((resolve) => (this.#inside = resolve)), 'data to cut inside');
    this.cut();
  }

  /**
   * As when a machine sleeps: nothing passes any more on the WebSockets there
   * are, and nobody is told, they look open; what was idle is closed.
   */
  hang() {
    for (const pair of [...this.#pairs]) {
      if (pair.upgraded) pair.torn = true;
      else this.#end(pair);
    }
  }

  /** Cuts what clients have, while the server's ends stay open. */
  strand() {
    this.cuts++;
    for (const pair of [...this.#pairs]) {
      pair.stranded = true;
      pair.client.destroy();
    }
  }
}

/**
 * A proxy that passes HTTP on, but neither WebSockets nor, unless events is
 * true, event streams; it ends with the test t. requests has what came by, as
 * "POST /path 200".
 */
export async function narrowProxy(t, target, { events = false } = {}) {
  const requests = new Inbox();
  const note = (req, status) => requests.push({ what: `${req.method} ${new URL(req.url, target).pathname}`, status, id: new URL(req.url, target).searchParams.get('id') });
  const server = createHTTP((req, res) => {
    if (!events && (req.headers.accept ?? '').includes('text/event-stream')) {
      note(req, 403);
      res.writeHead(403).end();
      return;
    }
    const up = request(target + req.url, { method: req.method, headers: req.headers, agent: false }, (answer) => {
      note(req, answer.statusCode);
      res.writeHead(answer.statusCode, answer.headers);
      res.flushHeaders();
      answer.pipe(res);
      answer.on('error', () => res.destroy());
    });
    up.on('error', () => res.destroy());
    res.on('close', () => up.destroy());
    req.pipe(up);
  });
  server.on('upgrade', (req, socket) => {
    note(req, 403);
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
  const url = await listen(server, t);
  t.after(() => server.closeAllConnections());
  return { url, requests };
}

/** All pieces of a body. */
async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

/**
 * A proxy before several servers that gives each request, and each WebSocket,
 * to the next of them that takes it, whoever it comes from; it ends with the
 * test t.
 */
export async function roundRobin(t, targets) {
  const places = targets.map((target) => new URL(target));
  let turn = 0;
  /** Calls attempt with one server after the other until one takes it. */
  const next = async (attempt) => {
    const first = turn++;
    for (let n = 0; n < places.length; n++) {
      const taken = await attempt(places[(first + n) % places.length]);
      if (taken) return taken;
    }
    return undefined;
  };
  const server = createHTTP(async (req, res) => {
    const body = Buffer.concat(await read(req));
    const answer = await next(({ hostname, port }) => new Promise((resolve) => {
      const up = request({ hostname, port, path: req.url, method: req.method, headers: req.headers, agent: false });
      up.once('response', resolve);
      // Only who was not reached has surely done nothing.
      up.on('error', (err) => resolve(err.code === 'ECONNREFUSED' ? undefined : 'broken'));
      res.on('close', () => up.destroy());
      up.end(body);
    }));
    if (!answer || answer === 'broken') {
      res.destroy();
      return;
    }
    res.writeHead(answer.statusCode, answer.headers);
    res.flushHeaders();
    answer.pipe(res);
    answer.on('error', () => res.destroy());
  });
  server.on('upgrade', async (req, client, head) => {
    client.on('error', () => client.destroy());
    const up = await next(({ hostname, port }) => new Promise((resolve) => {
      const socket = connect(Number(port), hostname, () => resolve(socket));
      socket.on('error', () => resolve(undefined));
    }));
    if (!up) {
      client.destroy();
      return;
    }
    const lines = [`${req.method} ${req.url} HTTP/1.1`];
    for (let i = 0; i < req.rawHeaders.length; i += 2) lines.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`);
    up.write(`${lines.join('\r\n')}\r\n\r\n`);
    up.write(head);
    for (const [from, to] of [[client, up], [up, client]]) {
      from.setNoDelay(true);
      from.pipe(to);
      from.on('close', () => to.destroy());
    }
  });
  const url = await listen(server, t);
  t.after(() => server.closeAllConnections());
  return url;
}
