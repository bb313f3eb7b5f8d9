import type { IHubProtocol } from "@microsoft/signalr";
import type { Delays } from "./backoff.ts";

/** The ways a connection can be carried over. */
export type Transport = "websockets" | "serversentevents" | "longpolling";

/**
 * The class MessagePackHubProtocol of the package
 * `@microsoft/signalr-protocol-msgpack`, which is to be installed for it.
 */
export type MessagePackProtocol = new (options?: {
  extensionCodec: { tryToEncode(value: unknown): null; decode(data: Uint8Array, type: number): unknown };
}) => IHubProtocol;

/** Where messages for developers go. Tokens are taken out of them. */
export type Log = (level: "error" | "warning" | "info" | "debug", text: string) => void;

/** How a DAService behaves; all of it may be left out. */
export interface DAServiceOptions {
  /** What may carry the connection; the first that works does. Default: all three. */
  transports?: readonly Transport[];
  /** The encoding: "json" (default), or the class MessagePackHubProtocol. Handlers see the same either way. */
  protocol?: "json" | MessagePackProtocol;
  /** Ask for the newest value first wherever an item does not say. Default: false. */
  snapshot?: boolean;
  /** Use one connection for all tabs of this browser; a text tells groups of tabs apart. Default: false. */
  share?: boolean | string;
  /** Bounds of the pauses between tries, in milliseconds. Default: { first: 1000, most: 30000 }. */
  reconnect?: Partial<Delays>;
  /** Let the hub resume a lost socket by itself where it can. Default: true. */
  statefulReconnect?: boolean;
  /** Ask the hub for notices. Default: true. */
  notices?: boolean;
  /** Further HTTP headers; browsers do not send them with WebSockets and server-sent events. */
  headers?: Readonly<Record<string, string>>;
  /** Send cookies to other origins. Default: true, as Microsoft's client. */
  withCredentials?: boolean;
  /** Ends everything, as Disconnect does. */
  signal?: AbortSignal;
  /** Default: errors go to console.error, all else nowhere. */
  log?: Log;
}
