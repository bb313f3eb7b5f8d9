// Microsoft's two released JavaScript clients in Node: the newest, and the
// oldest that is still in the field.
import { createRequire } from 'node:module';

import WebSocket from 'ws';

import { Inbox, within } from './wait.mjs';

const require = createRequire(import.meta.url);

const modern = require('@microsoft/signalr');

// 1.0.27 knows browsers only and takes these from the environment.
globalThis.WebSocket = WebSocket;
// Bytes have to travel as in a browser: clients look for responseType first,
// and send an ArrayBuffer.
globalThis.XMLHttpRequest = class extends require('xmlhttprequest-ssl').XMLHttpRequest {
  constructor() {
    super();
    this.responseType = '';
    const { send } = this;
    this.send = (body) => send.call(this, body instanceof ArrayBuffer ? new Uint8Array(body) : body);
  }
};
const legacy = require('@aspnet/signalr');

/** name, the library as samples see it, whether it has automatic reconnect. */
export const clients = [
  { name: '@microsoft/signalr 10.0.11', signalR: modern, reconnects: true },
  { name: '@aspnet/signalr 1.0.27', signalR: legacy, reconnects: false },
];

/** The client with automatic reconnect, and the one without. */
export const [newest, oldest] = clients;

/**
 * A connection that is not started, with an inbox for MessageReceived.
 * token is a text or a function; options go to withUrl; protocol is the
 * library's own JSON unless given.
 */
export function build(client, url, token, options = {}, reconnect, protocol) {
  const { signalR } = client;
  const builder = new signalR.HubConnectionBuilder().withUrl(url, {
    accessTokenFactory: typeof token === 'function' ? token : () => token,
    ...options,
  });
  builder.configureLogging(quiet);
  if (reconnect) builder.withAutomaticReconnect(...reconnect);
  if (protocol) builder.withHubProtocol(protocol);
  const connection = builder.build();
  const inbox = new Inbox();
  connection.on('MessageReceived', inbox.push);
  return { connection, inbox, signalR };
}

const quiet = { log() {} };

/** A started connection that ends with the test t. */
export async function connect(t, client, url, token, options, reconnect) {
  const built = build(client, url, token, options, reconnect);
  await within(built.connection.start(), `start of ${client.name}`);
  t.after(() => built.connection.stop());
  return built;
}

/** Calls Subscribe and fails unless every item is accepted. */
export async function subscribe(connection, ...items) {
  const results = await within(connection.invoke('Subscribe', items), 'result of Subscribe');
  const refused = results.filter((r) => !r.subscribed);
  if (results.length !== items.length || refused.length > 0) {
    throw new Error(`Subscribe: ${JSON.stringify(results)}`);
  }
  return results;
}
