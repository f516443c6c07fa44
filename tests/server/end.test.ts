import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { startServer } from "../../kernel/server/server.ts";
import { channels, serve, temporary } from "./support.ts";

describe("the end of the server", () => {
  test("is not held up by a client that was refused and does not hang up", async () => {
    const server = await startServer({ root: temporary(), config: temporary() });
    // Keeps its half open when the server has closed the other.
    const client = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void client.destroy());
    client.write(
      `GET /api/kernels/none/channels HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    expect(String(await new Promise((resolve) => client.once("data", resolve)))).toContain("403");
    await server.close();
  });

  test("comes at any moment of a kernel's start, and leaves no process behind", async () => {
    for (const ms of [0, 5, 20, 80, 200, 400]) {
      const server = await startServer({ root: temporary(), config: temporary() });
      const asked = fetch(`http://127.0.0.1:${server.port}/api/sessions`, {
        method: "POST",
        headers: { authorization: `token ${server.token}` },
        body: JSON.stringify({ path: "a.ipynb", name: "a", type: "notebook", kernel: { name: "thalweg" } }),
        signal: AbortSignal.timeout(5_000), // Node's fetch may never settle when the server goes while it connects
      }).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, ms));
      await server.close();
      await asked;
      expect(server.kernelCount).toBe(0);
    }
  });

  test("tells the pages that their kernel is gone", async () => {
    const server = await serve();
    const { id } = (await server.ask("POST", "/api/kernels", {})).json;
    const { socket, execute } = await channels(server, id);
    execute("for (;;);");
    const closed = new Promise((resolve) => socket.once("close", (code) => resolve(code)));
    await server.server.close();
    expect(await closed).toBe(1000);
  });
});
