/** What went wrong, for programs: compare codes, not texts. */
export type DAErrorCode =
  | "invalidArgument"
  | "invalidUrl"
  | "unauthorized"
  | "tokenExpired"
  | "tokenUnavailable"
  | "forbidden"
  | "notFound"
  | "closed"
  | "disconnected"
  | "notConnected"
  | "aborted"
  | "unreachable"
  | "hub"
  | "unsupported";

/** The base of all errors of this library. */
export class DAError extends Error {
  override readonly name: string = "DAError";

  constructor(
    /** Says what went wrong. */
    readonly code: DAErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** An argument that cannot be right: it was not sent. Code `invalidArgument`. */
export class InvalidArgumentError extends DAError {
  override readonly name = "InvalidArgumentError";
  constructor(message: string) {
    super("invalidArgument", message);
  }
}

/** The address is none, or nobody there speaks SignalR. Codes `invalidUrl` and `notFound`. */
export class AddressError extends DAError {
  override readonly name = "AddressError";
  constructor(code: "invalidUrl" | "notFound", message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** The hub does not accept the token (401, 403). Codes `unauthorized` and `forbidden`. */
export class UnauthorizedError extends DAError {
  override readonly name: string = "UnauthorizedError";
  constructor(code: "unauthorized" | "forbidden" | "tokenExpired", message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/**
 * The token has expired, and there is no function to get another one: give
 * DAService a function, or call SetToken and Connect. Code `tokenExpired`.
 */
export class TokenExpiredError extends UnauthorizedError {
  override readonly name = "TokenExpiredError";
  constructor(
    /** When it expired, by the token itself. */
    readonly expiredAt: Date,
    options?: { cause?: unknown },
  ) {
    super("tokenExpired", `The token expired at ${expiredAt.toISOString()}`, options);
  }
}

/** The function that gives tokens has failed; it is asked again later. Code `tokenUnavailable`. */
export class TokenUnavailableError extends DAError {
  override readonly name = "TokenUnavailableError";
  constructor(message: string, options?: { cause?: unknown }) {
    super("tokenUnavailable", message, options);
  }
}

/** The hub has ended the connection and does not want it back. Code `closed`. */
export class ClosedError extends DAError {
  override readonly name = "ClosedError";
  constructor(
    /** The hub's reason: `revoked`, `limit` or `admin`, or another hub's text; "" if it gave none. */
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super("closed", reason === "" ? "The hub closed the connection" : `The hub closed the connection: ${reason}`, options);
  }
}

/** There is no connection, and none is being made. Codes `notConnected` and `disconnected`. */
export class NotConnectedError extends DAError {
  override readonly name = "NotConnectedError";
  constructor(code: "notConnected" | "disconnected", message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** The caller's AbortSignal was raised. Code `aborted`. */
export class AbortedError extends DAError {
  override readonly name = "AbortedError";
  constructor(options?: { cause?: unknown }) {
    super("aborted", "The call was aborted", options);
  }
}

/** The hub could not be reached, or the connection was lost; it is tried again. Code `unreachable`. */
export class UnreachableError extends DAError {
  override readonly name = "UnreachableError";
  constructor(message: string, options?: { cause?: unknown }) {
    super("unreachable", message, options);
  }
}

/** The hub has answered a call with an error. Code `hub`, or `unsupported` if it does not know the method. */
export class HubError extends DAError {
  override readonly name = "HubError";
  constructor(code: "hub" | "unsupported", message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** The text of anything that was thrown, without what could be a token. */
export function textOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : typeof thrown === "string" ? thrown : "unknown error";
  return withoutTokens(text).slice(0, 500);
}

/** A text without tokens: those of addresses and headers, and whatever looks like a JWT. */
export function withoutTokens(text: string): string {
  return text
    .replace(/(access_token=|bearer\s+)[^\s&"']+/gi, "$1…")
    .replace(/\b[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g, "…");
}

/** An error as plain values, for other tabs. */
export interface PlainError {
  code: DAErrorCode;
  message: string;
  reason?: string;
  expiredAt?: number;
}

/** An error of this library as plain values. */
export function plainOf(error: unknown): PlainError {
  if (!(error instanceof DAError)) return { code: "hub", message: textOf(error) };
  const { code, message } = error;
  if (error instanceof ClosedError) return { code, message, reason: error.reason };
  if (error instanceof TokenExpiredError) return { code, message, expiredAt: error.expiredAt.getTime() };
  return { code, message };
}

/** The error that plain values were made of. */
export function errorOf({ code, message, reason, expiredAt }: PlainError): DAError {
  switch (code) {
    case "invalidArgument":
      return new InvalidArgumentError(message);
    case "invalidUrl":
    case "notFound":
      return new AddressError(code, message);
    case "unauthorized":
    case "forbidden":
      return new UnauthorizedError(code, message);
    case "tokenExpired":
      return new TokenExpiredError(new Date(expiredAt ?? 0));
    case "tokenUnavailable":
      return new TokenUnavailableError(message);
    case "closed":
      return new ClosedError(reason ?? "");
    case "notConnected":
    case "disconnected":
      return new NotConnectedError(code, message);
    case "aborted":
      return new AbortedError();
    case "unreachable":
      return new UnreachableError(message);
    case "hub":
    case "unsupported":
      return new HubError(code, message);
  }
}
