type EventSourceClass = new (url: string, options?: EventSourceInit) => { close(): void };

/**
 * The event streams of one connection. Microsoft's client (10.0) forgets one
 * that breaks before it is open, and an EventSource tries again without end:
 * its program never ends, and its page asks for a connection that is gone.
 */
export class Sources {
  private readonly made = new Set<{ close(): void }>();

  /** Takes note of the streams that the connection of a builder opens; to be called behind build. */
  watch(builder: object): void {
    const options = (builder as { httpConnectionOptions?: { EventSource?: EventSourceClass } }).httpConnectionOptions;
    const Original = options?.EventSource;
    if (options === undefined || !Original) return;
    const { made } = this;
    options.EventSource = class extends Original {
      constructor(url: string, init?: EventSourceInit) {
        super(url, init);
        made.add(this);
      }
    };
  }

  /** The connection is over, and its streams with it. */
  close(): void {
    for (const source of this.made) source.close();
    this.made.clear();
  }
}
