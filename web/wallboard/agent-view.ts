import { absence, stateOf, stateText, type Agent } from "./agent.ts";
import { el, setAttribute, setText, setValue } from "./dom.ts";
import { duration, personName, shortId } from "./format.ts";
import type { Board } from "./model.ts";

/** One agent's tile. */
export class AgentTile {
  readonly root: HTMLElement;
  private readonly name = el("span", { class: "agent-name" });
  private readonly state = el("span", { class: "agent-state" });
  private readonly timer = el("span", { class: "agent-timer" });
  private readonly note = el("span", { class: "agent-note" });
  private readonly end = el("span");

  constructor(a: Agent) {
    this.root = el(
      "li",
      { class: "agent", id: "agent-" + a.id, "data-testid": "agent", "data-agent-id": a.id },
      this.name,
      el("span", { class: "agent-doing" }, this.state, this.timer),
      el("span", { class: "agent-detail" }, this.note, this.end),
    );
  }

  render(a: Agent, board: Board, now: number): void {
    const state = stateOf(a);
    setAttribute(this.root, "data-state", state);
    setAttribute(this.root, "data-availability", a.availability?.code ?? null);
    setAttribute(this.root, "data-old", board.isOld(a.receivedAt, now) ? "" : null);
    setAttribute(this.root, "aria-busy", state === "unknown" && a.refused === null ? "true" : null);
    const name = nameOf(a);
    setValue(this.name, name);
    setAttribute(this.root, "title", a.userName);
    setValue(this.state, a.refused ?? (state === "unknown" ? null : stateText(a)));
    setText(this.timer, timer(a, board, now));
    const { note, end } = detail(a, board, now);
    setText(this.note, note);
    setText(this.end, end);
  }
}

/** The name on the tile; the id's beginning where a name will not come; null while it may. */
export function nameOf(a: Agent): string | null {
  if (a.userName !== null) return personName(a.userName);
  return a.status !== null || a.refused !== null ? shortId(a.id) : null;
}

function timer(a: Agent, board: Board, now: number): string {
  switch (stateOf(a)) {
    case "talking":
      return a.talkingSince === null ? "" : duration((now - a.talkingSince) / 1000);
    case "wrapup": {
      const end = a.status?.wrapUpEnd ?? null;
      return end === null || !Number.isFinite(end) ? "" : duration(Math.ceil((end - board.skew.there(now)) / 1000));
    }
    case "unknown":
    case "free":
    case "ringing":
    case "away":
      return "";
  }
}

/** The queue of the call at hand, or why and until when somebody is away. */
function detail(a: Agent, board: Board, now: number): { note: string; end: string } {
  const state = stateOf(a);
  const atHand = state === "ringing" || state === "talking";
  if (atHand && a.call !== null && a.call.answered === (state === "talking")) {
    return { note: board.queues.get(a.call.queue)?.name ?? "", end: "" };
  }
  return absence(a, board.skew.there(now));
}
