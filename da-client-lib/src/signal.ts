/** Something that happens again and again, and those who want to hear of it. */
export interface Listenable<T> {
  /** Adds a handler. One that is added already stays once. */
  on(handler: (value: T) => void): void;
  /** Takes a handler away; one that is not there is no error. */
  off(handler: (value: T) => void): void;
}

/** @internal */
export class Signal<T> implements Listenable<T> {
  readonly #handlers = new Set<(value: T) => void>();

  // Bound, so that they may be passed on: useEffect(() => { signal.on(f); … }).
  readonly on = (handler: (value: T) => void): void => {
    if (typeof handler !== "function") throw new TypeError("on: the handler must be a function");
    this.#handlers.add(handler);
  };

  readonly off = (handler: (value: T) => void): void => {
    this.#handlers.delete(handler);
  };

  /** Calls all handlers. What one throws keeps nothing from the others. */
  emit(value: T): void {
    for (const handler of [...this.#handlers]) {
      try {
        handler(value);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** Shows an error of the app's handler where uncaught ones show, without ending anything. */
function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
