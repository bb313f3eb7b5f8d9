import { AbortedError, DAError } from "./errors.ts";
import type { Link } from "./link.ts";

/** A call to the hub that outlives connections: it is made again until it is answered. */
export interface Call {
  readonly method: string;
  /** The arguments, asked for whenever the call is made. */
  args(): unknown[];
  /** Turns the hub's answer into the caller's. */
  answer(result: unknown): unknown;
  /** The call is not made any more, and its answer is not known. */
  dropped?(): void;
}

interface Waiting {
  call: Call;
  sent: boolean;
  resolve(value: unknown): void;
  reject(error: DAError): void;
}

/**
 * Calls that are not answered, in order. All go out at once: the hub works
 * through them one after the other, on whichever connection there is.
 */
export class Calls {
  private readonly waiting = new Set<Waiting>();
  private link: Link | null = null;

  /** Makes a call, now or on the next connection. */
  make(call: Call, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        call.dropped?.();
        reject(new AbortedError({ cause: signal.reason }));
        return;
      }
      const abort = (): void => {
        if (!this.waiting.delete(waiting)) return;
        call.dropped?.();
        reject(new AbortedError({ cause: signal?.reason }));
      };
      const end = (): void => signal?.removeEventListener("abort", abort);
      const waiting: Waiting = {
        call,
        sent: false,
        resolve: (value) => (end(), resolve(value)),
        reject: (error) => (end(), reject(error)),
      };
      signal?.addEventListener("abort", abort);
      this.waiting.add(waiting);
      if (this.link !== null) this.send(waiting, this.link);
    });
  }

  /** A connection stands: whatever is not answered goes out on it. */
  flow(link: Link): void {
    this.link = link;
    for (const waiting of this.waiting) this.send(waiting, link);
  }

  /** The connection is lost: calls wait for the next one. */
  hold(): void {
    this.link = null;
    for (const waiting of this.waiting) waiting.sent = false;
  }

  /** Ends all calls. */
  fail(error: DAError): void {
    for (const waiting of this.waiting) {
      waiting.call.dropped?.();
      waiting.reject(error);
    }
    this.waiting.clear();
  }

  private send(waiting: Waiting, link: Link): void {
    if (waiting.sent) return;
    waiting.sent = true;
    link.invoke(waiting.call.method, ...waiting.call.args()).then(
      (result) => {
        if (this.link !== link || !this.waiting.delete(waiting)) return;
        try {
          waiting.resolve(waiting.call.answer(result));
        } catch (error) {
          waiting.reject(error as DAError);
        }
      },
      (error: DAError) => {
        if (error.code === "unreachable" || this.link !== link || !this.waiting.delete(waiting)) return;
        waiting.call.dropped?.();
        waiting.reject(error);
      },
    );
  }
}
