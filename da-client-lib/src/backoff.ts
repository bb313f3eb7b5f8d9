/** How long to wait before the next try, in milliseconds. */
export interface Delays {
  /** Upper bound of the first pause. */
  first: number;
  /** Upper bound of all pauses. */
  most: number;
}

/**
 * The pause before a try, counted from 0: any time up to a bound that doubles
 * ("full jitter"), so that many clients that lost one node do not come back in
 * one moment. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoff(tries: number, { first, most }: Delays, random: () => number): number {
  return random() * Math.min(most, first * 2 ** Math.min(tries, 30));
}
