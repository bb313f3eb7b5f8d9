/** What a socket and an event stream have in common. */
interface Closable {
  readonly readyState: number;
  close(): void;
}

type SocketClass = new (url: string, ...rest: unknown[]) => Closable;

interface Classes {
  EventSource?: SocketClass;
  WebSocket?: SocketClass;
}

/**
 * The event streams and sockets of one connection. Microsoft's client (10.0)
 * forgets those that are not open yet when it is stopped. An EventSource then
 * tries again without end: its program never ends. And a WebSocket that gets no
 * answer keeps browsers from opening another one to the same host.
 */
export class Sources {
  private readonly made = new Set<Closable>();

  /** Takes note of what the connection of a builder opens; to be called behind build. */
  watch(builder: object): void {
    const { httpConnectionOptions: classes } = builder as { httpConnectionOptions?: Classes };
    for (const name of ["EventSource", "WebSocket"] as const) {
      const Original = classes?.[name];
      if (Original) classes[name] = this.noting(Original);
    }
  }

  /** The connection is over. What is open Microsoft's client closes in good order. */
  close(): void {
    for (const one of this.made) if (one.readyState === 0) one.close();
    this.made.clear();
  }

  private noting(Original: SocketClass): SocketClass {
    const { made } = this;
    return class extends Original {
      constructor(url: string, ...rest: unknown[]) {
        super(url, ...rest);
        made.add(this);
      }
    };
  }
}
