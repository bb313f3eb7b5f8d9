import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenIn } from "../sign-in.ts";
import { dropToken, keepToken, readClaims, takeToken, type Place } from "../token.ts";

function jwt(claims: unknown): string {
  return ["{}", JSON.stringify(claims), "signature"].map((s) => Buffer.from(s).toString("base64url")).join(".");
}

function place(hash: string, kept: Record<string, string> = {}): Place & { shown: string[]; kept: Record<string, string> } {
  const shown: string[] = [];
  return {
    location: { hash, pathname: "/x/wallboard/", search: "?a=1" },
    history: { replaceState: (_d, _u, url) => void shown.push(url) },
    storage: {
      getItem: (k) => kept[k] ?? null,
      setItem: (k, v) => void (kept[k] = v),
      removeItem: (k) => void delete kept[k],
    },
    shown,
    kept,
  };
}

test("the token leaves the address and is kept for the tab", () => {
  const p = place("#token=a.b.c");
  assert.equal(takeToken(p), "a.b.c");
  assert.deepEqual(p.shown, ["/x/wallboard/?a=1"]);
  const again = place("", p.kept);
  assert.equal(takeToken(again), "a.b.c");
  assert.deepEqual(again.shown, []);
  dropToken(again);
  assert.equal(takeToken(place("", again.kept)), null);
});

test("the address goes before what is kept, but an empty one does not count", () => {
  const p = place("#token=new");
  keepToken(p, "old");
  assert.equal(takeToken(p), "new");
  const empty = place("#token=%20");
  keepToken(empty, "old");
  assert.equal(takeToken(empty), "old");
  assert.deepEqual(empty.shown, ["/x/wallboard/?a=1"]);
});

test("a browser without storage still shows the token of the address", () => {
  const p = place("#token=a.b.c");
  const no = (): never => {
    throw new Error("denied");
  };
  p.storage = { getItem: no, setItem: no, removeItem: no };
  assert.equal(takeToken(p), "a.b.c");
  p.location.hash = "";
  assert.equal(takeToken(p), null);
  dropToken(p);
});

test("claims are read without being verified", () => {
  const got = readClaims(
    jwt({ org: "AB", sub: "CD", exp: 1800000000, queues: ["Q1", "q2", "Q1", 7, ""], users: "U1", name: "Ää€" }),
  );
  assert.deepEqual(got, { org: "ab", sub: "cd", queues: ["q1", "q2"], users: ["u1"], expires: 1800000000000 });
});

test("missing claims are empty", () => {
  assert.deepEqual(readClaims(jwt({})), { org: "", sub: "", queues: [], users: [], expires: null });
});

for (const [name, token, want] of [
  ["no dots", "abc", /three parts/],
  ["two parts", "a.b", /three parts/],
  ["not base64", "a.%%%.c", /cannot be read/],
  ["not JSON", "a." + Buffer.from("{").toString("base64url") + ".c", /cannot be read/],
  ["a list", jwt([]), /cannot be read/],
  ["null", jwt(null), /cannot be read/],
  ["bad UTF-8", "a." + Buffer.from([0x22, 0xff, 0x22]).toString("base64url") + ".c", /cannot be read/],
] as const) {
  test(`a token that is none: ${name}`, () => {
    assert.throws(() => readClaims(token), want);
  });
}

test("a whole address may be pasted", () => {
  assert.equal(tokenIn(" a.b.c \n"), "a.b.c");
  assert.equal(tokenIn("http://127.0.0.1:8080/wallboard/#token=a.b%2Dx.c "), "a.b-x.c");
  assert.equal(tokenIn("https://example.com/wallboard/#x=1&token=a.b.c&y=2"), "a.b.c");
});
