// The product page's samples of the client library.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A file of samples/ as text. */
export const read = (name) => readFileSync(fileURLToPath(new URL(`samples/${name}`, import.meta.url)), "utf8");

/** The samples, by file. */
export const scripts = [
  "construct.js", "connect.js", "subscribe.js", "on-subscription-data-changed.js", "get-active-subscriptions.js", "unsubscribe.js", "unsubscribe-all.js",
  "get-available-subscription-events.js",
]; // prettier-ignore

/**
 * A sample as a script. The page's sample of Connect is no JavaScript: it
 * lacks the semicolon before else. That one is added; everything else stays.
 */
export function script(name) {
  const text = read(name);
  if (name !== "connect.js") return text;
  const repaired = text.replace('console.log("connected") else', 'console.log("connected"); else');
  if (repaired === text) throw new Error("the sample of Connect is another one");
  return repaired;
}
