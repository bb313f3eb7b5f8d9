/** So many items go in one call: below the 32 KiB that a hub of ASP.NET Core takes by default. */
const itemsPerCall = 200;

/** A copy of a list that an app has given, or a TypeError. */
export function listOf<T>(list: readonly T[], method: string): readonly T[] {
  if (!Array.isArray(list)) throw new TypeError(`${method}: a list of {EntityId, EventName} is expected`);
  return [...(list as T[])];
}

/** A list in pieces that go in one call each. */
export function* parts<T>(list: readonly T[]): Generator<T[]> {
  for (let i = 0; i < list.length; i += itemsPerCall) yield list.slice(i, i + itemsPerCall);
}

/** The promise, or the signal's reason if that comes first. */
export async function within<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  promise.catch(() => undefined);
  signal.throwIfAborted();
  let aborted: () => void = () => undefined;
  const abort = new Promise<never>((_, reject) => {
    aborted = () => reject(signal.reason);
    signal.addEventListener("abort", aborted, { once: true });
  });
  return Promise.race([promise, abort]).finally(() => signal.removeEventListener("abort", aborted));
}
