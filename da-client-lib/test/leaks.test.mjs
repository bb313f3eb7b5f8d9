// What is left when a service has been disconnected: nothing.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const run = (script) =>
  new Promise((resolve, reject) => {
    const args = ["--input-type=module", "--eval", script];
    execFile(process.execPath, args, { cwd: fileURLToPath(new URL(".", import.meta.url)), timeout: 30_000 }, (err, stdout) => (err ? reject(err) : resolve(stdout)));
  }); // prettier-ignore

test("a program ends by itself, though event streams broke before they were open", async () => {
  // A hub behind something that breaks all event streams off.
  const out = await run(`
    import { createServer } from "node:http";
    import { DAService } from "../dist/index.js";
    let streams = 0;
    const offer = { negotiateVersion: 1, connectionId: "a", connectionToken: "b", availableTransports: [{ transport: "ServerSentEvents", transferFormats: ["Text"] }] };
    const server = createServer((req, res) => (req.method === "POST" ? res.end(JSON.stringify(offer)) : (streams++, req.socket.destroy())));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = "http://127.0.0.1:" + server.address().port + "/rte";
    const service = new DAService(url, "x", { transports: ["serversentevents"], reconnect: { first: 10, most: 20 } });
    const tries = new Promise((resolve) => service.OnConnectionStateChanged.on(() => streams >= 3 && resolve()));
    const connected = service.Connect();
    await tries;
    await service.Disconnect();
    server.close();
    console.log(await connected, service.State);
  `);
  assert.equal(out, "false Disconnected\n");
});
