// Builds the pages into internal/ops/web, whose files are committed: the same
// sources give the same bytes. Types are checked by tsc before (npm run build).
import { build } from "esbuild";
import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const out = path("../internal/ops/web/wallboard/");

await mkdir(out, { recursive: true });
await build({
  absWorkingDir: path("."),
  entryPoints: ["wallboard/main.ts"],
  outfile: out + "wallboard.js",
  bundle: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  banner: { js: "// Built from web/wallboard by `npm run build`. Edit the sources there." },
});

// Microsoft's client as released: the page loads it as a file of its own, so
// that the same bytes run here as anywhere else. The package has no licence
// file; its licence (MIT) and its notices go with it.
const signalr = "node_modules/@microsoft/signalr/";
for (const [from, to] of [
  ["wallboard/index.html", "index.html"],
  ["wallboard/wallboard.css", "wallboard.css"],
  [signalr + "dist/browser/signalr.min.js", "signalr.min.js"],
  [signalr + "src/third-party-notices.txt", "signalr.notices.txt"],
  ["wallboard/signalr.licence.txt", "signalr.licence.txt"],
]) {
  await copyFile(path(from), out + to);
}
