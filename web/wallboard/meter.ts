/** Counts events in the last minute, in buckets of one second. */
export class Meter {
  private readonly buckets = new Array<number>(60).fill(0);
  private second = 0;
  private begun = false;

  /** Counts one event; now in milliseconds. */
  count(now: number): void {
    this.advance(now);
    this.begun = true;
    const at = this.second % 60;
    this.buckets[at] = (this.buckets[at] ?? 0) + 1;
  }

  /** Events in the last minute; null before the first one. */
  lastMinute(now: number): number | null {
    if (!this.begun) return null;
    this.advance(now);
    return this.buckets.reduce((a, b) => a + b, 0);
  }

  private advance(now: number): void {
    const second = Math.floor(now / 1000);
    const from = Math.max(this.second, second - 60);
    for (let s = from + 1; s <= second; s++) this.buckets[s % 60] = 0;
    this.second = Math.max(this.second, second);
  }
}

/**
 * How far this machine's clock is ahead of the producers', in milliseconds: a
 * countdown to a producer's date must not be wrong because the screen's clock
 * is. The smallest difference seen is that of the fastest message.
 */
export class Skew {
  private least: number | null = null;

  /** Notes an event that happened at time and came at now. */
  note(time: number, now: number): void {
    const late = now - time;
    if (this.least === null || late < this.least) this.least = late;
  }

  /** Forgets: after a pause either clock may have been set. */
  reset(): void {
    this.least = null;
  }

  /** The producers' time when it is now here. */
  there(now: number): number {
    return now - (this.least ?? 0);
  }
}
