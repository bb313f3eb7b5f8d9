// The product page's samples in Node, with the package as an ES module and as
// npm packs it, and the package's promises about its files.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

import { ephemeral } from "../../conformance/rte.mjs";
import { eventNames } from "../../conformance/samples.mjs";
import { Inbox } from "../../conformance/wait.mjs";
import * as DAClientLib from "../dist/index.js";
import { read, script, scripts } from "./samples.mjs";

const a1 = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3";
const c9 = "c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3";

let rte;
before(async () => (rte = await ephemeral()));
after(() => rte?.process.stop("SIGKILL"));

test("every sample is a verbatim part of the page", () => {
  const page = read("page.txt");
  assert.ok(page.startsWith("Usage\nDA service constructor"));
  for (const name of scripts) assert.ok(page.includes(`\n${read(name)}`), `${name} is not a part of page.txt`);
});

test("the samples, in Node", async (t) => {
  const log = new Inbox();
  const jwt = rte.token({ user: c9, users: [a1] });
  const page = vm.createContext({ DAClientLib, rteUrl: rte.hub, jwt, console: { log: log.push, error: log.push } });
  const run = async (name, start) => {
    log.items.length = 0;
    vm.runInContext(script(name), page, { filename: name });
    if (start !== undefined) return log.find((line) => String(line).startsWith(start), `the line "${start}…" of ${name}`);
  };
  await run("construct.js");
  t.after(() => vm.runInContext("daService.Disconnect()", page));
  assert.equal(await run("connect.js", "conn"), "connected");
  vm.runInContext(read("../../../conformance/samples/subscribe.js").split("// This will")[0], page); // fills subscriptions
  const answer = (subscribed) =>
    JSON.stringify([[a1, "useravailability"], [c9, "usercallincoming"]].map(([entityId, eventName]) => ({ subscribed, message: null, entityId, eventName }))); // prettier-ignore
  assert.equal(await run("subscribe.js", "Subscription result"), `Subscription result: ${answer(true)}`);
  await run("on-subscription-data-changed.js");
  await rte.publish({ eventName: "UserAvailability", data: { userId: a1, availability: "Busy" } });
  const subscription = { entityId: a1, eventName: "useravailability" };
  const data = { userId: a1, availability: "Busy" };
  assert.equal(
    await log.find((line) => line.includes(". Data: "), "data"),
    `Subscription result: ${JSON.stringify(subscription, null, 2)}. Data: ${JSON.stringify(data, null, 2)}`,
  );
  const active = [subscription, { entityId: c9, eventName: "usercallincoming" }];
  assert.equal(await run("get-active-subscriptions.js", "Get"), `GetActiveSubscriptions result: ${JSON.stringify(active)}`);
  assert.equal(await run("unsubscribe.js", "Unsub"), `Unsubscription result: ${answer(false)}`);
  assert.equal(await run("unsubscribe-all.js", "Unsub"), "Unsubscription result: true");
  assert.equal(await run("get-available-subscription-events.js", "Avail"), `AvailableSubscriptionEvents result: ${JSON.stringify(eventNames)}`);
});

test("a copy of the folder alone: it builds and packs; the package works as a module, by require and in TypeScript", () => {
  const from = fileURLToPath(new URL("..", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "da-client-lib-"));
  try {
    const copy = join(folder, "copy");
    cpSync(from, copy, { recursive: true, filter: (file) => !/node_modules|\/dist(\/|$)|\/docs(\/|$)/.test(file.slice(from.length - 1)) });
    symlinkSync(join(from, "node_modules"), join(copy, "node_modules")); // what npm ci would put there
    const run = (cwd, ...command) => execFileSync(command[0], command.slice(1), { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    run(copy, "npm", "run", "build");
    run(copy, "npm", "pack");
    const app = join(folder, "app");
    const into = join(app, "node_modules", "da-client-lib");
    mkdirSync(into, { recursive: true });
    run(into, "tar", "xzf", join(copy, "da-client-lib-1.0.0.tgz"), "--strip-components=1");
    symlinkSync(join(from, "node_modules", "@microsoft"), join(app, "node_modules", "@microsoft"));
    for (const name of ["index.js", "index.cjs", "index.d.ts", "da-client-lib.js", "da-client-lib.umd.js"]) {
      assert.deepEqual(readFileSync(join(into, "dist", name)), readFileSync(join(from, "dist", name)), `${name} is another one than here`);
    }
    assert.equal(run(app, "node", "--input-type=module", "-e", 'import { DAService } from "da-client-lib"; console.log(typeof DAService)'), "function\n");
    assert.equal(run(app, "node", "--input-type=commonjs", "-e", 'console.log(typeof require("da-client-lib").DAService)'), "function\n");
    writeFileSync(join(app, "use.ts"), read("use.ts"));
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    for (const module of [["esnext", "bundler"], ["nodenext", "nodenext"]]) {
      run(app, "node", tsc, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", module[0], "--moduleResolution", module[1], "use.ts");
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("nothing that is exported is of type any", () => {
  const report = readFileSync(fileURLToPath(new URL("../etc/da-client-lib.api.md", import.meta.url)), "utf8");
  assert.ok(report.includes("class DAService"));
  assert.deepEqual(report.match(/\bany\b.*/g) ?? [], []);
});
