import { el } from "./dom.ts";
import { clock, maskNumber, personName, shortId } from "./format.ts";
import type { Board, CallLine } from "./model.ts";

/** A line of the ticker. What it says never changes, so it is written once. */
export class TickerLine {
  readonly root: HTMLElement;

  constructor(line: CallLine, board: Board) {
    const [kind, text] = story(line, board);
    this.root = el(
      "li",
      { "data-testid": "ticker-line", "data-kind": kind },
      el("time", {}, clock(line.at)),
      el("strong", {}, line.queueName ?? board.queues.get(line.queue)?.name ?? shortId(line.queue)),
      el("span", {}, text),
    );
  }
}

type Kind = "in" | "ring" | "talk" | "on" | "end";

/** What happened, in words; telephone numbers are masked. */
function story(line: CallLine, board: Board): [Kind, string] {
  const caller = maskNumber(line.caller);
  const who = person(line, board);
  switch (line.event) {
    case "QueueCallInComing":
      return ["in", `Call from ${caller}`];
    case "QueueCallInArrived":
      return ["in", `${caller} is in the queue`];
    case "QueueCallInUserAllocated":
      return ["ring", `Rings at ${who}`];
    case "QueueCallInUserCancelled":
      return ["ring", `${who} did not answer`];
    case "QueueCallInUserConnected":
      return ["talk", `${who} answered ${caller}`];
    case "QueueCallInOverflow":
      return ["on", `${caller} goes on to another target`];
    case "QueueCallInTransferStarted":
      return ["on", `${caller} is being forwarded`];
    case "QueueCallInTransferConnected":
      return ["on", `${caller} was forwarded`];
    case "QueueCallInTransferCancelled":
      return ["on", `Forwarding ${caller} did not work`];
    case "QueueCallInDisconnected":
      return ["end", `Call from ${caller} ended`];
  }
}

function person(line: CallLine, board: Board): string {
  const name = line.userName ?? (line.user === null ? null : (board.agents.get(line.user)?.userName ?? null));
  if (name !== null) return personName(name);
  return line.user === null ? "an agent" : shortId(line.user);
}
