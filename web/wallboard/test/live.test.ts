import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, Live, type Client, type RetryPolicy } from "../live.ts";
import { items, type Item } from "../events.ts";

/** Microsoft's client, played: what start and invoke answer is said by the test. */
class FakeClient implements Client {
  starts: (Error | null)[] = [];
  invocations: Item[][] = [];
  answer: (list: Item[]) => unknown = (list) =>
    list.map((i) => ({ subscribed: true, message: null, entityId: i.EntityId, eventName: i.EventName.toLowerCase() }));
  stopped = 0;
  message: (m: unknown) => void = () => undefined;
  reconnecting: (e?: Error) => void = () => undefined;
  reconnected: () => void = () => undefined;
  closed: (e?: Error) => void = () => undefined;

  async start(): Promise<void> {
    const error = this.starts.shift();
    if (error) throw error;
  }
  async stop(): Promise<void> {
    this.stopped++;
  }
  async invoke(method: string, ...args: unknown[]): Promise<unknown> {
    assert.equal(method, "Subscribe");
    assert.equal(args.length, 1);
    this.invocations.push(args[0] as Item[]);
    return this.answer(args[0] as Item[]);
  }
  on(method: string, handler: (m: unknown) => void): void {
    assert.equal(method, "MessageReceived");
    this.message = handler;
  }
  onreconnecting(handler: (e?: Error) => void): void {
    this.reconnecting = handler;
  }
  onreconnected(handler: () => void): void {
    this.reconnected = handler;
  }
  onclose(handler: (e?: Error) => void): void {
    this.closed = handler;
  }
}

function play(list = items(["q"], ["u"])): { client: FakeClient; live: Live; told: string[]; waits: number[]; policy: RetryPolicy } {
  const client = new FakeClient();
  const told: string[] = [];
  const waits: number[] = [];
  let policy: RetryPolicy | undefined;
  const live = new Live(
    (p) => {
      policy = p;
      return client;
    },
    list,
    {
      connected: () => told.push("connected"),
      subscribed: (a) => told.push(`subscribed ${a.length}`),
      live: () => told.push("live"),
      event: (p) => told.push(`event ${p.event}`),
      lost: (problem) => told.push(`lost ${problem}`),
      refused: (problem) => told.push(`refused ${problem}`),
    },
    {
      random: () => 0.5,
      wait: async (ms) => {
        waits.push(ms);
      },
    },
  );
  if (policy === undefined) throw new Error("no policy");
  return { client, live, told, waits, policy };
}

/** Lets everything run that waits for nothing but promises. */
const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

const unauthorized = new Error("Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'");

test("connects, subscribes, hears", async () => {
  const { client, live, told } = play();
  await live.connect();
  client.message({ subscription: { entityId: "q", eventName: "queuestatus" }, data: {} });
  client.message({ nonsense: true });
  assert.deepEqual(told, ["connected", "subscribed 14", "live", "event QueueStatus"]);
});

test("many pairs go in several calls, in order", async () => {
  const { client, live, told } = play(items(Array.from({ length: 100 }, (_, i) => `q${i}`), []));
  await live.connect();
  assert.deepEqual(client.invocations.map((l) => l.length), [500, 500, 200]);
  assert.deepEqual(told, ["connected", "subscribed 1200", "live"]);
});

test("a hub that is not there is tried again, ever more slowly", async () => {
  const { client, live, told, waits } = play();
  client.starts = Array.from({ length: 9 }, () => new Error("no route"));
  await live.connect();
  assert.equal(told.filter((t) => t === "lost no route").length, 9);
  assert.deepEqual(waits, [700, 1200, 2200, 4200, 8200, 15_200, 15_200, 15_200, 15_200]);
  assert.equal(told.at(-1), "live");
});

test("a refused token ends it", async () => {
  const { client, live, told, waits } = play();
  client.starts = [unauthorized];
  await live.connect();
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /^refused /);
  assert.deepEqual(waits, []);
});

test("reconnecting never ends by itself, but for a refused token", async () => {
  const { client, live, told, policy } = play();
  await live.connect();
  client.reconnecting(new Error("cut"));
  for (const previousRetryCount of [0, 1, 50, 5000]) {
    const ms = policy.nextRetryDelayInMilliseconds({ previousRetryCount, retryReason: new Error("no route") });
    assert.ok(ms !== null && ms >= 200 && ms <= 30_200, `${ms}`);
  }
  assert.equal(policy.nextRetryDelayInMilliseconds({ previousRetryCount: 3, retryReason: unauthorized }), null);
  client.closed();
  assert.deepEqual(told.slice(3, 4), ["lost cut"]);
  assert.match(told.at(-1) ?? "", /^refused .*401/);
});

test("a new connection subscribes anew", async () => {
  const { client, live, told } = play();
  await live.connect();
  client.reconnecting(new Error("cut"));
  client.reconnected();
  await settle();
  assert.equal(client.invocations.length, 2);
  assert.deepEqual(told.slice(3), ["lost cut", "connected", "subscribed 14", "live"]);
});

test("a Subscribe that fails is tried again", async () => {
  const { client, live, told, waits } = play();
  let calls = 0;
  const good = client.answer;
  client.answer = (list) => {
    if (++calls === 1) throw new Error("busy");
    return good(list);
  };
  await live.connect();
  assert.deepEqual(told, ["connected", "lost busy", "subscribed 14", "live"]);
  assert.equal(waits.length, 1);
});

test("a Subscribe that the cut took with it is left to the new connection", async () => {
  const { client, live, told } = play();
  let calls = 0;
  const good = client.answer;
  client.answer = (list) => {
    if (++calls > 1) return good(list);
    client.reconnecting(new Error("cut"));
    throw new Error("invocation cancelled");
  };
  await live.connect();
  assert.deepEqual(told, ["connected", "lost cut"]);
  client.reconnected();
  await settle();
  assert.deepEqual(told.slice(2), ["connected", "subscribed 14", "live"]);
});

test("closed by the hub for good: comes back, but not at once", async () => {
  const { client, live, told, waits } = play();
  await live.connect();
  client.closed(new Error("Server returned an error on close: admin"));
  await settle();
  assert.deepEqual(told.slice(3), ["lost Server returned an error on close: admin", "connected", "subscribed 14", "live"]);
  assert.ok((waits[0] ?? 0) > 5000, `${waits}`);
});

test("stopped is stopped", async () => {
  const { client, live, told } = play();
  await live.connect();
  await live.stop();
  client.closed();
  await settle();
  assert.equal(client.stopped, 1);
  assert.deepEqual(told.slice(3), []);
});

test("no token in what a person reads", async () => {
  const { client, live, told } = play();
  await live.connect();
  client.reconnecting(new Error("wss://hub/rte?id=1&access_token=abc.def failed"));
  assert.equal(told.at(-1), "lost wss://hub/rte?id=1&access_token=… failed");
});

test("pauses are spread over their whole length", () => {
  assert.equal(backoff(0, () => 0), 200);
  assert.equal(backoff(0, () => 1), 1200);
  assert.equal(backoff(9999, () => 1), 30_200);
});
