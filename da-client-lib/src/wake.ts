/** How often the clock is looked at, and how far it must have jumped to have slept. */
const tick = 5_000;
const slept = 15_000;

/**
 * Calls back when connecting may go well again, or a connection may be dead
 * without a word: the network is back, the page is seen again, or the machine
 * has slept. Returns what ends that.
 */
export function onWake(call: () => void): () => void {
  let last = Date.now();
  const timer: unknown = setInterval(() => {
    const now = Date.now();
    const gap = now - last;
    last = now;
    if (gap > slept) call();
  }, tick);
  // Node is not kept running by a look at the clock.
  (timer as { unref?: () => void }).unref?.();

  const visible = () => {
    if (document.visibilityState === "visible") call();
  };
  const page = typeof document === "object" && typeof document.addEventListener === "function";
  const events = typeof globalThis.addEventListener === "function";
  if (events) globalThis.addEventListener("online", call);
  if (page) document.addEventListener("visibilitychange", visible);
  return () => {
    clearInterval(timer as ReturnType<typeof setInterval>);
    if (events) globalThis.removeEventListener("online", call);
    if (page) document.removeEventListener("visibilitychange", visible);
  };
}
