import {
  HttpTransportType, HubConnectionBuilder, HubConnectionState, JsonHubProtocol, LogLevel, type HubConnection, type IHubProtocol,
} from "@microsoft/signalr"; // prettier-ignore
import { AddressError, ClosedError, DAError, HubError, textOf, UnauthorizedError, UnreachableError, withoutTokens } from "./errors.ts";
import type { AnyPush } from "./events.gen.ts";
import { WatchedHttp } from "./http.ts";
import type { DAServiceOptions, Log, Transport } from "./options.ts";
import { camelList, camelMembers, datesAsText, pushOf } from "./shape.ts";
import { Sources } from "./sources.ts";
import { refusal } from "./token.ts";

/** How a connection ended. */
export interface Ending {
  error: DAError;
  /** The hub does not want it back. */
  final: boolean;
}

/** Who is told of what happens on a connection; nobody after it has ended. */
export interface LinkListener {
  push(message: AnyPush): void;
  notice(argument: unknown): void;
  /** Called once, and only after open has resolved. */
  ended(ending: Ending): void;
}

/** One connection: it is opened once, and ends once. */
export interface Link {
  /** Rejects with the error's class; a definite refusal is told by isRefusal. */
  open(): Promise<void>;
  /** Calls a hub method. Rejects with HubError if the hub says so, with UnreachableError if the connection was lost. */
  invoke(method: string, ...args: unknown[]): Promise<unknown>;
  /** Gives the connection up at once; the listener is told, if it was open. */
  cut(why: string): void;
  /** Ends it in good order; the listener is not told. */
  stop(): Promise<void>;
  /** How long the hub asked to be left alone when open failed, in milliseconds. */
  readonly retryAfter: number;
}

/** What a connection is made of. */
export interface LinkOptions {
  url: string;
  /** The token it is opened with. */
  token: string;
  /** Another one, for requests long after that. */
  another: () => Promise<string>;
  settings: DAServiceOptions;
  listener: LinkListener;
  log: Log;
  now: () => number;
}

/** Tells whether an error of open is the hub's last word about this token and address. */
export function isRefusal(error: DAError): boolean {
  return error instanceof UnauthorizedError || error instanceof AddressError || error instanceof ClosedError || error instanceof HubError;
}

const transportTypes: Readonly<Record<Transport, HttpTransportType>> = {
  websockets: HttpTransportType.WebSockets,
  serversentevents: HttpTransportType.ServerSentEvents,
  longpolling: HttpTransportType.LongPolling,
};

/** A connection by Microsoft's client. */
export class SignalRLink implements Link {
  private readonly http = new WatchedHttp();
  private readonly sources = new Sources();
  private readonly connection: HubConnection;
  private readonly packed: boolean;
  private opened = false;
  private over = false;
  private mayReturn = false;

  constructor(private readonly o: LinkOptions) {
    const { settings } = o;
    this.packed = settings.protocol !== undefined && settings.protocol !== "json";
    const builder = new HubConnectionBuilder()
      .configureLogging({ log: (level, text) => this.log(level, text) })
      .withUrl(o.url, {
        accessTokenFactory: () => (this.opened ? o.another() : o.token),
        httpClient: this.http,
        headers: { ...settings.headers },
        withCredentials: settings.withCredentials ?? true,
        timeout: 15_000,
        ...(settings.transports ? { transport: settings.transports.reduce((all, name) => all | transportTypes[name], 0) } : {}),
      })
      .withHubProtocol(protocolOf(settings))
      // Never by itself: it forgets the subscriptions. But it is asked when, and
      // only when, the hub allows to come back.
      .withAutomaticReconnect({
        nextRetryDelayInMilliseconds: () => {
          this.mayReturn = true;
          return null;
        },
      });
    if (settings.statefulReconnect ?? true) builder.withStatefulReconnect();
    this.connection = builder.build();
    this.sources.watch(builder);
    this.connection.on("MessageReceived", (argument: unknown) => {
      if (this.over) return;
      const push = pushOf(argument, this.packed);
      if (push === null) o.log("warning", "a MessageReceived that is no message was dropped");
      else o.listener.push(push);
    });
    this.connection.on("Notice", (argument: unknown) => {
      if (!this.over) o.listener.notice(this.packed ? noticeOf(argument) : argument);
    });
    this.connection.onclose((error) => this.closed(error));
  }

