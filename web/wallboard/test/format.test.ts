import assert from "node:assert/strict";
import { test } from "node:test";
import { date, duration, maskNumber, personName, shortId, until } from "../format.ts";

test("durations", () => {
  for (const [seconds, want] of [
    [0, "00:00"],
    [-3, "00:00"],
    [9.99, "00:09"],
    [61, "01:01"],
    [3599, "59:59"],
    [3600, "1:00:00"],
    [36_061, "10:01:01"],
  ] as const) {
    assert.equal(duration(seconds), want);
  }
});

test("dates: with and without a zone, open end, nonsense", () => {
  const want = Date.UTC(2026, 10, 22, 8);
  assert.equal(date("2026-11-22T08:00:00Z"), want);
  assert.equal(date("2026-11-22T08:00:00"), want);
  assert.equal(date("2026-11-22T10:00:00+02:00"), want);
  assert.equal(date("2026-11-22T08:00:00.1234567"), want + 123);
  assert.equal(date("9999-12-31T23:59:59.9999999"), Infinity);
  assert.equal(date("soon"), null);
  assert.equal(date(null), null);
});

test("until", () => {
  const noon = new Date(2026, 10, 22, 12).getTime();
  assert.match(until(noon + 90 * 60_000, noon), /^until 13.30$/);
  assert.match(until(noon + 24 * 3600_000, noon), /^until \S+.* 12.00$/);
  assert.notEqual(until(noon + 24 * 3600_000, noon), until(noon, noon));
  assert.match(until(noon - 12 * 3600_000, noon), /^until 00.00$/);
  assert.equal(until(Infinity, noon), "");
  assert.equal(until(null, noon), "");
});

test("names", () => {
  for (const [login, want] of [
    ["anna.korhonen@example.com", "Anna Korhonen"],
    ["anna", "Anna"],
    ["jean-luc.de_vries@example.com", "Jean-Luc De Vries"],
    ["åke.öst@example.com", "Åke Öst"],
    ["anna.korhonen2@example.com", "Anna Korhonen2"],
    ["@example.com", "@example.com"],
    ["", ""],
  ] as const) {
    assert.equal(personName(login), want);
  }
  assert.equal(shortId("11111111-0000-4000-8000-000000000001"), "11111111");
});

test("numbers: the last four digits are never shown, nor more than half", () => {
  for (const [number, want] of [
    ["+447700900123", "+447700••••••"],
    ["+12025550142", "+120255•••••"],
    ["0207 946 0123", "020794•••••"],
    ["12345", "1••••"],
    ["123", "•••"],
    ["anonymous", "hidden number"],
    ["sip:anna@example.com", "hidden number"],
    ["", "hidden number"],
    [null, "hidden number"],
  ] as const) {
    const got = maskNumber(number);
    assert.equal(got, want);
    const digits = (number ?? "").replace(/\D/g, "");
    if (digits.length >= 4) assert.ok(!got.includes(digits.slice(-4)), `${got} shows the end of ${number}`);
  }
});
