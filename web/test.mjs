// Bundles each test file on its own and runs them with node's test runner.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const out = path("node_modules/.cache/rte-web-test/");

const tests = (await readdir(path("wallboard/test"))).filter((name) => name.endsWith(".test.ts"));
if (tests.length === 0) throw new Error("no test found in wallboard/test");

await rm(out, { recursive: true, force: true });
await build({
  absWorkingDir: path("."),
  entryPoints: tests.map((name) => "wallboard/test/" + name),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
  logLevel: "warning",
});
const files = tests.map((name) => out + name.replace(/\.ts$/, ".mjs"));
const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" });
process.exitCode = run.status ?? 1;