  get retryAfter(): number {
    return this.http.retryAfter;
  }

  async open(): Promise<void> {
    try {
      await this.connection.start();
    } catch (error) {
      this.end();
      throw this.refused(error);
    }
    if (this.over) throw new UnreachableError("The connection was given up");
    this.opened = true;
  }

  async invoke(method: string, ...args: unknown[]): Promise<unknown> {
    if (this.over) throw new UnreachableError("The connection is lost");
    try {
      const result: unknown = await this.connection.invoke(method, ...args);
      return this.packed ? camelList(result) : result;
    } catch (error) {
      if (this.isLoss(error)) {
        this.cut(textOf(error));
        throw new UnreachableError("The connection was lost", { cause: error });
      }
      const text = textOf(error).replace(/^An unexpected error occurred invoking '.*?' on the server\. HubException: /, "");
      const unknown = /method does not exist/i.test(text);
      throw new HubError(unknown ? "unsupported" : "hub", text, { cause: error });
    }
  }

  cut(why: string): void {
    if (this.over) return;
    this.end();
    void this.connection.stop().catch(() => {});
    if (this.opened) this.o.listener.ended({ error: new UnreachableError(why), final: false });
  }

  async stop(): Promise<void> {
    this.end();
    await this.connection.stop();
  }

  private end(): void {
    this.over = true;
    this.sources.close();
  }

  /** The hub's answers are plain errors; all else is about the way to it. */
  private isLoss(error: unknown): boolean {
    if (this.over || this.connection.state !== HubConnectionState.Connected) return true;
    return !(error instanceof Error) || error.constructor !== Error || error.message.startsWith("Cannot send data");
  }

  private closed(error: Error | undefined): void {
    if (this.over) return;
    this.end();
    const reason = closeReason(error);
    const final = !this.mayReturn;
    const text = reason !== null ? `The hub closed the connection: ${reason}` : `The connection was lost: ${textOf(error ?? "it ended")}`;
    this.o.listener.ended({ final, error: final ? new ClosedError(reason ?? "", { cause: error }) : new UnreachableError(text, { cause: error }) });
  }

  /** Why a connection could not be opened. */
  private refused(error: unknown): DAError {
    const text = textOf(error);
    const reason = closeReason(error);
    if (reason !== null && ["revoked", "limit", "admin"].includes(reason)) return new ClosedError(reason, { cause: error });
    if (/handshake error/.test(text)) return new HubError("hub", text, { cause: error });
    switch (this.http.status) {
      case 401:
        return refusal(this.o.token, this.o.now(), error);
      case 403:
        return new UnauthorizedError("forbidden", "The hub is not open to this token (403)", { cause: error });
      case 404:
      case 405:
        return new AddressError("notFound", `There is no SignalR hub at this address (${this.http.status})`, { cause: error });
    }
    if (/SyntaxError|is not valid JSON|ASP\.NET SignalR Server/.test(text)) {
      return new AddressError("notFound", "What answers at this address is no SignalR hub", { cause: error });
    }
    return new UnreachableError(`The hub could not be reached: ${text}`, { cause: error });
  }

  private log(level: LogLevel, text: string): void {
    if (level < LogLevel.Information) return;
    // What fails is told by errors and states; it is no error of the program.
    this.o.log(level >= LogLevel.Warning ? "info" : "debug", withoutTokens(text));
  }
}

function protocolOf(settings: DAServiceOptions): IHubProtocol {
  const { protocol } = settings;
  if (protocol === undefined || protocol === "json") return new JsonHubProtocol();
  return new protocol({ extensionCodec: datesAsText });
}

function noticeOf(argument: unknown): unknown {
  const notice = camelMembers(argument) as Record<string, unknown> | null;
  return typeof notice === "object" && notice !== null && "subscription" in notice
    ? { ...notice, subscription: camelMembers(notice["subscription"]) }
    : notice;
}

/** The text of the hub's Close; null if it is none that ended the connection. */
function closeReason(error: unknown): string | null {
  if (error === undefined) return "";
  const m = /Server returned an error on close: (.*)$/s.exec(textOf(error));
  return m ? m[1]! : null;
}
