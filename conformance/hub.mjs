// The conformance hub (hub/), started for tests, and what it says of itself.
import { Process } from './process.mjs';

/** One running conformance hub. */
export class Hub {
  #diary = [];

  constructor(process, { url, front, ca }) {
    Object.assign(this, { process, url, front, ca });
  }

  /** What the hub has written of its connections, in order. */
  get diary() {
    const { items } = this.process.lines; // the first has the addresses
    while (this.#diary.length < items.length - 1) this.#diary.push(JSON.parse(items[this.#diary.length + 1]));
    return this.#diary;
  }

  /** Waits for a line of the diary with these members, and returns it. */
  async wrote(members, ms) {
    const fits = (line) => Object.entries(members).every(([name, value]) => line[name] === value);
    await this.process.lines.until(() => this.diary.some(fits), `line of the diary with ${JSON.stringify(members)}`, ms);
    return this.diary.find(fits);
  }

  /**
   * Waits for the end of a connection and returns its line; a connection ends
   * once.
   */
  async ended(id, ms) {
    await this.wrote({ id, what: 'disconnected' }, ms);
    const lines = this.diary.filter((line) => line.id === id && line.what === 'disconnected');
    if (lines.length !== 1) throw new Error(`it ended ${lines.length} times: ${JSON.stringify(lines)}`);
    return lines[0];
  }

  /** Stops the hub with SIGTERM; anything but exit code 0 is an error. */
  async stop() {
    const code = await this.process.stop();
    if (code !== 0) throw new Error(`exit code ${code} after SIGTERM:\n${this.process.errors()}`);
  }
}

/** Starts the conformance hub. */
export async function startHub() {
  const process = new Process('./conformance/hub');
  const line = await process.line(() => true, 'its addresses');
  return new Hub(process, JSON.parse(line));
}
