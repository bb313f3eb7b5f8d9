// Microsoft's client: the one in the bundle for browsers, the installed package
// in Node, where it needs files of its own.
import * as bundled from "@microsoft/signalr";
import type { IHubProtocol } from "@microsoft/signalr";

import { MessagePackMissingError } from "./errors.js";
import { dates } from "./packed.js";

export type SignalR = typeof bundled;

/** The build puts the bundle's own address here. */
declare const THIS_FILE: string | undefined;

type Require = (name: string) => unknown;

const inNode = (): boolean => typeof process === "object" && typeof process?.versions?.node === "string" && typeof window === "undefined";
declare const process: { versions?: { node?: string }; cwd(): string } | undefined;

/** require as of this file, then as of the folder that the program was started in. */
async function requires(): Promise<Require[]> {
  const name = "node:module"; // a variable, so that bundlers for browsers leave it alone
  const { createRequire } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as { createRequire(from: string): Require };
  const own = typeof THIS_FILE === "string" && !/^https?:/.test(THIS_FILE) ? [createRequire(THIS_FILE)] : [];
  return [...own, createRequire(`${process!.cwd()}/`)];
}

async function installed(name: string): Promise<unknown> {
  let problem: unknown;
  for (const require of await requires()) {
    try {
      return require(name);
    } catch (error) {
      problem ??= error;
    }
  }
  throw problem;
}

/** Microsoft's client for where this runs. */
export async function loadSignalR(): Promise<SignalR> {
  return inNode() ? ((await installed("@microsoft/signalr")) as SignalR) : bundled;
}

/** The class MessagePackHubProtocol of @microsoft/signalr-protocol-msgpack. */
export type MessagePackClass = new (options?: { extensionCodec?: never }) => object;

/** The protocol that an option asks for. */
export async function loadProtocol(signalR: SignalR, messagepack: boolean | MessagePackClass): Promise<IHubProtocol> {
  if (messagepack === false) return new signalR.JsonHubProtocol();
  let made = messagepack;
  if (made === true) {
    try {
      const name = "@microsoft/signalr-protocol-msgpack";
      const found = inNode() ? await installed(name) : await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
      made = (found as { MessagePackHubProtocol: MessagePackClass }).MessagePackHubProtocol;
    } catch (error) {
      throw new MessagePackMissingError(error);
    }
  }
  return new made({ extensionCodec: dates as never }) as IHubProtocol;
}
