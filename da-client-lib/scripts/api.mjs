// Writes the public interface down in etc/da-client-lib.api.md: a change of it
// is meant only when this file changes with it.
process.argv.push("--api");
await import("./build.mjs");
