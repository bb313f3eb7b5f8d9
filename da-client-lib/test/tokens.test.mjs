// Tokens: refused ones, expired ones, and those that a REST API gives.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { hs256, now } from "../../conformance/jwt.mjs";
import { Network } from "../../conformance/proxy.mjs";
import { ephemeral, freePort, serve } from "../../conformance/rte.mjs";
import { within } from "../../conformance/wait.mjs";
import { AddressError, DAService, FetchToken, TokenExpiredError, TokenUnavailableError, UnauthorizedError } from "../dist/index.js";
import { Caller, callsOf, desk, quick, usersOf } from "./desk.mjs";

let rte;
before(async () => (rte = await ephemeral("--dev-tokens")));
after(() => rte?.process.stop("SIGKILL"));

const refused = (url, token, options) => new DAService(url, token, { reconnect: quick, ...options }).Connect();

test("a token that the hub does not accept: Connect rejects at once", async () => {
  await assert.rejects(within(refused(rte.hub, "garbage"), "end"), (err) => err instanceof UnauthorizedError && err.code === "unauthorized");
  await assert.rejects(within(refused(rte.hub, () => rte.token({ role: "platform" })), "end"), { code: "forbidden" });
});

test("a string that has expired: the error says so, and when", async () => {
  const token = rte.token({ ttl: -100 });
  await assert.rejects(within(refused(rte.hub, token), "end"), (err) => {
    assert.ok(err instanceof TokenExpiredError && err instanceof UnauthorizedError);
    assert.equal(err.code, "tokenExpired");
    assert.ok(Math.abs(Date.now() - 100_000 - err.expiredAt.getTime()) < 30_000);
    assert.ok(!err.message.includes(token));
    return true;
  });
});

