import { BadUrlError } from "./errors.js";

/**
 * The hub's address, whole. The REST API gives it without a scheme
 * ("host:port/rte"): then it is the page's own, else https, but for loopback.
 */
export function hubUrl(text: unknown, page: string | undefined = globalThis.location?.href): string {
  if (typeof text !== "string" || text.trim() === "") throw new BadUrlError("The hub's address is missing.");
  const given = text.trim();
  let whole = given;
  if (/^wss?:\/\//i.test(given)) whole = given.replace(/^ws/i, "http");
  else if (given.startsWith("//")) whole = scheme(given.slice(2), page) + given;
  else if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(given) && !given.startsWith("/")) whole = `${scheme(given, page)}//${given}`;
  let url: URL;
  try {
    url = page !== undefined && /^https?:/i.test(page) ? new URL(whole, page) : new URL(whole);
  } catch (error) {
    throw new BadUrlError(`No address of a hub: ${JSON.stringify(given.slice(0, 200))}`, error);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new BadUrlError(`The hub's address must be http or https, not ${url.protocol.slice(0, -1)}.`);
  }
  url.hash = "";
  return url.href;
}

function scheme(host: string, page: string | undefined): string {
  const its = /^https?:/i.exec(page ?? "");
  if (its) return its[0].toLowerCase();
  return /^(localhost|127(\.\d+){3}|\[::1\])(?=[:/]|$)/i.test(host) ? "http:" : "https:";
}
