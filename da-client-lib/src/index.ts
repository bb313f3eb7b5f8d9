/**
 * DAClientLib: events of RTE in browsers and Node.
 *
 * @packageDocumentation
 */
export { DAService, type CallOptions } from "./service.js";
export {
  BadUrlError, ClosedError, DAError, ForbiddenError, MessagePackMissingError, NotConnectedError, OverflowError, RejectedError, TokenExpiredError,
  UnauthorizedError, type ErrorCode,
} from "./errors.js";
export { FetchRteToken, type RteToken, type Token } from "./token.js";
export type { Listenable } from "./signal.js";
export type { MessagesOptions } from "./stream.js";
export type { MessagePackClass } from "./signalr.js";
export type {
  ActiveSubscription, ConnectionState, ConnectionStateChange, DataMessage, Explanation, Message, Notice, Options, SubscriptionItem, SubscriptionResult,
} from "./types.js";
export * from "./events.gen.js";
