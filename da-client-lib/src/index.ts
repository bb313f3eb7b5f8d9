/**
 * DAClientLib: the events of a contact centre in the browser and in Node.
 *
 * @packageDocumentation
 */
export { DAService, type CallOptions, type MessageSource } from "./service.ts";
export type { DAServiceOptions, Log, MessagePackProtocol, Transport } from "./options.ts";
export type { Delays } from "./backoff.ts";
export type { EventSource } from "./emitter.ts";
export type { ConnectionState, ConnectionStateChange, Notice, NoticeKind } from "./state.ts";
export type {
  ActiveSubscription, Explanation, KnownEventName, Message, PairItem, SubscriptionItem, SubscriptionResult,
} from "./pair.ts"; // prettier-ignore
export { FetchToken, type FetchTokenOptions, type RteAccess, type TokenSource } from "./token.ts";
export {
  AbortedError, AddressError, ClosedError, DAError, type DAErrorCode, HubError, InvalidArgumentError, NotConnectedError,
  TokenExpiredError, TokenUnavailableError, UnauthorizedError, UnreachableError,
} from "./errors.ts"; // prettier-ignore
export * from "./events.gen.ts";
