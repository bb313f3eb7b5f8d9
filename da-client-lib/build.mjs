// Builds the bundles into dist/ and, inside RTE's repository, into the folder
// that nodes serve at /client/, whose files are committed: the same sources
// give the same bytes. Types are checked and written by tsc before (npm run build).
import { build } from "esbuild";
import { copyFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const { version } = JSON.parse(await readFile(path("package.json"), "utf8"));

/** The largest a bundle may be, in bytes: pages load it before they show anything. */
const budget = 110_000;

const banner = `/*! DAClientLib ${version}, Apache-2.0. With @microsoft/signalr inside: Copyright (c) .NET Foundation and Contributors, MIT. */`;
const common = {
  absWorkingDir: path("."),
  entryPoints: ["src/index.ts"],
  bundle: true,
  minify: true,
  sourcemap: true,
  sourcesContent: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};

await build({
  ...common,
  outfile: "dist/da-client-lib.js",
  format: "esm",
  banner: { js: banner },
  define: { THIS_FILE: "import.meta.url" },
});

// CommonJS inside, with what makes it a global where there is no module.
await build({
  ...common,
  outfile: "dist/da-client-lib.umd.js",
  format: "cjs",
  banner: {
    js: `${banner}
(function(g,f){if(typeof module==="object"&&module.exports)f(module,require,__filename);else{var m={exports:{}};f(m);if(typeof define==="function"&&define.amd)define([],function(){return m.exports});else g.DAClientLib=m.exports}})(typeof globalThis==="object"?globalThis:self,function(module,require,thisFile){`,
  },
  footer: { js: "});" },
  define: { THIS_FILE: "thisFile" },
});

// Node takes a .js of this package for an ES module; require() gets the same under another name.
await copyFile(path("dist/da-client-lib.umd.js"), path("dist/da-client-lib.cjs"));

const bundles = ["da-client-lib.js", "da-client-lib.umd.js"];
for (const name of bundles) {
  const { size } = await stat(path(`dist/${name}`));
  if (size > budget) throw new Error(`${name} has ${size} bytes, ${budget} are allowed: find what made it grow, or raise the budget in build.mjs`);
}

// Microsoft's package has no licence file: its licence and its notices go with the bundles.
for (const [from, to] of [["signalr.licence.txt", "signalr.licence.txt"], ["node_modules/@microsoft/signalr/src/third-party-notices.txt", "signalr.notices.txt"]]) {
  await copyFile(path(from), path(`dist/${to}`));
}

const served = path("../internal/ops/web/");
if (await stat(served).catch(() => null)) {
  await mkdir(served + "client", { recursive: true });
  for (const name of ["signalr.licence.txt", "signalr.notices.txt"]) await copyFile(path(`dist/${name}`), `${served}client/${name}`);
  for (const name of bundles) {
    // Maps are not served: they would be larger than the rest of the program's pages.
    const text = await readFile(path(`dist/${name}`), "utf8");
    await writeFile(`${served}client/${name}`, text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n"));
  }
}
