/** What went wrong, for programs. */
export type ErrorCode =
  | "bad-url"
  | "unauthorized"
  | "token-expired"
  | "forbidden"
  | "closed"
  | "not-connected"
  | "rejected"
  | "overflow"
  | "messagepack";

/** The parent of all errors of this library. */
export class DAError extends Error {
  override readonly name: string = "DAError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** The address is none, or nothing there is a SignalR hub. */
export class BadUrlError extends DAError {
  override readonly name = "BadUrlError";

  constructor(message: string, cause?: unknown) {
    super("bad-url", message, cause);
  }
}

/**
 * The hub does not accept the token (401). A token function may throw one to
 * say that there will be no token any more: then nothing is tried again.
 */
export class UnauthorizedError extends DAError {
  override readonly name: string = "UnauthorizedError";

  constructor(message = "The hub does not accept the token.", cause?: unknown, code: "unauthorized" | "token-expired" = "unauthorized") {
    super(code, message, cause);
  }
}

/** The token's time is over. Pass a function instead of a text, and it is asked for a new one. */
export class TokenExpiredError extends UnauthorizedError {
  override readonly name = "TokenExpiredError";

  constructor(
    /** When it ended. */
    readonly expiredAt: Date,
    cause?: unknown,
  ) {
    super(
      `The token ended at ${expiredAt.toISOString()}. Give DAService a function that fetches one, and it is called for each connection.`,
      cause,
      "token-expired",
    );
  }
}

/** The token is good, but its role may not use the hub (403). */
export class ForbiddenError extends DAError {
  override readonly name = "ForbiddenError";

  constructor(cause?: unknown) {
    super("forbidden", "This token's role may not use the hub.", cause);
  }
}

/** The hub has closed the connection and does not want it back. */
export class ClosedError extends DAError {
  override readonly name = "ClosedError";

  constructor(
    /** What the hub said: "revoked", "admin", "limit", or another hub's text; "" for none. */
    readonly reason: string,
    cause?: unknown,
  ) {
    super("closed", reason === "" ? "The hub has closed the connection for good." : `The hub has closed the connection for good: ${reason}`, cause);
  }
}

/** There is no connection, and none is being made: Connect was not called, Disconnect was, or the hub refused. */
export class NotConnectedError extends DAError {
  override readonly name = "NotConnectedError";

  constructor(message = "Not connected. Call Connect first.", cause?: unknown) {
    super("not-connected", message, cause);
  }
}

/** The hub has answered a call with an error; the message is the hub's. */
export class RejectedError extends DAError {
  override readonly name = "RejectedError";

  constructor(message: string, cause?: unknown) {
    super("rejected", message, cause);
  }
}

/** A loop over messages was too slow: more were waiting than its limit. */
export class OverflowError extends DAError {
  override readonly name = "OverflowError";

  constructor(limit: number) {
    super("overflow", `More than ${limit} messages were waiting for the loop that reads them.`);
  }
}

/** MessagePack was asked for and its package is not there. */
export class MessagePackMissingError extends DAError {
  override readonly name = "MessagePackMissingError";

  constructor(cause?: unknown) {
    super("messagepack", "MessagePack needs the package @microsoft/signalr-protocol-msgpack. In browsers pass its class MessagePackHubProtocol as the option messagepack.", cause);
  }
}
