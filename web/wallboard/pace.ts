/** A browser's ways to be woken up; window fits. */
export interface Wake {
  requestAnimationFrame(callback: () => void): number;
  setTimeout(callback: () => void, ms: number): unknown;
  now(): number;
}

/** The least time between two paintings, in milliseconds, however many events come. */
export const paintPause = 250;

/** Paints when something has changed, but no more than a few times a second. */
export class Pace {
  private asked = false;
  private paintedAt = -Infinity;

  constructor(
    private readonly wake: Wake,
    private readonly paint: (now: number) => void,
  ) {}

  /** Something has changed. */
  changed(): void {
    if (this.asked) return;
    this.asked = true;
    const pause = Math.max(0, this.paintedAt + paintPause - this.wake.now());
    this.wake.setTimeout(() => this.wake.requestAnimationFrame(() => this.do()), pause);
  }

  private do(): void {
    this.asked = false;
    this.paintedAt = this.wake.now();
    this.paint(this.paintedAt);
  }
}
