// Writes the bundles that a node serves into a folder: those for browsers,
// without the line that names their source maps, which it does not serve.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: node serve.mjs FOLDER");
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
mkdirSync(out, { recursive: true });
for (const name of ["da-client-lib.js", "da-client-lib.umd.js"]) {
  writeFileSync(join(out, name), readFileSync(join(dist, name), "utf8").replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
}
copyFileSync(join(dist, "da-client-lib.notices.txt"), join(out, "da-client-lib.notices.txt"));
