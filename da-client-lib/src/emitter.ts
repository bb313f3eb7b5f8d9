/** A place to register handlers at. */
export interface EventSource<T> {
  /** Calls the handler for everything that comes from now on; a handler that is there already is not added twice. */
  on(handler: (value: T) => void): void;
  /** Does not call the handler any more; one that is not there is no error. */
  off(handler: (value: T) => void): void;
}

/** Handlers, and the means to call them. */
export class Emitter<T> implements EventSource<T> {
  private handlers: readonly ((value: T) => void)[] = [];

  constructor(private readonly failed: (error: unknown) => void) {
    // Bound, so that they can be handed over alone.
    this.on = this.on.bind(this);
    this.off = this.off.bind(this);
  }

  on(handler: (value: T) => void): void {
    if (!this.handlers.includes(handler)) this.handlers = [...this.handlers, handler];
  }

  off(handler: (value: T) => void): void {
    this.handlers = this.handlers.filter((h) => h !== handler);
  }

  /** Calls the handlers in their order; what one throws does not keep the others from the value. */
  emit(value: T): void {
    for (const handler of this.handlers) {
      try {
        handler(value);
      } catch (error) {
        this.failed(error);
      }
    }
  }
}
