import { isRecord } from "./events.ts";

/** A queue's day as the hub counts it. Times in seconds; null where nothing can be said. */
export interface Day {
  offered: number;
  answered: number;
  abandoned: number;
  /** Share, 0 to 1, of the calls answered or abandoned that were answered within the threshold. */
  serviceLevel: number | null;
  threshold: number | null;
  averageAnswerTime: number | null;
  longestWait: number;
}

/** A queue of which nothing was counted yet. */
export const emptyDay: Day = {
  offered: 0,
  answered: 0,
  abandoned: 0,
  serviceLevel: null,
  threshold: null,
  averageAnswerTime: null,
  longestWait: 0,
};

/** Reads the answer of /api/v1/figures, by queue; null if it is something else. */
export function readDays(body: unknown): Map<string, Day> | null {
  if (!Array.isArray(body)) return null;
  const days = new Map<string, Day>();
  for (const d of body.filter(isRecord)) {
    const id = d["queueId"];
    if (typeof id !== "string") continue;
    const n = (name: string): number | null => {
      const v = d[name];
      return typeof v === "number" && Number.isFinite(v) ? v : null;
    };
    days.set(id.toLowerCase(), {
      offered: n("offered") ?? 0,
      answered: n("answered") ?? 0,
      abandoned: n("abandoned") ?? 0,
      serviceLevel: n("serviceLevel"),
      threshold: n("threshold"),
      averageAnswerTime: n("averageAnswerTime"),
      longestWait: n("longestWait") ?? 0,
    });
  }
  return days;
}

/** The figures change every 15 seconds at most. */
export const dayPause = 15_000;

/** After so many milliseconds without an answer what is shown is old. */
export const dayOld = 60_000;

/** What is used of an answer of fetch. */
export interface Reply {
  status: number;
  json(): Promise<unknown>;
}

/** Asks for the figures of the day again and again, until it is stopped or refused. */
export class Days {
  private stopped = false;

  constructor(
    private readonly ask: () => Promise<Reply>,
    private readonly tell: (days: Map<string, Day>) => void,
    private readonly world: { random(): number; wait(ms: number): Promise<void> },
  ) {}

  async run(): Promise<void> {
    while (!this.stopped) {
      try {
        const reply = await this.ask();
        // The hub says of the token what there is to say.
        if (reply.status === 401 || reply.status === 403) return;
        const days = reply.status === 200 ? readDays(await reply.json()) : null;
        if (days !== null && !this.stopped) this.tell(days);
      } catch {
        // The hub is away, and the connection tells so. What is shown grows old.
      }
      // Not all boards at one moment.
      await this.world.wait(dayPause * (0.8 + 0.4 * this.world.random()));
    }
  }

  stop(): void {
    this.stopped = true;
  }
}
