import { byId, el, setAttribute, setText, setValue } from "./dom.ts";
import { eventName } from "./events.ts";
import { clock, duration } from "./format.ts";
import type { Board, Shown } from "./model.ts";

/** The line on top: sums, connection, rate and clock. */
export class Header {
  private readonly connection = byId("connection");
  private readonly connectionText = byId("connection-text");
  private readonly rate = byId("rate");
  private readonly clock = byId("clock");
  private readonly sums = byId("totals");
  private readonly totals = {
    waiting: byId("total-waiting"),
    wait: byId("total-wait"),
    talking: byId("total-talking"),
    free: byId("total-free"),
    away: byId("total-away"),
  };

  render(board: Board, now: number): void {
    const shown = board.shown(now);
    setAttribute(this.connection, "data-state", shown);
    setAttribute(this.connection, "title", "problem" in board.connection ? board.connection.problem : null);
    setText(this.connectionText, connectionText(shown, board));
    const rate = board.meter.lastMinute(now);
    setValue(this.rate, rate === null ? null : rate.toLocaleString());
    setText(this.clock, clock(now));
    const t = board.totals(now);
    setAttribute(this.sums, "data-old", shown === "stale" ? "" : null);
    const title = t.waiting !== null && t.waiting > 0 ? `(${t.waiting}) Wallboard` : "Wallboard";
    if (document.title !== title) document.title = title;
    setValue(this.totals.waiting, numeral(t.waiting));
    setValue(this.totals.wait, t.longestWait === null ? null : duration(t.longestWait));
    setValue(this.totals.talking, numeral(t.agents === null ? null : t.agents.talking));
    setValue(this.totals.free, numeral(t.agents === null ? null : t.agents.free));
    setValue(this.totals.away, numeral(t.agents === null ? null : t.agents.away));
  }
}

function numeral(n: number | null): string | null {
  return n === null ? null : String(n);
}

function connectionText(shown: Shown, board: Board): string {
  const since = clock(board.connection.since);
  switch (shown) {
    case "connecting":
      return board.connection.kind === "connecting" && board.connection.problem !== "" ? `No connection since ${since}` : "Connecting";
    case "live":
      return "Live";
    case "reconnecting":
      return `Reconnecting since ${since}`;
    case "stale":
      return `Stale since ${since}`;
    case "refused":
      return "Token refused";
  }
}

/** How long before a token's end the page begins to speak of it, in milliseconds. */
const expiryNotice = 10 * 60_000;

/** Lines between header and board: what a person should know or do. */
export class Notices {
  private readonly root = byId("notices");
  private shown = "";

  render(board: Board, now: number): void {
    const texts = [...this.expiry(board, now), ...this.empty(board)];
    const refusals = board.refusals.map((r) => `${eventName(r.event) ?? r.event} of ${nameOf(board, r.entity)}: ${r.message}`);
    const key = JSON.stringify([texts, refusals]);
    if (key === this.shown) return;
    this.shown = key;
    const lines: Node[] = texts.map((t) => el("p", { "data-testid": "notice" }, t));
    if (refusals.length > 0) {
      // Names that arrive later write the list anew; it stays open then.
      const open = this.root.querySelector("details")?.open === true;
      lines.push(
        el(
          "details",
          { "data-testid": "refusals", ...(open ? { open: "" } : {}) },
          el("summary", {}, `The hub refused ${refusals.length} of ${board.asked} subscriptions`),
          el("ul", {}, ...refusals.map((r) => el("li", { "data-testid": "refusal" }, r))),
        ),
      );
    }
    this.root.replaceChildren(...lines);
  }

  private expiry(board: Board, now: number): string[] {
    const end = board.claims.expires;
    if (end === null || board.connection.kind === "refused" || end - now > expiryNotice) return [];
    return end > now
      ? [`The token ends at ${clock(end)}. The board stays live, but cannot connect again after that without a new one.`]
      : [`The token has ended. The board stays live until the connection breaks; it then needs a new one.`];
  }

  private empty(board: Board): string[] {
    return board.queues.size + board.agents.size === 0 ? ["This token names no queues and no users, so there is nothing to show."] : [];
  }
}

function nameOf(board: Board, entity: string): string {
  return board.queues.get(entity)?.name ?? board.agents.get(entity)?.userName ?? entity;
}
