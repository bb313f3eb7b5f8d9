import { AddressError, textOf } from "./errors.ts";

/**
 * A hub's address, absolute and by HTTP; the error if it is none. Without a
 * scheme, as the REST API gives it, it is the page's own, else https but for
 * loopback.
 */
export function addressOf(rteUrl: unknown, location = (globalThis as { location?: { href: string; protocol: string } }).location): string | AddressError {
  if (typeof rteUrl !== "string" || rteUrl.trim() === "") return new AddressError("invalidUrl", "rteUrl is to be the hub's address");
  let text = rteUrl.trim().replace(/^ws(s?):\/\//i, "http$1://");
  // host:port/rte, as the REST API gives it
  const host = /^([\w.-]+|\[[\da-f:]+\])(:\d+)?(\/|$)/i.exec(text);
  if (host && (host[2] !== undefined || /[.[]|^localhost$/.test(host[1]!)) && !/^\.+$/.test(host[1]!)) {
    const plain = location === undefined ? /^(localhost|127\.[\d.]+|\[::1\])$/.test(host[1]!) : location.protocol === "http:";
    text = `${plain ? "http" : "https"}://${text}`;
  }
  try {
    const url = new URL(text, location?.href);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`not by HTTP: ${url.protocol}`);
    url.hash = "";
    return url.href;
  } catch (error) {
    return new AddressError("invalidUrl", `rteUrl is no address of a hub: ${textOf(error)}`, { cause: error });
  }
}
