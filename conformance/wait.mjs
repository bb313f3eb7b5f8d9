// Waiting without sleeping: for what comes, with a deadline that says what
// did not come.

/** Milliseconds that anything may take that should happen at once. */
export const SOON = 15_000;

/**
 * Settles like promise, but rejects when that takes longer than ms
 * milliseconds; what names the thing waited for, as text or as a function
 * that is asked when the time is over.
 */
export async function within(promise, what, ms = SOON) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const text = typeof what === 'function' ? what() : what;
      reject(new Error(`${text}: not within ${ms} ms`));
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Everything that has come, in order, and a way to wait for more. */
export class Inbox {
  items = [];
  #waiting = new Set();

  /** Takes in one item. Bound, so that it can be handed over as a handler. */
  push = (item) => {
    this.items.push(item);
    for (const look of [...this.#waiting]) look();
  };

  /** Waits until enough(items) is true, and returns the items. */
  until(enough, what, ms = SOON) {
    let look;
    const done = new Promise((resolve, reject) => {
      look = () => {
        try {
          if (enough(this.items)) resolve(this.items);
        } catch (err) {
          reject(err);
        }
      };
      this.#waiting.add(look);
      look();
    });
    const missing = () => `${what} (${this.items.length} came, the last: ${show(this.items.at(-1))})`;
    return within(done, missing, ms).finally(() => this.#waiting.delete(look));
  }

  /** Waits for n items in all, and returns them. */
  count(n, what, ms) {
    return this.until((items) => items.length >= n, `${n} × ${what}`, ms);
  }

  /** Waits for an item that matches, and returns the first such. */
  async find(match, what, ms) {
    await this.until((items) => items.some(match), what, ms);
    return this.items.find(match);
  }
}

function show(item) {
  const text = typeof item === 'string' ? item : JSON.stringify(item);
  return text?.length > 300 ? `${text.slice(0, 300)}…` : text;
}
