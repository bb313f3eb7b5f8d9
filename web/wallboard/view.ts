import { AgentTile, nameOf } from "./agent-view.ts";
import type { Agent } from "./agent.ts";
import { byId, Keyed, setAttribute } from "./dom.ts";
import { Header, Notices } from "./header-view.ts";
import type { Board, CallLine } from "./model.ts";
import { QueueCard } from "./queue-view.ts";
import type { Queue } from "./queue.ts";
import { TickerLine } from "./ticker-view.ts";

/** The whole page but for the sign-in form. It reads the board and changes nothing in it. */
export class View {
  private readonly header = new Header();
  private readonly notices = new Notices();
  private readonly queues: Keyed<Queue, QueueCard>;
  private readonly agents: Keyed<Agent, AgentTile>;
  private readonly ticker: Keyed<CallLine, TickerLine>;

  constructor(private readonly board: Board) {
    const queues = byId("queues");
    const agents = byId("agents");
    queues.style.setProperty("--columns", String(columns(board.queues.size)));
    setAttribute(agents, "data-density", density(board.agents.size));
    setAttribute(byId("queue-section"), "hidden", board.queues.size === 0 ? "" : null);
    setAttribute(byId("agent-section"), "hidden", board.agents.size === 0 ? "" : null);
    setAttribute(byId("ticker-section"), "hidden", board.queues.size === 0 ? "" : null);
    this.queues = new Keyed(queues, (q) => q.id, (q) => new QueueCard(q));
    this.agents = new Keyed(agents, (a) => a.id, (a) => new AgentTile(a));
    this.ticker = new Keyed(byId("ticker"), (l) => String(l.n), (l) => new TickerLine(l, board));
  }

  render(now: number): void {
    const b = this.board;
    this.header.render(b, now);
    this.notices.render(b, now);
    this.queues.update([...b.queues.values()], (card, q) => card.render(q, b, now));
    this.agents.update([...b.agents.values()].sort(byName), (tile, a) => tile.render(a, b, now));
    this.ticker.update(b.calls, () => undefined);
  }
}

/** People look for themselves in one place: by name, those without one last. */
function byName(a: Agent, b: Agent): number {
  const [x, y] = [nameOf(a), nameOf(b)];
  if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
  return x.localeCompare(y);
}

/** Columns of queue cards on a wide screen: rows as equal as can be, six at most in one. */
export function columns(queues: number): number {
  if (queues <= 4) return Math.max(1, queues);
  const rows = Math.max(2, Math.ceil(queues / 6));
  return Math.ceil(queues / rows);
}

/** How tightly the agents' tiles are set. */
export function density(agents: number): "roomy" | "wide" | "close" | "dense" {
  if (agents <= 24) return "roomy";
  return agents <= 48 ? "wide" : agents <= 84 ? "close" : "dense";
}
