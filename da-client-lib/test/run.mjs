// Builds rte and the test hub once and runs every test file against them, with
// the built library. With the argument "long", the long forms: hours are left
// to RTE_SOAK, as elsewhere (10m).
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { binaries } from "../../conformance/process.mjs";

const folder = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".test.mjs"));
if (files.length === 0) throw new Error(`no test files in ${folder}`);
// Rooms that the bundles keep to themselves, for units.test.mjs.
await build({
  absWorkingDir: dirname(folder),
  entryPoints: ["address", "backoff", "ledger", "pair", "restorer", "shape", "tabs/book"].map((name) => `src/${name}.ts`),
  outbase: "src",
  outdir: "node_modules/.cache/units",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  packages: "external",
  logLevel: "warning",
});

const long = process.argv.includes("long");
const rest = process.argv.slice(2).filter((arg) => arg !== "long" && arg !== "");

const tests = spawn(process.execPath, ["--test", "--test-concurrency=3", ...rest, ...files.map((name) => join(folder, name))], {
  stdio: "inherit",
  env: { ...process.env, ...binaries(), ...(long ? { DALIB_LONG: "1" } : {}) },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => tests.kill(signal));
tests.once("close", (code) => process.exit(code ?? 1));
