// What a browser would only say at run time: the page as files.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Pace, paintPause } from "../pace.ts";
import { columns, density } from "../view.ts";

const html = readFileSync("wallboard/index.html", "utf8");
const sources = readdirSync("wallboard").filter((name) => name.endsWith(".ts"));

test("every element the sources ask for is in the page, once", () => {
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((m) => m[1]);
  assert.equal(new Set(ids).size, ids.length, "an id is there twice");
  const asked = sources.flatMap((name) =>
    [...readFileSync(`wallboard/${name}`, "utf8").matchAll(/byId\("([^"]+)"\)/g)].map((m) => m[1]),
  );
  assert.ok(asked.length > 15, `only ${asked.length} found`);
  for (const id of asked) assert.ok(ids.includes(id), `the page has no #${id}`);
});

test("nothing in the page needs a looser policy", () => {
  assert.match(html, /Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/);
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|https?:\/\/(?!www\.w3\.org)/i);
});

test("its own files are named relative to it", () => {
  for (const m of html.matchAll(/(?:src|href)="([^"]+)"/g)) assert.match(m[1] ?? "", /^(data:|[a-z.]+$)/);
});

test("data becomes text, never markup or code", () => {
  for (const name of sources) {
    const source = readFileSync(`wallboard/${name}`, "utf8");
    assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/, name);
  }
});

test("painting: at most a few times a second, however many events come", () => {
  let clock = 0;
  let due: { at: number; f: () => void }[] = [];
  const paints: number[] = [];
  const wake = {
    requestAnimationFrame: (f: () => void) => (f(), 0),
    setTimeout: (f: () => void, ms: number) => void due.push({ at: clock + ms, f }),
    now: () => clock,
  };
  const pace = new Pace(wake, (now) => void paints.push(now));
  for (; clock < 10_000; clock++) {
    const ready = due.filter((d) => d.at <= clock);
    due = due.filter((d) => d.at > clock);
    for (const d of ready) d.f();
    pace.changed();
  }
  assert.ok(paints.length >= 35 && paints.length <= 10_000 / paintPause + 1, `${paints.length} times in ten seconds`);
  for (let i = 1; i < paints.length; i++) assert.ok((paints[i] ?? 0) - (paints[i - 1] ?? 0) >= paintPause);
});

test("rows of cards are as equal as can be", () => {
  assert.deepEqual([0, 1, 3, 4, 5, 6, 7, 8, 10, 12, 13, 18, 25].map(columns), [1, 1, 3, 4, 3, 3, 4, 4, 5, 6, 5, 6, 5]);
  assert.deepEqual([0, 24, 25, 48, 49, 84, 85].map(density), ["roomy", "roomy", "wide", "wide", "close", "close", "dense"]);
});
