import { el, setAttribute, setText, setValue, svg } from "./dom.ts";
import { duration, percent, shortId } from "./format.ts";
import type { Board } from "./model.ts";
import { historySpan, isDayOld, longestWait, opening, urgency, type Queue } from "./queue.ts";
import { spark } from "./spark.ts";

/** The sparkline's own measure; the card stretches it. */
const sparkWidth = 240;
const sparkHeight = 48;

/** One queue's card. */
export class QueueCard {
  readonly root: HTMLElement;
  private readonly name = el("h3", { class: "queue-name" });
  private readonly openText = el("span", { "data-testid": "queue-open" });
  private readonly open = el("span", { class: "open" }, this.openText);
  private readonly waitingLabel = el("dt");
  private readonly waitLabel = el("dt");
  private readonly waiting = el("dd", { "data-testid": "queue-waiting", class: "big" });
  private readonly wait = el("dd", { "data-testid": "queue-longest-wait", class: "big" });
  private readonly line = svg("path", { class: "spark-line", fill: "none" });
  private readonly area = svg("path", { class: "spark-area" });
  private readonly figures: Record<"talking" | "free" | "serving" | "checkedIn", HTMLElement>;
  private readonly day: Record<"offered" | "answered" | "abandoned" | "level" | "average" | "longest", HTMLElement>;
  private readonly dayList: HTMLElement;
  private readonly levelLabel = el("dt", {}, "In time");
  private readonly refused = el("p", { class: "refused" });

  constructor(q: Queue) {
    const figure = (testid: string): HTMLElement => el("dd", { "data-testid": testid });
    this.figures = {
      talking: figure("queue-talking"),
      free: figure("queue-free"),
      serving: figure("queue-serving"),
      checkedIn: figure("queue-checked-in"),
    };
    const pair = (label: string | HTMLElement, value: HTMLElement): HTMLElement =>
      el("div", {}, typeof label === "string" ? el("dt", {}, label) : label, value);
    this.day = {
      offered: figure("day-offered"),
      answered: figure("day-answered"),
      abandoned: figure("day-abandoned"),
      level: figure("day-level"),
      average: figure("day-average"),
      longest: figure("day-longest"),
    };
    this.dayList = el(
      "dl",
      { class: "figures day", "data-testid": "queue-day", "aria-label": "Today" },
      pair("Today", this.day.offered),
      pair("Answered", this.day.answered),
      pair("Given up", this.day.abandoned),
      pair(this.levelLabel, this.day.level),
      pair("Average", this.day.average),
      pair("Longest", this.day.longest),
    );
    const drawing = svg(
      "svg",
      { class: "spark", viewBox: `0 0 ${sparkWidth} ${sparkHeight}`, preserveAspectRatio: "none", role: "img" },
      this.area,
      this.line,
    );
    drawing.setAttribute("aria-label", "Waiting calls over the last ten minutes");
    this.root = el(
      "article",
      { class: "queue", id: "queue-" + q.id, "data-testid": "queue", "data-queue-id": q.id, "aria-labelledby": "queue-name-" + q.id },
      el("header", {}, this.name, this.open),
      el(
        "dl",
        { class: "main" },
        el("div", {}, this.waitingLabel, this.waiting),
        el("div", {}, this.waitLabel, this.wait),
      ),
      drawing,
      el(
        "dl",
        { class: "figures" },
        pair("Talking", this.figures.talking),
        pair("Free", this.figures.free),
        pair("Serving", this.figures.serving),
        pair("Checked in", this.figures.checkedIn),
      ),
      this.dayList,
      this.refused,
    );
    this.name.id = "queue-name-" + q.id;
  }

  render(q: Queue, board: Board, now: number): void {
    const c = q.counters;
    const u = urgency(q, now);
    setAttribute(this.root, "data-level", u.level);
    setAttribute(this.root, "data-old", board.isOld(q.receivedAt, now) ? "" : null);
    setAttribute(this.root, "data-refused", q.refused === null ? null : "");
    setAttribute(this.root, "aria-busy", c === null && q.refused === null ? "true" : null);
    setValue(this.name, q.name ?? (q.refused === null ? null : shortId(q.id)));
    const how = c === null ? null : opening(c.open);
    setValue(this.openText, how === null ? null : how.text);
    setAttribute(this.open, "data-colour", how?.colour ?? null);
    setAttribute(this.open, "title", how?.text ?? null);
    // What is urgent is said in words too, not by colour alone.
    setText(this.waitingLabel, u.nobody ? "Nobody serving" : u.calls === "calm" ? "Waiting" : "Many waiting");
    setText(this.waitLabel, u.wait === "calm" ? "Longest wait" : "Long wait");
    setAttribute(this.waitingLabel, "data-level", u.nobody ? "alarm" : u.calls);
    setAttribute(this.waitLabel, "data-level", u.wait);
    setValue(this.waiting, c === null ? null : String(c.waiting));
    const wait = longestWait(q, now);
    setValue(this.wait, wait === null ? null : duration(wait));
    setAttribute(this.wait, "data-zero", wait === 0 ? "" : null);
    setAttribute(this.waiting, "data-zero", c?.waiting === 0 ? "" : null);
    setValue(this.figures.talking, c === null ? null : String(c.talking));
    setValue(this.figures.free, c === null ? null : String(c.free));
    setValue(this.figures.serving, c === null ? null : String(c.serving));
    setValue(this.figures.checkedIn, c === null ? null : String(c.checkedIn));
    this.renderDay(q, now);
    const drawn = spark(q.history, now, historySpan, sparkWidth, sparkHeight);
    setAttribute(this.line, "d", drawn.line);
    setAttribute(this.area, "d", drawn.area);
    setText(this.refused, q.refused === null ? "" : `The hub does not show this queue: ${q.refused}`);
  }

  private renderDay(q: Queue, now: number): void {
    const d = q.day;
    const value = (e: HTMLElement, text: (day: NonNullable<typeof d>) => string): void => setValue(e, d === null ? null : text(d));
    const orDash = (n: number | null, text: (n: number) => string): string => (n === null ? "–" : text(n));
    value(this.day.offered, (day) => String(day.offered));
    value(this.day.answered, (day) => String(day.answered));
    value(this.day.abandoned, (day) => String(day.abandoned));
    value(this.day.level, (day) => orDash(day.serviceLevel, percent));
    value(this.day.average, (day) => orDash(day.averageAnswerTime, duration));
    value(this.day.longest, (day) => duration(day.longestWait));
    const threshold = d?.threshold ?? null;
    setAttribute(this.levelLabel, "title", threshold === null ? null : `Answered within ${threshold} s, of those answered or given up`);
    setAttribute(this.dayList, "data-old", isDayOld(q, now) ? "" : null);
  }
}
