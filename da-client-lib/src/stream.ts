import { AbortedError } from "./errors.ts";

/** Values as they come, for one `for await`: they wait until they are taken. */
export class Stream<T> implements AsyncIterableIterator<T, void, undefined> {
  private readonly values: T[] = [];
  private readonly takers: { resolve(result: IteratorResult<T, void>): void; reject(error: unknown): void }[] = [];
  private ended = false;
  private error: unknown = undefined;

  /** closed is called once, when nobody wants values any more. */
  constructor(
    private readonly closed: (stream: Stream<T>) => void,
    signal?: AbortSignal,
  ) {
    if (signal?.aborted) this.end(new AbortedError({ cause: signal.reason }));
    else signal?.addEventListener("abort", () => this.end(new AbortedError({ cause: signal.reason })), { once: true });
  }

  push(value: T): void {
    if (this.ended) return;
    const taker = this.takers.shift();
    if (taker) taker.resolve({ done: false, value });
    else this.values.push(value);
  }

  /** No more values; what waits can still be taken, then the error, if there is one, is thrown once. */
  end(error?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.error = error;
    this.closed(this);
    for (const taker of this.takers.splice(0)) this.last(taker);
  }

  next(): Promise<IteratorResult<T, void>> {
    return new Promise((resolve, reject) => {
      if (this.values.length > 0) resolve({ done: false, value: this.values.shift()! });
      else if (this.ended) this.last({ resolve, reject });
      else this.takers.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<T, void>> {
    this.values.length = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private last({ resolve, reject }: { resolve(result: IteratorResult<T, void>): void; reject(error: unknown): void }): void {
    const { error } = this;
    this.error = undefined;
    if (error !== undefined) reject(error);
    else resolve({ done: true, value: undefined });
  }
}
