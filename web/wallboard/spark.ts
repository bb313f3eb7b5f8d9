import type { Sample } from "./queue.ts";

/** The lines of a sparkline, as SVG path data. */
export interface Spark {
  line: string;
  area: string;
}

/**
 * Draws waiting calls over a span of time as steps, newest at the right. What
 * was before the first sample is not known and stays empty. The scale reaches
 * to the largest sample, at least to 4, so that one call looks like one call.
 */
export function spark(history: readonly Sample[], now: number, span: number, width: number, height: number): Spark {
  const first = history[0];
  if (first === undefined) return { line: "", area: "" };
  const begin = now - span;
  const top = Math.max(4, ...history.map((s) => s.waiting));
  const x = (at: number): string => fixed(((Math.min(Math.max(at, begin), now) - begin) / span) * width);
  // Half a pixel inside, so that the line is not cut at the edges.
  const y = (waiting: number): string => fixed(height - 1 - (waiting / top) * (height - 2));
  let line = `M${x(first.at)} ${y(first.waiting)}`;
  for (const s of history.slice(1)) line += `H${x(s.at)}V${y(s.waiting)}`;
  line += `H${fixed(width)}`;
  return { line, area: `${line}V${height}H${x(first.at)}Z` };
}

function fixed(n: number): string {
  return String(Math.round(n * 10) / 10);
}
