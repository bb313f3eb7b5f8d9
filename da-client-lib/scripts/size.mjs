// The size budget: what a browser loads, and what npm packs.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
/** Bytes after gzip -9; SignalR itself is 13.5 KB of the bundles. */
const budget = { "dist/da-client-lib.js": 31_000, "dist/da-client-lib.umd.js": 31_000 };
/** Everything that the package holds. */
const wanted = [
  "CHANGELOG.md", "LICENSE", "README.md", "package.json", "dist/da-client-lib.js", "dist/da-client-lib.js.map", "dist/da-client-lib.notices.txt",
  "dist/da-client-lib.umd.js", "dist/da-client-lib.umd.js.map", "dist/index.cjs", "dist/index.cjs.map", "dist/index.d.cts", "dist/index.d.ts",
  "dist/index.js", "dist/index.js.map",
]; // prettier-ignore

let bad = false;
for (const [file, most] of Object.entries(budget)) {
  const size = gzipSync(readFileSync(path(file)), { level: 9 }).length;
  console.log(`${file}: ${size} bytes compressed, ${most} allowed`);
  if (size > most) bad = true;
}
const [pack] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: path("."), encoding: "utf8" }));
const names = pack.files.map((file) => file.path).sort();
const differ = [...names.filter((n) => !wanted.includes(n)).map((n) => `too much: ${n}`), ...wanted.filter((n) => !names.includes(n)).map((n) => `missing: ${n}`)];
for (const line of differ) console.log(`npm pack: ${line}`);
if (bad || differ.length > 0) {
  console.error("size: over the budget, or the package's content is not what it should be");
  process.exit(1);
}
console.log(`npm pack: ${names.length} files, ${pack.size} bytes`);
