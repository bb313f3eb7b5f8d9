// Built from web/wallboard by `npm run build`. Edit the sources there.
"use strict";
(() => {
  // wallboard/events.ts
  var queueEvents = [
    "QueueStatus",
    "QueueAttachedUsers",
    "QueueCallInComing",
    "QueueCallInArrived",
    "QueueCallInUserAllocated",
    "QueueCallInUserCancelled",
    "QueueCallInUserConnected",
    "QueueCallInOverflow",
    "QueueCallInTransferStarted",
    "QueueCallInTransferConnected",
    "QueueCallInTransferCancelled",
    "QueueCallInDisconnected"
  ];
  var userEvents = ["UserAvailability", "UserStatus"];
  var stateEvents = ["QueueStatus", "QueueAttachedUsers", "UserAvailability", "UserStatus"];
  var byKey = new Map([...queueEvents, ...userEvents].map((name) => [name.toLowerCase(), name]));
  function eventName(name) {
    return byKey.get(name.toLowerCase()) ?? null;
  }
  function items(queues, users) {
    const item = (EntityId, EventName) => stateEvents.includes(EventName) ? { EntityId, EventName, Snapshot: true } : { EntityId, EventName };
    return [
      ...queues.flatMap((id) => queueEvents.map((name) => item(id, name))),
      ...users.flatMap((id) => userEvents.map((name) => item(id, name)))
    ];
  }
  function answers(result) {
    if (!Array.isArray(result)) return [];
    return result.filter(isRecord).map((r) => ({
      subscribed: r["subscribed"] === true,
      message: typeof r["message"] === "string" ? r["message"] : null,
      entityId: String(r["entityId"] ?? "").toLowerCase(),
      eventName: String(r["eventName"] ?? "")
    }));
  }
  function push(message) {
    if (!isRecord(message) || !isRecord(message["subscription"]) || !isRecord(message["data"])) return null;
    const { entityId, eventName: name } = message["subscription"];
    if (typeof entityId !== "string" || typeof name !== "string") return null;
    const event = eventName(name);
    if (event === null) return null;
    const time = typeof message["time"] === "string" ? Date.parse(message["time"]) : NaN;
    return { entity: entityId.toLowerCase(), event, members: new Members(message["data"]), time: Number.isNaN(time) ? null : time };
  }
  var Members = class _Members {
    values = /* @__PURE__ */ new Map();
    constructor(data) {
      for (const [name, value] of Object.entries(data)) this.values.set(name.toLowerCase(), value);
    }
    /** A number; null if it is missing or something else. */
    number(name) {
      const v = this.values.get(name.toLowerCase());
      return typeof v === "number" && Number.isFinite(v) ? v : null;
    }
    /** A text; null if it is missing, empty or something else. */
    text(name) {
      const v = this.values.get(name.toLowerCase());
      return typeof v === "string" && v !== "" ? v : null;
    }
    /** An id, in lower case. */
    id(name) {
      return this.text(name)?.toLowerCase() ?? null;
    }
    flag(name) {
      return this.values.get(name.toLowerCase()) === true;
    }
    /** The objects of a list. */
    list(name) {
      const v = this.values.get(name.toLowerCase());
      return Array.isArray(v) ? v.filter(isRecord).map((item) => new _Members(item)) : [];
    }
  };
  function isRecord(v) {
    return typeof v === "object" && v !== null && !Array.isArray(v);
  }

  // wallboard/day.ts
  var emptyDay = {
    offered: 0,
    answered: 0,
    abandoned: 0,
    serviceLevel: null,
    threshold: null,
    averageAnswerTime: null,
    longestWait: 0
  };
  function readDays(body) {
    if (!Array.isArray(body)) return null;
    const days = /* @__PURE__ */ new Map();
    for (const d of body.filter(isRecord)) {
      const id = d["queueId"];
      if (typeof id !== "string") continue;
      const n = (name) => {
        const v = d[name];
        return typeof v === "number" && Number.isFinite(v) ? v : null;
      };
      days.set(id.toLowerCase(), {
        offered: n("offered") ?? 0,
        answered: n("answered") ?? 0,
        abandoned: n("abandoned") ?? 0,
        serviceLevel: n("serviceLevel"),
        threshold: n("threshold"),
        averageAnswerTime: n("averageAnswerTime"),
        longestWait: n("longestWait") ?? 0
      });
    }
    return days;
  }
  var dayPause = 15e3;
  var dayOld = 6e4;
  var Days = class {
    constructor(ask, tell, world) {
      this.ask = ask;
      this.tell = tell;
      this.world = world;
    }
    ask;
    tell;
    world;
    stopped = false;
    async run() {
      while (!this.stopped) {
        try {
          const reply = await this.ask();
          if (reply.status === 401 || reply.status === 403) return;
          const days = reply.status === 200 ? readDays(await reply.json()) : null;
          if (days !== null && !this.stopped) this.tell(days);
        } catch {
        }
        await this.world.wait(dayPause * (0.8 + 0.4 * this.world.random()));
      }
    }
    stop() {
      this.stopped = true;
    }
  };

  // wallboard/live.ts
  var itemsPerCall = 500;
  function backoff(tries, random) {
    return 200 + random() * Math.min(3e4, 1e3 * 2 ** Math.min(tries, 10));
  }
  var Live = class {
    constructor(make, items2, to, world) {
      this.items = items2;
      this.to = to;
      this.world = world;
      this.client = make({
        nextRetryDelayInMilliseconds: ({ previousRetryCount, retryReason }) => {
          if (!isUnauthorized(retryReason)) return backoff(previousRetryCount, () => this.world.random());
          this.unauthorized = retryReason;
          return null;
        }
      });
      this.client.on("MessageReceived", (message) => {
        const p = push(message);
        if (p !== null) this.to.event(p);
      });
      this.client.onreconnecting((error) => {
        this.round++;
        this.to.lost(problemOf(error));
      });
      this.client.onreconnected(() => void this.subscribe());
      this.client.onclose((error) => this.closed(error));
    }
    items;
    to;
    world;
    client;
    /** Grows with each connection made or lost: work for an earlier one ends. */
    round = 0;
    stopped = false;
    unauthorized = null;
    /** Connects, and tries again until it stands, is refused or is stopped. */
    async connect(tries = 0) {
      const round = ++this.round;
      for (; ; tries++) {
        try {
          await this.client.start();
          break;
        } catch (error) {
          if (this.isOver(round)) return;
          if (isUnauthorized(error)) return this.to.refused(problemOf(error));
          this.to.lost(problemOf(error));
          await this.world.wait(backoff(tries, () => this.world.random()));
          if (this.isOver(round)) return;
        }
      }
      if (this.stopped) return this.client.stop();
      await this.subscribe();
    }
    /** Ends the connection for good. */
    async stop() {
      this.stopped = true;
      await this.client.stop();
    }
    /** Subscribes everything on a connection that is new. */
    async subscribe() {
      const round = ++this.round;
      this.to.connected();
      for (let tries = 0; ; tries++) {
        try {
          const all = [];
          for (let i = 0; i < this.items.length; i += itemsPerCall) {
            all.push(...answers(await this.client.invoke("Subscribe", this.items.slice(i, i + itemsPerCall))));
            if (this.isOver(round)) return;
          }
          this.to.subscribed(all);
          return this.to.live();
        } catch (error) {
          if (this.isOver(round)) return;
          this.to.lost(problemOf(error));
          await this.world.wait(backoff(tries, () => this.world.random()));
          if (this.isOver(round)) return;
        }
      }
    }
    /** The client has given up: the hub closed without leave to come back, or refused the token. */
    closed(error) {
      this.round++;
      if (this.stopped) return;
      if (this.unauthorized !== null) return this.to.refused(problemOf(this.unauthorized));
      this.to.lost(problemOf(error));
      const round = this.round;
      void this.world.wait(backoff(4, () => this.world.random())).then(() => {
        if (!this.isOver(round)) return this.connect(4);
        return void 0;
      });
    }
    isOver(round) {
      return this.stopped || round !== this.round;
    }
  };
  function isUnauthorized(error) {
    return error instanceof Error && /status code '40[13]'/i.test(error.message);
  }
  function problemOf(error) {
    const text = error instanceof Error ? error.message : "";
    return text.replace(/access_token=[^&\s'"]*/g, "access_token=…").slice(0, 300);
  }

  // wallboard/format.ts
  function duration(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const h = Math.floor(whole / 3600);
    const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
    return h > 0 ? `${h}:${rest}` : rest;
  }
  function percent(share) {
    const n = share >= 1 ? 100 : Math.min(99, Math.round(share * 100));
    return `${Math.max(0, n)} %`;
  }
  function date(text) {
    if (text === null) return null;
    if (text.startsWith("9999-")) return Infinity;
    const at = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : text + "Z");
    return Number.isNaN(at) ? null : at;
  }
  function clock(at) {
    return new Date(at).toLocaleTimeString(void 0, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  }
  function until(end, now) {
    if (end === null || !Number.isFinite(end)) return "";
    const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    const otherDay = new Date(end).toDateString() !== new Date(now).toDateString();
    return "until " + new Date(end).toLocaleString(void 0, otherDay ? { weekday: "short", ...time } : time);
  }
  function personName(userName) {
    const local = userName.split("@")[0] ?? "";
    const words = local.split(/[._\s]+/).filter((w) => w !== "");
    if (words.length === 0) return userName;
    return words.map((w) => w.replace(/(^|-)\p{Ll}/gu, (c) => c.toUpperCase())).join(" ");
  }
  function shortId(id) {
    return id.split("-")[0] ?? id;
  }
  function maskNumber(number) {
    if (number === null || !/^\+?[\d\s()-]{3,}$/.test(number)) return "hidden number";
    const digits = number.replace(/\D/g, "");
    const shown = Math.max(0, Math.min(digits.length - 4, Math.ceil(digits.length / 2)));
    return (number.startsWith("+") ? "+" : "") + digits.slice(0, shown) + "•".repeat(digits.length - shown);
  }

  // wallboard/agent.ts
  function newAgent(id) {
    return { id, userName: null, availability: null, status: null, talkingSince: null, call: null, receivedAt: 0, refused: null };
  }
  function readAvailability(a, m, now) {
    a.userName = m.text("userName") ?? a.userName;
    a.availability = { code: m.text("availability") ?? "", note: m.text("note"), end: date(m.text("endTime")) };
    a.receivedAt = now;
  }
  function readUserStatus(a, m, now) {
    const before = a.status;
    a.status = {
      available: m.flag("available"),
      schedule: m.flag("schedule"),
      serving: m.flag("serving"),
      servingCallback: m.flag("servingCallback"),
      talking: m.flag("talking"),
      canBeAllocatedTo: m.flag("canBeAllocatedTo"),
      terminals: m.number("serviceTerminals") ?? 0,
      wrapUpEnd: date(m.text("wrapUpEnd"))
    };
    if (!a.status.talking) a.talkingSince = null;
    else if (before !== null && !before.talking) a.talkingSince = now;
    a.receivedAt = now;
    a.refused = null;
  }
  function stateOf(a) {
    const s = a.status;
    if (s === null) return "unknown";
    if (s.talking) return "talking";
    if (s.wrapUpEnd !== null) return "wrapup";
    if (s.canBeAllocatedTo) return "free";
    if (a.call !== null && !a.call.answered) return "ringing";
    return s.available && s.serving && s.terminals > 0 ? "ringing" : "away";
  }
  var codes = {
    available: "Available",
    busy: "Busy",
    donotdisturb: "Do not disturb",
    offwork: "Off work"
  };
  function availabilityText(a) {
    const code = a.availability?.code ?? "";
    return codes[code.toLowerCase()] ?? code;
  }
  function stateText(a) {
    switch (stateOf(a)) {
      case "unknown":
        return "";
      case "free":
        return "Free";
      case "ringing":
        return "Ringing";
      case "talking":
        return "Talking";
      case "wrapup":
        return "Wrap-up";
      case "away":
        return awayText(a);
    }
  }
  function awayText(a) {
    const s = a.status;
    if (s !== null && s.available) {
      if (s.terminals === 0) return "No telephone";
      return s.servingCallback ? "Callbacks" : "Not serving";
    }
    return availabilityText(a) || (s !== null && !s.schedule ? "Off work" : "Away");
  }
  function absence(a, now) {
    const v = a.availability;
    if (v === null || v.code.toLowerCase() === "available") return { note: "", end: "" };
    return { note: v.note ?? "", end: until(v.end, now) };
  }

  // wallboard/meter.ts
  var Meter = class {
    buckets = new Array(60).fill(0);
    second = 0;
    begun = false;
    /** Counts one event; now in milliseconds. */
    count(now) {
      this.advance(now);
      this.begun = true;
      const at = this.second % 60;
      this.buckets[at] = (this.buckets[at] ?? 0) + 1;
    }
    /** Events in the last minute; null before the first one. */
    lastMinute(now) {
      if (!this.begun) return null;
      this.advance(now);
      return this.buckets.reduce((a, b) => a + b, 0);
    }
    advance(now) {
      const second = Math.floor(now / 1e3);
      const from = Math.max(this.second, second - 60);
      for (let s = from + 1; s <= second; s++) this.buckets[s % 60] = 0;
      this.second = Math.max(this.second, second);
    }
  };
  var Skew = class {
    least = null;
    /** Notes an event that happened at time and came at now. */
    note(time, now) {
      const late = now - time;
      if (this.least === null || late < this.least) this.least = late;
    }
    /** Forgets: after a pause either clock may have been set. */
    reset() {
      this.least = null;
    }
    /** The producers' time when it is now here. */
    there(now) {
      return now - (this.least ?? 0);
    }
  };

  // wallboard/queue.ts
  var historySpan = 10 * 6e4;
  function newQueue(id) {
    return { id, name: null, counters: null, receivedAt: 0, attached: null, history: [], day: null, dayAt: 0, refused: null };
  }
  function readStatus(q, m, now) {
    const n = (name) => m.number(name) ?? 0;
    q.name = m.text("queueName") ?? q.name;
    q.counters = {
      waiting: n("nbrOfNotServedRequesters"),
      ringing: n("nbrOfAllocated"),
      talking: n("nbrOfConnected"),
      free: n("nbrOfAgentsImmediatelyFree"),
      serving: n("nbrOfServingAgentsEstimate"),
      checkedIn: n("nbrOfAgentsCheckedInQueue"),
      wrapUp: n("nbrOfAgentsOnWrapUp"),
      maxWait: n("maxWaitTime"),
      open: n("openStatus")
    };
    q.receivedAt = now;
    q.refused = null;
    const last = q.history.at(-1);
    if (last === void 0 || last.waiting !== q.counters.waiting) q.history.push({ at: now, waiting: q.counters.waiting });
    while (q.history.length > 1 && (q.history[1]?.at ?? 0) <= now - historySpan) q.history.shift();
  }
  function readAttached(q, m) {
    const users = m.list("attachedUsers");
    q.attached = { all: users.length, active: users.filter((u) => u.flag("active")).length };
  }
  function readDay(q, day, now) {
    q.day = day ?? emptyDay;
    q.dayAt = now;
  }
  function isDayOld(q, now) {
    return q.dayAt > 0 && now - q.dayAt > dayOld;
  }
  function longestWait(q, now) {
    if (q.counters === null) return null;
    if (q.counters.waiting === 0) return 0;
    return q.counters.maxWait + Math.max(0, now - q.receivedAt) / 1e3;
  }
  var thresholds = { watchWait: 30, alarmWait: 120, watchCalls: 3, alarmCalls: 8 };
  function urgency(q, now) {
    const c = q.counters;
    if (c === null || c.waiting === 0) return { level: "calm", wait: "calm", calls: "calm", nobody: false };
    const wait = grade(longestWait(q, now) ?? 0, thresholds.watchWait, thresholds.alarmWait);
    const calls = grade(c.waiting, thresholds.watchCalls, thresholds.alarmCalls);
    const nobody = c.serving === 0;
    const worst = [wait, calls].includes("alarm") || nobody ? "alarm" : [wait, calls].includes("watch") ? "watch" : "calm";
    return { level: worst, wait, calls, nobody };
  }
  function grade(n, watch, alarm) {
    return n >= alarm ? "alarm" : n >= watch ? "watch" : "calm";
  }
  function opening(open) {
    switch (open) {
      case 1:
        return { colour: "red", text: "No agents" };
      case 2:
        return { colour: "yellow", text: "No agents, may vary" };
      case 3:
        return { colour: "red", text: "Closed" };
      case 4:
        return { colour: "yellow", text: "Closed, may vary" };
      case 5:
        return { colour: "green", text: "Open" };
      case 6:
        return { colour: "yellow", text: "Open, may vary" };
      default:
        return { colour: "grey", text: "Not known" };
    }
  }

  // wallboard/model.ts
  var staleAfter = 15e3;
  var tickerLines = 60;
  var Board = class {
    constructor(claims, now) {
      this.claims = claims;
      this.connection = { kind: "connecting", since: now, problem: "" };
      for (const id of claims.queues) this.queues.set(id, newQueue(id));
      for (const id of claims.users) this.agents.set(id, newAgent(id));
    }
    claims;
    queues = /* @__PURE__ */ new Map();
    agents = /* @__PURE__ */ new Map();
    /** Newest first. */
    calls = [];
    meter = new Meter();
    skew = new Skew();
    /** How many pairs were asked for in the last Subscribe. */
    asked = 0;
    refusals = [];
    connection;
    /** When the newest connection began: what was received before may be out of date. */
    freshSince = 0;
    wasLive = false;
    lines = 0;
    disconnectedSince = null;
    /** Takes a pushed message in. */
    apply(p, now) {
      this.meter.count(now);
      if (p.time !== null) this.skew.note(p.time, now);
      const queue = this.queues.get(p.entity);
      const agent = this.agents.get(p.entity);
      switch (p.event) {
        case "QueueStatus":
          if (queue !== void 0) readStatus(queue, p.members, now);
          return;
        case "QueueAttachedUsers":
          if (queue !== void 0) readAttached(queue, p.members);
          return;
        case "UserAvailability":
          if (agent !== void 0) readAvailability(agent, p.members, now);
          return;
        case "UserStatus":
          if (agent !== void 0) readUserStatus(agent, p.members, now);
          return;
        case "QueueCallInComing":
        case "QueueCallInArrived":
        case "QueueCallInUserAllocated":
        case "QueueCallInUserCancelled":
        case "QueueCallInUserConnected":
        case "QueueCallInOverflow":
        case "QueueCallInTransferStarted":
        case "QueueCallInTransferConnected":
        case "QueueCallInTransferCancelled":
        case "QueueCallInDisconnected":
          this.call(p.event, p, now);
      }
    }
    /** Takes the figures of the day in. */
    days(days, now) {
      for (const q of this.queues.values()) readDay(q, days.get(q.id), now);
    }
    /** Takes the hub's answers to a Subscribe in. */
    subscribed(list) {
      this.asked = list.length;
      this.refusals = list.filter((a) => !a.subscribed).map((a) => ({ entity: a.entityId, event: a.eventName, message: a.message ?? "refused" }));
      for (const q of this.queues.values()) q.refused = this.refusalOf(q.id, "queuestatus");
      for (const a of this.agents.values()) a.refused = this.refusalOf(a.id, "userstatus");
    }
    /** The connection stands and everything is subscribed. */
    wentLive(now) {
      this.connection = { kind: "live", since: now };
      this.disconnectedSince = null;
      this.wasLive = true;
    }
    /** A connection begins: its events come after a gap, so calls seen before may be over. */
    newConnection(now) {
      this.freshSince = now;
      this.skew.reset();
      for (const a of this.agents.values()) a.call = null;
    }
    /** The connection is lost or could not be made, and is tried again. */
    lost(problem, now) {
      const since = this.disconnectedSince ??= this.wasLive ? now : this.connection.since;
      this.connection = { kind: this.wasLive ? "reconnecting" : "connecting", since, problem };
    }
    /** The hub does not want this token; nothing is tried again. */
    refused(problem, now) {
      this.connection = { kind: "refused", since: now, problem };
    }
    /** The connection as it is to be shown. */
    shown(now) {
      const c = this.connection;
      return c.kind === "reconnecting" && now - c.since >= staleAfter ? "stale" : c.kind;
    }
    /** Whether a value received at a time may be out of date by now. */
    isOld(receivedAt, now) {
      return receivedAt > 0 && (receivedAt < this.freshSince || this.shown(now) === "stale" || this.connection.kind === "refused");
    }
    totals(now) {
      const queues = [...this.queues.values()].filter((q) => q.refused === null);
      const agents = [...this.agents.values()].filter((a) => a.refused === null);
      const complete = queues.length > 0 && queues.every((q) => q.counters !== null);
      const sum = (pick) => complete ? queues.reduce((n, q) => n + pick(q), 0) : null;
      const states = { unknown: 0, free: 0, ringing: 0, talking: 0, wrapup: 0, away: 0 };
      for (const a of agents) states[stateOf(a)]++;
      return {
        waiting: sum((q) => q.counters?.waiting ?? 0),
        talking: sum((q) => q.counters?.talking ?? 0),
        longestWait: complete ? Math.max(...queues.map((q) => longestWait(q, now) ?? 0)) : null,
        agents: agents.length > 0 && states.unknown === 0 ? states : null
      };
    }
    refusalOf(entity, event) {
      return this.refusals.find((r) => r.entity === entity && r.event.toLowerCase() === event)?.message ?? null;
    }
    call(event, p, now) {
      const m = p.members;
      const user = m.id("userId");
      const queue = this.queues.get(p.entity);
      if (queue !== void 0) queue.name ??= m.text("queueName");
      const agent = user === null ? void 0 : this.agents.get(user);
      if (agent !== void 0) agent.userName ??= m.text("userName");
      this.follow(event, m.id("callId") ?? "", p.entity, agent, now);
      this.calls.unshift({
        n: this.lines++,
        at: now,
        event,
        queue: p.entity,
        queueName: m.text("queueName"),
        user,
        userName: m.text("userName"),
        caller: m.text("callerNumber")
      });
      if (this.calls.length > tickerLines) this.calls.length = tickerLines;
    }
    /** Keeps for each agent the call that rings at or talks to him. */
    follow(event, id, queue, agent, now) {
      switch (event) {
        case "QueueCallInUserAllocated":
          if (agent !== void 0) agent.call = { id, queue, answered: false, since: now };
          return;
        case "QueueCallInUserConnected":
          if (agent !== void 0) agent.call = { id, queue, answered: true, since: now };
          return;
        case "QueueCallInUserCancelled":
          if (agent?.call?.id === id) agent.call = null;
          return;
        case "QueueCallInOverflow":
        case "QueueCallInDisconnected":
          for (const a of this.agents.values()) if (a.call?.id === id) a.call = null;
          return;
        case "QueueCallInComing":
        case "QueueCallInArrived":
        case "QueueCallInTransferStarted":
        case "QueueCallInTransferConnected":
        case "QueueCallInTransferCancelled":
      }
    }
  };

  // wallboard/pace.ts
  var paintPause = 250;
  var Pace = class {
    constructor(wake, paint) {
      this.wake = wake;
      this.paint = paint;
    }
    wake;
    paint;
    asked = false;
    paintedAt = -Infinity;
    /** Something has changed. */
    changed() {
      if (this.asked) return;
      this.asked = true;
      const pause = Math.max(0, this.paintedAt + paintPause - this.wake.now());
      this.wake.setTimeout(() => this.wake.requestAnimationFrame(() => this.do()), pause);
    }
    do() {
      this.asked = false;
      this.paintedAt = this.wake.now();
      this.paint(this.paintedAt);
    }
  };

  // wallboard/dom.ts
  function el(tag, attributes = {}, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
    e.append(...children);
    return e;
  }
  function svg(tag, attributes = {}, ...children) {
    const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
    e.append(...children);
    return e;
  }
  function setText(e, text) {
    if (e.textContent !== text) e.textContent = text;
  }
  function setAttribute(e, name, value) {
    if (value === null) e.removeAttribute(name);
    else if (e.getAttribute(name) !== value) e.setAttribute(name, value);
  }
  function setValue(e, text) {
    setText(e, text ?? "");
    setAttribute(e, "data-waiting", text === null ? "" : null);
  }
  function byId(id) {
    const e = document.getElementById(id);
    if (e === null) throw new Error(`the page has no element #${id}`);
    return e;
  }
  var Keyed = class {
    constructor(parent, key2, make) {
      this.parent = parent;
      this.key = key2;
      this.make = make;
    }
    parent;
    key;
    make;
    views = /* @__PURE__ */ new Map();
    update(items2, render) {
      const gone = new Set(this.views.keys());
      items2.forEach((item, i) => {
        const k = this.key(item);
        gone.delete(k);
        let view = this.views.get(k);
        if (view === void 0) this.views.set(k, view = this.make(item));
        if (this.parent.children[i] !== view.root) this.parent.insertBefore(view.root, this.parent.children[i] ?? null);
        render(view, item);
      });
      for (const k of gone) {
        this.views.get(k)?.root.remove();
        this.views.delete(k);
      }
    }
  };

  // wallboard/token.ts
  var key = "rte.wallboard.token";
  function takeToken(place2) {
    const token = new URLSearchParams(place2.location.hash.replace(/^#/, "")).get("token");
    if (token !== null) {
      place2.history.replaceState(null, "", place2.location.pathname + place2.location.search);
      if (token.trim() !== "") {
        keepToken(place2, token.trim());
        return token.trim();
      }
    }
    try {
      return place2.storage.getItem(key);
    } catch {
      return null;
    }
  }
  function keepToken(place2, token) {
    try {
      place2.storage.setItem(key, token);
    } catch {
    }
  }
  function dropToken(place2) {
    try {
      place2.storage.removeItem(key);
    } catch {
    }
  }
  function readClaims(jwt) {
    const parts = jwt.trim().split(".");
    if (parts.length !== 3) throw new Error("This is not a token: a token has three parts with dots between them.");
    let claims;
    try {
      const bytes = atob((parts[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"));
      claims = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
    } catch {
      throw new Error("This token cannot be read. Was it copied in full?");
    }
    if (typeof claims !== "object" || claims === null || Array.isArray(claims)) {
      throw new Error("This token cannot be read. Was it copied in full?");
    }
    const get = (name) => claims[name];
    const exp = get("exp");
    return {
      org: guid(get("org")) ?? "",
      sub: guid(get("sub")) ?? "",
      queues: guids(get("queues")),
      users: guids(get("users")),
      expires: typeof exp === "number" && Number.isFinite(exp) ? exp * 1e3 : null
    };
  }
  function guid(v) {
    return typeof v === "string" && v.trim() !== "" ? v.trim().toLowerCase() : null;
  }
  function guids(v) {
    const list = Array.isArray(v) ? v : [v];
    return [...new Set(list.map(guid).filter((id) => id !== null))];
  }

  // wallboard/sign-in.ts
  function signIn(reason, done) {
    const section = byId("sign-in");
    const form = byId("sign-in-form");
    const field = byId("sign-in-token");
    const problem = byId("sign-in-problem");
    setText(problem, reason);
    setAttribute(section, "hidden", null);
    setAttribute(byId("board"), "hidden", "");
    field.focus();
    form.onsubmit = (event) => {
      event.preventDefault();
      const token = tokenIn(field.value);
      try {
        readClaims(token);
        done(token);
      } catch (error) {
        setText(problem, error instanceof Error ? error.message : "");
        field.focus();
      }
    };
  }
  function tokenIn(text) {
    const after = /[#&?]token=([^&\s]+)/.exec(text)?.[1];
    return after === void 0 ? text.trim() : decodeURIComponent(after);
  }

  // wallboard/agent-view.ts
  var AgentTile = class {
    root;
    name = el("span", { class: "agent-name" });
    state = el("span", { class: "agent-state" });
    timer = el("span", { class: "agent-timer" });
    note = el("span", { class: "agent-note" });
    end = el("span");
    constructor(a) {
      this.root = el(
        "li",
        { class: "agent", id: "agent-" + a.id, "data-testid": "agent", "data-agent-id": a.id },
        this.name,
        el("span", { class: "agent-doing" }, this.state, this.timer),
        el("span", { class: "agent-detail" }, this.note, this.end)
      );
    }
    render(a, board, now) {
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
  };
  function nameOf(a) {
    if (a.userName !== null) return personName(a.userName);
    return a.status !== null || a.refused !== null ? shortId(a.id) : null;
  }
  function timer(a, board, now) {
    switch (stateOf(a)) {
      case "talking":
        return a.talkingSince === null ? "" : duration((now - a.talkingSince) / 1e3);
      case "wrapup": {
        const end = a.status?.wrapUpEnd ?? null;
        return end === null || !Number.isFinite(end) ? "" : duration(Math.ceil((end - board.skew.there(now)) / 1e3));
      }
      case "unknown":
      case "free":
      case "ringing":
      case "away":
        return "";
    }
  }
  function detail(a, board, now) {
    const state = stateOf(a);
    const atHand = state === "ringing" || state === "talking";
    if (atHand && a.call !== null && a.call.answered === (state === "talking")) {
      return { note: board.queues.get(a.call.queue)?.name ?? "", end: "" };
    }
    return absence(a, board.skew.there(now));
  }

  // wallboard/header-view.ts
  var Header = class {
    connection = byId("connection");
    connectionText = byId("connection-text");
    rate = byId("rate");
    clock = byId("clock");
    sums = byId("totals");
    totals = {
      waiting: byId("total-waiting"),
      wait: byId("total-wait"),
      talking: byId("total-talking"),
      free: byId("total-free"),
      away: byId("total-away")
    };
    render(board, now) {
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
  };
  function numeral(n) {
    return n === null ? null : String(n);
  }
  function connectionText(shown, board) {
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
  var expiryNotice = 10 * 6e4;
  var Notices = class {
    root = byId("notices");
    shown = "";
    render(board, now) {
      const texts = [...this.expiry(board, now), ...this.empty(board)];
      const refusals = board.refusals.map((r) => `${eventName(r.event) ?? r.event} of ${nameOf2(board, r.entity)}: ${r.message}`);
      const key2 = JSON.stringify([texts, refusals]);
      if (key2 === this.shown) return;
      this.shown = key2;
      const lines = texts.map((t) => el("p", { "data-testid": "notice" }, t));
      if (refusals.length > 0) {
        const open = this.root.querySelector("details")?.open === true;
        lines.push(
          el(
            "details",
            { "data-testid": "refusals", ...open ? { open: "" } : {} },
            el("summary", {}, `The hub refused ${refusals.length} of ${board.asked} subscriptions`),
            el("ul", {}, ...refusals.map((r) => el("li", { "data-testid": "refusal" }, r)))
          )
        );
      }
      this.root.replaceChildren(...lines);
    }
    expiry(board, now) {
      const end = board.claims.expires;
      if (end === null || board.connection.kind === "refused" || end - now > expiryNotice) return [];
      return end > now ? [`The token ends at ${clock(end)}. The board stays live, but cannot connect again after that without a new one.`] : [`The token has ended. The board stays live until the connection breaks; it then needs a new one.`];
    }
    empty(board) {
      return board.queues.size + board.agents.size === 0 ? ["This token names no queues and no users, so there is nothing to show."] : [];
    }
  };
  function nameOf2(board, entity) {
    return board.queues.get(entity)?.name ?? board.agents.get(entity)?.userName ?? entity;
  }

  // wallboard/spark.ts
  function spark(history2, now, span, width, height) {
    const first = history2[0];
    if (first === void 0) return { line: "", area: "" };
    const begin2 = now - span;
    const top = Math.max(4, ...history2.map((s) => s.waiting));
    const x = (at) => fixed((Math.min(Math.max(at, begin2), now) - begin2) / span * width);
    const y = (waiting) => fixed(height - 1 - waiting / top * (height - 2));
    let line = `M${x(first.at)} ${y(first.waiting)}`;
    for (const s of history2.slice(1)) line += `H${x(s.at)}V${y(s.waiting)}`;
    line += `H${fixed(width)}`;
    return { line, area: `${line}V${height}H${x(first.at)}Z` };
  }
  function fixed(n) {
    return String(Math.round(n * 10) / 10);
  }

  // wallboard/queue-view.ts
  var sparkWidth = 240;
  var sparkHeight = 48;
  var QueueCard = class {
    root;
    name = el("h3", { class: "queue-name" });
    openText = el("span", { "data-testid": "queue-open" });
    open = el("span", { class: "open" }, this.openText);
    waitingLabel = el("dt");
    waitLabel = el("dt");
    waiting = el("dd", { "data-testid": "queue-waiting", class: "big" });
    wait = el("dd", { "data-testid": "queue-longest-wait", class: "big" });
    line = svg("path", { class: "spark-line", fill: "none" });
    area = svg("path", { class: "spark-area" });
    figures;
    day;
    dayList;
    levelLabel = el("dt", {}, "In time");
    refused = el("p", { class: "refused" });
    constructor(q) {
      const figure = (testid) => el("dd", { "data-testid": testid });
      this.figures = {
        talking: figure("queue-talking"),
        free: figure("queue-free"),
        serving: figure("queue-serving"),
        checkedIn: figure("queue-checked-in")
      };
      const pair = (label, value) => el("div", {}, typeof label === "string" ? el("dt", {}, label) : label, value);
      this.day = {
        offered: figure("day-offered"),
        answered: figure("day-answered"),
        abandoned: figure("day-abandoned"),
        level: figure("day-level"),
        average: figure("day-average"),
        longest: figure("day-longest")
      };
      this.dayList = el(
        "dl",
        { class: "figures day", "data-testid": "queue-day", "aria-label": "Today" },
        pair("Today", this.day.offered),
        pair("Answered", this.day.answered),
        pair("Given up", this.day.abandoned),
        pair(this.levelLabel, this.day.level),
        pair("Average", this.day.average),
        pair("Longest", this.day.longest)
      );
      const drawing = svg(
        "svg",
        { class: "spark", viewBox: `0 0 ${sparkWidth} ${sparkHeight}`, preserveAspectRatio: "none", role: "img" },
        this.area,
        this.line
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
          el("div", {}, this.waitLabel, this.wait)
        ),
        drawing,
        el(
          "dl",
          { class: "figures" },
          pair("Talking", this.figures.talking),
          pair("Free", this.figures.free),
          pair("Serving", this.figures.serving),
          pair("Checked in", this.figures.checkedIn)
        ),
        this.dayList,
        this.refused
      );
      this.name.id = "queue-name-" + q.id;
    }
    render(q, board, now) {
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
    renderDay(q, now) {
      const d = q.day;
      const value = (e, text) => setValue(e, d === null ? null : text(d));
      const orDash = (n, text) => n === null ? "–" : text(n);
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
  };

  // wallboard/ticker-view.ts
  var TickerLine = class {
    root;
    constructor(line, board) {
      const [kind, text] = story(line, board);
      this.root = el(
        "li",
        { "data-testid": "ticker-line", "data-kind": kind },
        el("time", {}, clock(line.at)),
        el("strong", {}, line.queueName ?? board.queues.get(line.queue)?.name ?? shortId(line.queue)),
        el("span", {}, text)
      );
    }
  };
  function story(line, board) {
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
  function person(line, board) {
    const name = line.userName ?? (line.user === null ? null : board.agents.get(line.user)?.userName ?? null);
    if (name !== null) return personName(name);
    return line.user === null ? "an agent" : shortId(line.user);
  }

  // wallboard/view.ts
  var View = class {
    constructor(board) {
      this.board = board;
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
    board;
    header = new Header();
    notices = new Notices();
    queues;
    agents;
    ticker;
    render(now) {
      const b = this.board;
      this.header.render(b, now);
      this.notices.render(b, now);
      this.queues.update([...b.queues.values()], (card, q) => card.render(q, b, now));
      this.agents.update([...b.agents.values()].sort(byName), (tile, a) => tile.render(a, b, now));
      this.ticker.update(b.calls, () => void 0);
    }
  };
  function byName(a, b) {
    const [x, y] = [nameOf(a), nameOf(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return x.localeCompare(y);
  }
  function columns(queues) {
    if (queues <= 4) return Math.max(1, queues);
    const rows = Math.max(2, Math.ceil(queues / 6));
    return Math.ceil(queues / rows);
  }
  function density(agents) {
    if (agents <= 24) return "roomy";
    return agents <= 48 ? "wide" : agents <= 84 ? "close" : "dense";
  }

  // wallboard/main.ts
  var place = { location, history, storage: sessionStorageOrNone() };
  var hub = new URL("../rte", document.baseURI).href;
  var figures = new URL("../api/v1/figures", document.baseURI).href;
  function client(token, policy) {
    return new signalR.HubConnectionBuilder().withUrl(hub, { accessTokenFactory: () => token }).withAutomaticReconnect(policy).configureLogging(signalR.LogLevel.Warning).build();
  }
  function show(token, claims) {
    const now = () => Date.now();
    const board = new Board(claims, now());
    const view = new View(board);
    const pace = new Pace(
      { requestAnimationFrame: (f) => requestAnimationFrame(f), setTimeout: (f, ms) => setTimeout(f, ms), now },
      (at) => view.render(at)
    );
    const second = setInterval(() => pace.changed(), 1e3);
    const change = (f) => {
      f();
      pace.changed();
    };
    const listener = {
      connected: () => change(() => board.newConnection(now())),
      subscribed: (list) => change(() => board.subscribed(list)),
      live: () => change(() => board.wentLive(now())),
      event: (p) => change(() => board.apply(p, now())),
      lost: (problem) => change(() => board.lost(problem, now())),
      refused: (problem) => change(() => {
        board.refused(problem, now());
        clearInterval(second);
        days.stop();
        dropToken(place);
        const ended = claims.expires !== null && claims.expires <= now();
        signIn(ended ? "The token has ended. Please paste a new one." : "The hub did not accept this token.", start);
      })
    };
    const world = { random: Math.random, wait: (ms) => new Promise((done) => setTimeout(done, ms)) };
    const ask = () => fetch(figures, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store", referrerPolicy: "no-referrer" });
    const days = new Days(ask, (all) => change(() => board.days(all, now())), world);
    const live = new Live((policy) => client(token, policy), items(claims.queues, claims.users), listener, world);
    pace.changed();
    void live.connect();
    if (claims.queues.length > 0) void days.run();
  }
  function start(token) {
    location.replace("#token=" + encodeURIComponent(token));
  }
  function begin() {
    const token = takeToken(place);
    if (token === null) return signIn("", start);
    let claims;
    try {
      claims = readClaims(token);
    } catch (error) {
      dropToken(place);
      return signIn(error instanceof Error ? error.message : "", start);
    }
    show(token, claims);
  }
  function sessionStorageOrNone() {
    try {
      return sessionStorage;
    } catch {
      return { getItem: () => null, setItem: () => void 0, removeItem: () => void 0 };
    }
  }
  addEventListener("hashchange", () => {
    if (location.hash.includes("token=")) location.reload();
  });
  begin();
})();
