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

/** name with the version, the library, a maker of its MessagePack protocol. */
export const versions = packages.map(([client, packed]) => {
  const { name, version } = require(`./node_modules/${client}/package.json`);
  const { MessagePackHubProtocol } = require(packed);
  return { name: `${name} ${version}`, version, signalR: require(client), messagePack: () => new MessagePackHubProtocol() };
});
