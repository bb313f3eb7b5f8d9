import type { HubConnection, IHttpConnectionOptions, IHubProtocol } from "@microsoft/signalr";

import { unpacked } from "./packed.js";
import { loadProtocol, loadSignalR, type SignalR } from "./signalr.js";
import type { Options } from "./types.js";

/** Why a link is over. again: the hub lets it come back, or the network went. */
export interface Ending {
  again: boolean;
  reason: string;
  error?: Error;
}

/** A call that found no answer because the link ended first. */
export class LinkLost extends Error {}

export interface LinkEvents {
  push(message: unknown): void;
  notice(notice: unknown): void;
}

/** The hub's type of the message Close. */
const closeType = 7;

/**
 * One connection to the hub, from its handshake to its end. It is never used
 * again afterwards: another try is another link.
 */
export class Link {
  readonly ended: Promise<Ending>;
  readonly openedAt = Date.now();
  #end!: (ending: Ending) => void;
  #over = false;
  #close: { error?: string; allowReconnect?: boolean } | undefined;

  private constructor(
    private readonly hub: HubConnection,
    private readonly packed: boolean,
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** Connects, or throws what Microsoft's client says. */
  static async open(url: string, token: string, options: Options, events: LinkEvents, signal: AbortSignal): Promise<Link> {
    const signalR = await loadSignalR();
    const inner = await loadProtocol(signalR, options.messagepack ?? false);
    let link: Link | undefined;
    const hub = build(signalR, url, token, options, watch(inner, (close) => link?.closing(close)));
    link = new Link(hub, options.messagepack !== undefined && options.messagepack !== false);
    link.listen(events);
    const stop = () => link.drop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.race([hub.start(), link.ended.then(() => Promise.reject(signal.reason))]);
    } catch (error) {
      link.drop();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    return link;
  }

  private listen(events: LinkEvents): void {
    const open = (value: unknown) => (this.packed ? unpacked(value) : value);
    this.hub.on("MessageReceived", (message: unknown) => this.#over || events.push(open(message)));
    this.hub.on("Notice", (notice: unknown) => this.#over || events.notice(open(notice)));
    this.hub.onclose((error) => {
      // Without the message Close it was the network, not the hub.
      const close = this.#close;
      this.finish({ again: close === undefined || close.allowReconnect === true, reason: close?.error ?? "", ...(error && { error }) });
    });
  }

  private closing(close: { error?: string; allowReconnect?: boolean }): void {
    this.#close = close;
  }

  private finish(ending: Ending): void {
    this.#over = true;
    this.#end(ending);
  }

  /** Calls a method of the hub. Throws LinkLost when the link ends before the answer, else the hub's error. */
  async invoke(method: string, ...args: unknown[]): Promise<unknown> {
    const lost = this.ended.then((ending) => Promise.reject(new LinkLost(`The connection ended during ${method}.`, { cause: ending.error })));
    if (this.#over) return lost;
    try {
      const answer = await Promise.race([this.hub.invoke(method, ...args), lost]);
      return this.packed ? unpacked(answer) : answer;
    } catch (error) {
      lost.catch(() => undefined);
      // The client cancels calls a moment before it says that it is closed.
      if (this.#over || String(this.hub.state) !== "Connected") throw new LinkLost(`The connection ended during ${method}.`, { cause: error });
      throw error;
    }
  }

  /** Ends the link at once: nothing of it is heard any more. */
  drop(error?: Error): void {
    this.finish({ again: true, reason: "", ...(error && { error }) });
    this.hub.stop().catch(() => undefined);
  }

  /** Ends the link in good order. */
  async leave(): Promise<void> {
    this.finish({ again: false, reason: "" });
    await this.hub.stop();
  }
}

/** The protocol as it is, with an ear for Close, which the client keeps to itself. */
function watch(inner: IHubProtocol, closed: (close: { error?: string; allowReconnect?: boolean }) => void): IHubProtocol {
  return {
    name: inner.name,
    version: inner.version,
    transferFormat: inner.transferFormat,
    writeMessage: (message) => inner.writeMessage(message),
    parseMessages(input, logger) {
      const messages = inner.parseMessages(input, logger);
      for (const message of messages) if (message.type === closeType) closed(message);
      return messages;
    },
  };
}

function build(signalR: SignalR, url: string, token: string, options: Options, protocol: IHubProtocol): HubConnection {
  const { HttpTransportType: types } = signalR;
  const transports = { websockets: types.WebSockets, serversentevents: types.ServerSentEvents, longpolling: types.LongPolling };
  const http: IHttpConnectionOptions = {
    accessTokenFactory: () => token,
    ...(options.transport && { transport: transports[options.transport] }),
  };
  // No logger: the client's own would show addresses, and with them tokens.
  const builder = new signalR.HubConnectionBuilder().withUrl(url, http).withHubProtocol(protocol).configureLogging(signalR.LogLevel.None);
  // Not there before version 8 of the client, and only for WebSockets.
  if (options.statefulReconnect !== false && typeof builder.withStatefulReconnect === "function") builder.withStatefulReconnect();
  return builder.build();
}
