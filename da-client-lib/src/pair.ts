/**
 * A pair's key: equal for all spellings of one Guid and one event name. An id
 * that is no Guid, as other hubs may have, counts as it is but for its case.
 */
export function keyOf(entityId: unknown, eventName: unknown): string {
  const text = String(entityId).trim().toLowerCase();
  const digits = text.replace(/[-{}()]/g, "");
  return `${/^[0-9a-f]{32}$/.test(digits) ? digits : text}|${String(eventName).toLowerCase()}`;
}

/**
 * Events of which only the newest value counts ("Semantics: state" in the
 * catalogue), in lower case.
 */
export const stateEvents: ReadonlySet<string> = new Set([
  "useravailability",
  "userstatus",
  "queueattachedusers",
  "queuestatus",
  "callbackliststatus",
]);
