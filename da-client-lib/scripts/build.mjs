// Builds dist/: the package's modules, with SignalR as a dependency, and two
// files for browsers that have SignalR in them. Types are checked before.
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const { name, version } = JSON.parse(readFileSync(path("package.json"), "utf8"));
const signalr = createRequire(import.meta.url).resolve("@microsoft/signalr/package.json");

rmSync(path("dist"), { recursive: true, force: true });
mkdirSync(path("dist"), { recursive: true });

const common = {
  absWorkingDir: path("."),
  entryPoints: ["src/index.ts"],
  bundle: true,
  target: "es2020",
  charset: "utf8",
  sourcemap: true,
  sourcesContent: true,
  legalComments: "none",
  logLevel: "warning",
};
const licences = `${name} ${version}, Apache-2.0. Contains @microsoft/signalr ${JSON.parse(readFileSync(signalr, "utf8")).version}, (c) .NET Foundation and contributors, MIT: see ${name}.notices.txt.`;
const browser = { ...common, minify: true, mainFields: ["module", "main"], banner: { js: `/*! ${licences} */` } };

await build({ ...common, outfile: "dist/index.js", format: "esm", packages: "external" });
await build({ ...common, outfile: "dist/index.cjs", format: "cjs", packages: "external" });
await build({ ...browser, outfile: "dist/da-client-lib.js", format: "esm" });
// UMD: a module of CommonJS or AMD where there is one, else the global DAClientLib.
await build({
  ...browser,
  outfile: "dist/da-client-lib.umd.js",
  format: "cjs",
  banner: {
    js: `/*! ${licences} */\n(function(g,f){if(typeof exports==="object"&&typeof module!=="undefined")f(module);else{var m={exports:{}};f(m);if(typeof define==="function"&&define.amd)define(function(){return m.exports});else g.DAClientLib=m.exports}})(typeof globalThis!=="undefined"?globalThis:self,function(module){var exports=module.exports;`,
  },
  footer: { js: "});" },
});
writeFileSync(path(`dist/${name}.notices.txt`), notices());

// One file of types, without what is private to this library.
execFileSync(process.execPath, [path("node_modules/typescript/bin/tsc"), "-p", path("tsconfig.types.json")], { stdio: "inherit" });
const update = process.argv.includes("--api");
const extracted = Extractor.invoke(ExtractorConfig.loadFileAndPrepare(path("api-extractor.json")), {
  localBuild: update,
  showVerboseMessages: false,
  messageCallback: (message) => {
    if (message.logLevel === "info" || message.logLevel === "verbose") message.handled = true;
  },
});
rmSync(path("dist/types"), { recursive: true });
if (!extracted.succeeded) {
  console.error("build: the public interface is not what etc/da-client-lib.api.md says. If that is meant: npm run api, and look at the difference.");
  process.exit(1);
}
copyFileSync(path("dist/index.d.ts"), path("dist/index.d.cts"));

/** What must be told of the software inside. */
function notices() {
  const folder = signalr.slice(0, -"package.json".length);
  return `${readFileSync(path("scripts/signalr.licence.txt"), "utf8")}\n${readFileSync(`${folder}src/third-party-notices.txt`, "utf8")}`;
}
