import { OverflowError } from "./errors.js";

/** Options of DAService.Messages. */
export interface MessagesOptions {
  /** Ends the loop. */
  signal?: AbortSignal;
  /** How many messages may wait for the loop before it fails with an OverflowError. Default: 10000. */
  limit?: number;
}

/** Where a stream takes its items from: add begins, the returned function ends. */
export type Source<T> = (push: (item: T) => void, end: (error?: Error) => void) => () => void;

/** Items as they come, for a loop. Nothing is taken before the first next(). */
export async function* stream<T>(source: Source<T>, { signal, limit = 10_000 }: MessagesOptions = {}): AsyncGenerator<T, void, undefined> {
  const waiting: T[] = [];
  let ended: { error?: Error | undefined } | undefined;
  let wake: () => void = () => undefined;
  const end = (error?: Error) => {
    ended ??= { error };
    wake();
  };
  const stop = source((item) => {
    if (ended) return;
    if (waiting.length >= limit) return end(new OverflowError(limit));
    waiting.push(item);
    wake();
  }, end);
  const aborted = () => end();
  signal?.addEventListener("abort", aborted, { once: true });
  try {
    if (signal?.aborted) return;
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!;
      if (ended) break;
      await new Promise<void>((resolve) => (wake = resolve));
    }
    if (ended.error) throw ended.error;
  } finally {
    stop();
    signal?.removeEventListener("abort", aborted);
  }
}
