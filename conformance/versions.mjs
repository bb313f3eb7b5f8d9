// The newest release of every version of Microsoft's JavaScript client, side
// by side, each with the newest MessagePack protocol of its version.
import { createRequire } from 'node:module';

import './clients.mjs'; // what 1.x takes from the environment

const require = createRequire(import.meta.url);

globalThis.EventSource = require('eventsource'); // 1.0.27 knows browsers only
globalThis.self = globalThis; // 5.0 binds fetch to it wherever it finds fetch

/** package of the client, package of its MessagePack protocol. */
const packages = [
  ['@aspnet/signalr', '@aspnet/signalr-protocol-msgpack'], // 1.0
  ['aspnet-signalr-1.1', 'msgpack-1.1'],
  ['signalr-3.1', 'msgpack-3.1'],
  ['signalr-5.0', 'msgpack-5.0'],
  ['signalr-6.0', 'msgpack-6.0'],
  ['signalr-7.0', 'msgpack-7.0'],
  ['signalr-8.0', 'msgpack-8.0'],
  ['signalr-9.0', 'msgpack-9.0'],
  ['@microsoft/signalr', '@microsoft/signalr-protocol-msgpack'], // 10.0
];

const quiet = { log() {} };

/** Does what it is given where XMLHttpRequest is not known: 1.1 and 3.1 then use an HTTP client of their own. */
function hidden(act) {
  const { XMLHttpRequest } = globalThis;
  delete globalThis.XMLHttpRequest;
  try {
    return act();
  } finally {
    globalThis.XMLHttpRequest = XMLHttpRequest;
  }
}

/** What a version uses for HTTP in Node. */
function httpClient(signalR, version) {
  const make = () => new signalR.DefaultHttpClient(quiet);
  const client = version === '1.0.27' ? make() : hidden(make);
  if (version.startsWith('1.')) forgive(client, signalR);
  return client;
}

/**
 * The DELETE with which versions before 3.0 answer a Close may come behind the
 * poll that has ended the connection, or find no server any more, and nobody
 * there handles the rejection that follows.
 */
function forgive(client, signalR) {
  const send = client.send.bind(client);
  client.send = (request) =>
    send(request).catch((err) => (request.method === 'DELETE' ? new signalR.HttpResponse(err.statusCode) : Promise.reject(err)));
}

/**
 * name with the version, the library, makers of its MessagePack protocol and of
 * its HTTP client, and what this version can: connectionId (it tells the id),
 * reconnects (automatic reconnect), uploads (streams to the server), results
 * (the server may invoke it and wait), says (Close before it goes), resumes
 * (stateful reconnect).
 */
export const versions = packages.map(([client, packed]) => {
  const { name, version } = require(`./node_modules/${client}/package.json`);
  const { MessagePackHubProtocol } = require(packed);
  const major = Number.parseInt(version, 10);
  const signalR = hidden(() => require(client));
  return {
    name: `${name} ${version}`, version, major, signalR, messagePack: () => new MessagePackHubProtocol(),
    httpClient: () => httpClient(signalR, version),
    connectionId: major >= 3, reconnects: major >= 3, uploads: major >= 3, results: major >= 7, says: major >= 8, resumes: major >= 8,
  };
});
