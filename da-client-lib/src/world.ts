/** A reason to look at the connection now. */
export type Nudge = "online" | "offline" | "visible" | "wake";

/** Time, chance and the machine, so that tests need none of them. */
export interface World {
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
  /** Calls back once after so many milliseconds; the result calls it off. */
  after(ms: number, call: () => void): () => void;
  /** Tells of nudges until the result is called. */
  watch(tell: (nudge: Nudge) => void): () => void;
}

/** How often the clock is looked at, and how late a look must be to mean that the machine slept, in milliseconds. */
const tick = 2000;
const late = 6000;

/** The machine that this runs on: a browser's window, a worker, or Node. */
export function realWorld(): World {
  const world: World = {
    now: () => Date.now(),
    random: () => Math.random(),
    after(ms, call) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
    watch(tell) {
      const stops = [watchClock(world, () => tell("wake"))];
      const listen = (target: EventTarget | undefined, name: string, call: () => void): void => {
        if (typeof target?.addEventListener !== "function") return;
        target.addEventListener(name, call);
        stops.push(() => target.removeEventListener(name, call));
      };
      const { window, document } = globalThis as { window?: Window; document?: Document };
      const anywhere = window ?? (globalThis as Partial<EventTarget> as EventTarget);
      listen(anywhere, "online", () => tell("online"));
      listen(anywhere, "offline", () => tell("offline"));
      listen(window, "pageshow", () => tell("wake"));
      listen(document, "resume", () => tell("wake"));
      listen(document, "visibilitychange", () => {
        if (document?.visibilityState === "visible") tell("visible");
      });
      return () => stops.forEach((stop) => stop());
    },
  };
  return world;
}

/** Tells when the clock has gone on while nothing ran: the machine slept, or the page was frozen. */
function watchClock(world: World, woke: () => void): () => void {
  let seen = world.now();
  const timer = setInterval(() => {
    const now = world.now();
    if (now - seen > tick + late) woke();
    seen = now;
  }, tick);
  return () => clearInterval(timer);
}
