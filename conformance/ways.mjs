// All ways to a hub: versions of Microsoft's client × how it connects ×
// encoding.
import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { versions } from './versions.mjs';
import { Inbox, within } from './wait.mjs';

/** How a client comes to its connection. */
export const modes = ['WebSockets', 'ServerSentEvents', 'LongPolling', 'automatic', 'skipped negotiation'];

/** The transport that a mode leads to when nothing stands in the way. */
export const transportOf = (mode) => (mode === 'ServerSentEvents' || mode === 'LongPolling' ? mode : 'WebSockets');

/** name, client, mode, encoding of every way that there is: server-sent events carry text only. */
export const ways = versions.flatMap((client) =>
  modes.flatMap((mode) =>
    ['json', 'messagepack']
      .filter((encoding) => mode !== 'ServerSentEvents' || encoding === 'json')
      .map((encoding) => ({ name: `${client.version}, ${mode}, ${encoding}`, client, mode, encoding })),
  ),
);

/**
 * Describes the tests of each way; body gets the way. Ways run beside one
 * another, the tests of one in their order.
 */
export function onEveryWay(body, list = ways) {
  if (list.length === 0) throw new Error('no ways');
  describe('over', { concurrency: 6 }, () => list.forEach((way) => describe(way.name, () => body(way))));
}

const quiet = { log() {} };

/**
 * A connection over a way that is not started, and everything that has come to
 * it: messages (the arguments of Message), hello (the ids of Hello), closes
 * (the error of each onclose), story (reconnecting, reconnected). options go
 * to withUrl; reconnect are arguments of withAutomaticReconnect; builder may
 * change the builder.
 */
export function build(way, url, { options = {}, reconnect, token, builder: change } = {}) {
  const { client, mode, encoding } = way;
  const { HttpTransportType, HubConnectionBuilder } = client.signalR;
  const all = { ...options };
  if (token !== undefined) all.accessTokenFactory = typeof token === 'function' ? token : () => token;
  if (mode === 'skipped negotiation') Object.assign(all, { skipNegotiation: true, transport: HttpTransportType.WebSockets });
  else if (mode !== 'automatic') all.transport = HttpTransportType[mode];
  all.httpClient ??= client.httpClient();
  const builder = new HubConnectionBuilder().withUrl(url, all);
  builder.configureLogging(quiet);
  if (encoding === 'messagepack') builder.withHubProtocol(client.messagePack());
  if (reconnect) builder.withAutomaticReconnect(...reconnect);
  change?.(builder);
  const connection = builder.build();
  const [messages, hello, closes, story] = [new Inbox(), new Inbox(), new Inbox(), new Inbox()];
  connection.on('Message', (...args) => messages.push(args));
  connection.on('Hello', hello.push);
  connection.onclose((err) => closes.push(err));
  connection.onreconnecting?.((err) => story.push(`reconnecting: ${err?.message}`));
  connection.onreconnected?.((id) => story.push(`reconnected: ${id}`));
  const invoke = (method, ...args) => within(connection.invoke(method, ...args), `answer to ${method}`);
  return { connection, messages, hello, closes, story, invoke };
}

/**
 * A started connection that ends with the test t; id is how the server knows
 * it.
 */
export async function open(t, way, url, more) {
  const built = build(way, url, more);
  t.after(() => built.connection.stop());
  await within(built.connection.start(), `start of ${way.name}`);
  [built.id] = await built.hello.count(1, 'greeting');
  return built;
}

/**
 * Checks what onclose was told: text, or nothing if that is undefined. Versions
 * before 6.0 take the end of the event stream for an error, where the Close
 * named none, and 1.0.27 even where it did.
 */
export function assertClosedWith(way, err, text) {
  const { client, mode } = way;
  const own = mode === 'ServerSentEvents' && client.major < 6 && err?.message === 'Error occurred';
  if (own && (text === undefined || client.version === '1.0.27')) return;
  assert.equal(err?.message, text);
}

/** The error of a promise that must be rejected. */
export function failure(promise, what) {
  return within(promise.then((value) => Promise.reject(new Error(`${what} succeeded with ${JSON.stringify(value)}`)), (err) => err), what);
}

/** The ways of the newest version. */
export const newestWays = ways.filter(({ client }) => client === versions.at(-1));