test("an address where no hub is: a named error; a hub that is away: tried until it is there", async (t) => {
  for (const bad of ["", " ", "http://[", "ftp://127.0.0.1/rte", "file:///rte", undefined, 7]) {
    const service = new DAService(bad, "x");
    const { ready } = service;
    await assert.rejects(service.Connect(), (err) => err instanceof AddressError && err.code === "invalidUrl"); // prettier-ignore
    await assert.rejects(ready, { code: "invalidUrl" });
  }
  await assert.rejects(within(refused(`${rte.url}/elsewhere`, () => rte.token()), "end"), { code: "notFound" });

  const listen = `127.0.0.1:${await freePort()}`;
  const service = new DAService(`${listen}/rte`, () => rte.token(), { reconnect: quick }); // without a scheme, as the REST API gives it
  t.after(() => service.Disconnect());
  const tries = [];
  service.OnConnectionStateChanged.on((s) => tries.push(s));
  const connected = service.Connect();
  await assert.rejects(service.Subscribe([], { signal: AbortSignal.timeout(50) }), { code: "aborted" });
  while (tries.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(tries.slice(1).every((s) => s.state === "Connecting" && s.error.code === "unreachable" && s.retryIn <= quick.most));
  const dir = mkdtempSync(join(tmpdir(), "rte-data-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const late = await serve({ listen, dir, secret: rte.jwtSecret, org: rte.org });
  t.after(() => late.process.stop("SIGKILL"));
  assert.equal(await within(connected, "Connect"), true);
});

test("a connection whose token has expired goes on with another one; a string has no other", async (t) => {
  const network = await Network.open(t, rte.url);
  const users = usersOf(2);
  let asked = 0;
  // The hub allows for clocks that differ by 5 s, so this is good for another 2 s.
  const short = -3;
  const token = () => rte.token({ user: users[0], role: "supervisor", ttl: asked++ === 0 ? short : 3600 });
  const d = await desk(t, `${network.url}/rte`, token, { statefulReconnect: false });
  await d.service.Subscribe(callsOf(users));
  const string = await desk(t, `${network.url}/rte`, rte.token({ user: users[0], role: "supervisor", ttl: short }), { statefulReconnect: false });
  await string.service.Subscribe(callsOf(users));
  assert.equal(asked, 1, "one token for one connection");

  const caller = new Caller(rte, users);
  await caller.call();
  await caller.check(d.messages);
  const expired = now() + 3;
  while (now() < expired) await new Promise((resolve) => setTimeout(resolve, 50));
  await caller.call();
  await caller.check(d.messages); // a live connection outlives its token
  network.cut();
  await caller.call();
  await caller.check(d.messages);
  assert.equal(asked, 2);
  assert.deepEqual(d.notices.items, []);

  const end = await string.states.find((s) => s.state === "Disconnected", "the end");
  assert.ok(end.error instanceof TokenExpiredError, String(end.error));
  await assert.rejects(string.service.Subscribe([]), { code: "notConnected" });
  // With another token it goes on where it was.
  string.service.SetToken(rte.token({ user: users[0], role: "supervisor" }));
  assert.equal(await within(string.service.Connect(), "Connect"), true);
  await caller.check(string.messages);
  assert.deepEqual(string.notices.items, []);
});

test("a hub that closes when the token ends: a function goes on with the next token, a string has a named end", async (t) => {
  const strict = await ephemeral("--close-on-expiry", "--jwt-leeway=0s");
  t.after(() => strict.process.stop("SIGKILL"));
  const users = usersOf(2);
  let asked = 0;
  const token = () => strict.token({ user: users[0], role: "supervisor", ttl: asked++ === 0 ? 2 : 3600 });
  const d = await desk(t, strict.hub, token);
  await d.service.Subscribe(callsOf(users));
  const string = await desk(t, strict.hub, strict.token({ user: users[0], role: "supervisor", ttl: 2 }));
  const caller = new Caller(strict, users);
  await caller.call();
  await d.states.find((s) => s.state === "Reconnecting", "the end of the first token");
  await caller.call();
  await caller.check(d.messages);
  assert.ok(asked === 2 || asked === 3, `${asked} tokens`); // one may go into an attempt to resume the socket
  assert.deepEqual(d.notices.items.filter((n) => n.kind !== "tokenExpiring"), []); // prettier-ignore
  const end = await string.states.find((s) => s.state === "Disconnected", "the end");
  assert.ok(end.error instanceof TokenExpiredError, String(end.error));
});

test("a function that has kept a token too long is asked once more; one that has no other is the end", async (t) => {
  const network = await Network.open(t, rte.url);
  const user = randomUUID();
  const tokens = ["good", "old", "good", "old", "old"];
  const token = () => rte.token({ user, ttl: tokens.shift() === "old" ? -100 : 3600 });
  const d = await desk(t, `${network.url}/rte`, token, { statefulReconnect: false });
  network.cut();
  await d.states.until((all) => all.filter((s) => s.state === "Connected").length === 2, "the second connection");
  assert.equal(tokens.length, 2);
  network.cut();
  const end = await d.states.find((s) => s.state === "Disconnected", "the end");
  assert.equal(end.error.code, "tokenExpired");
  assert.equal(tokens.length, 0);
});

test("a token function that fails is asked again; what it throws of this library ends it", async (t) => {
  let asked = 0;
  const service = new DAService(rte.hub, async () => {
    if (++asked < 3) throw new Error("the API is away");
    return rte.token();
  }, { reconnect: quick }); // prettier-ignore
  t.after(() => service.Disconnect());
  const errors = [];
  service.OnConnectionStateChanged.on((s) => s.error && errors.push(s.error));
  assert.equal(await within(service.Connect(), "Connect"), true);
  assert.equal(asked, 3);
  assert.ok(errors.every((err) => err instanceof TokenUnavailableError));
  const no = new UnauthorizedError("unauthorized", "please sign in");
  await assert.rejects(within(refused(rte.hub, () => Promise.reject(no)), "end"), no);
});

test("FetchToken takes the REST API's answer", async (t) => {
  const { rteUrl, token } = await FetchToken(`${rte.url}?org=${rte.org}`, rte.user);
  assert.equal(rteUrl, rte.hub);
  const d = await desk(t, rteUrl, token);
  assert.equal((await d.service.GetAvailableSubscriptionEvents()).length, 41);
  const call = async () => (await FetchToken(`${rte.url}?org=${rte.org}`, rte.user)).token;
  await desk(t, rteUrl, call);
  await assert.rejects(FetchToken(`${rte.url}/nothing`, rte.user), { code: "tokenUnavailable" });
  await assert.rejects(FetchToken("http://[", rte.user), { code: "invalidUrl" });
});

test("revoked: the end, with its reason; Disconnect and AbortSignal: the end, without one", async (t) => {
  const user = randomUUID();
  const d = await desk(t, rte.hub, () => hs256({ sub: user, org: rte.org, iat: now() - 10, exp: now() + 3600 }, rte.jwtSecret));
  const revoked = await fetch(`${rte.admin}/admin/v1/revocations`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user, org: rte.org }) });
  assert.equal(revoked.status, 200, await revoked.text());
  const end = await d.states.find((s) => s.state === "Disconnected", "the end");
  assert.equal(end.error.code, "closed");
  assert.equal(end.error.reason, "revoked");
  await assert.rejects(within(d.service.Connect(), "Connect"), { code: "unauthorized" });

  const abort = new AbortController();
  const other = await desk(t, rte.hub, () => rte.token(), { signal: abort.signal });
  const seen = (async () => {
    for await (const message of other.service) assert.fail(JSON.stringify(message));
  })();
  abort.abort();
  await within(seen, "end of the loop");
  const last = await other.states.find((s) => s.state === "Disconnected", "the end");
  assert.equal(last.error, undefined);
});
