// A connection at the level of WebSocket messages, to see what clients hide.
import WebSocket from 'ws';

import { Inbox, within } from './wait.mjs';

/** The byte between hub messages. */
export const RS = '\x1e';

/** One WebSocket to a hub, and every hub message that came over it, as text. */
export class RawConnection {
  messages = new Inbox(); // {text, at}: at in milliseconds of performance.now()

  constructor(hub, token, query = '') {
    this.socket = new WebSocket(hub.replace(/^http/, 'ws') + query, {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve).once('error', reject);
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.socket.on('message', (data) => {
      const parts = String(data).split(RS);
      // A client of Microsoft's gives up on half a message.
      if (parts.pop() !== '') this.messages.push({ text: `half a message: ${data}`, at: performance.now() });
      for (const text of parts) this.messages.push({ text, at: performance.now() });
    });
  }

  /** Sends one text frame with each message ended. */
  send(...texts) {
    this.socket.send(texts.map((text) => text + RS).join(''));
  }

  /** The messages that are no pings, as text. */
  get texts() {
    return this.messages.items.map((m) => m.text).filter((text) => text !== '{"type":6}');
  }

  /** Waits for n messages in all that are no pings, and returns the last of them. */
  async nth(n, what) {
    await this.messages.until(() => this.texts.length >= n, what);
    return this.texts[n - 1];
  }
}

/** Opens a WebSocket without negotiation and shakes hands. */
export async function rawConnect(t, hub, token) {
  const raw = new RawConnection(hub, token);
  t.after(() => raw.socket.terminate());
  await within(raw.opened, 'open WebSocket');
  raw.send('{"protocol":"json","version":1}');
  const answer = await raw.nth(1, 'answer to the handshake');
  if (answer !== '{}') throw new Error(`handshake: ${answer}`);
  return raw;
}
