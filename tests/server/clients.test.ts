import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import WebSocket from "ws";
import { serve } from "./support.ts";

const folder = new URL("../../kernel/notebook-app/", import.meta.url).pathname;
const installed = existsSync(join(folder, "node_modules", "@jupyterlab", "services"));

describe.skipIf(!installed)(
  `JupyterLab's client library${installed ? "" : " (skipped: `npm ci` in kernel/notebook-app installs it)"}`,
  () => {
    test("runs its calls: specs, files, a session, a cell, interrupt, restart, rename, end", {
      timeout: 60_000,
    }, async () => {
      const server = await serve();
      // biome-ignore lint/suspicious/noExplicitAny: the library is not installed for the type checker.
      const { ServiceManager, ServerConnection } = createRequire(join(folder, "x.js"))("@jupyterlab/services") as any;
      class Authorized extends WebSocket {
        constructor(url: string, protocols?: string[]) {
          super(url, protocols, { headers: { authorization: `token ${server.server.token}` } });
        }
      }
      const serverSettings = ServerConnection.makeSettings({
        baseUrl: `http://127.0.0.1:${server.server.port}/`,
        wsUrl: `ws://127.0.0.1:${server.server.port}/`,
        token: server.server.token,
        WebSocket: Authorized,
        fetch,
        Request,
        Headers,
      });
      const manager = new ServiceManager({ serverSettings });
      try {
        await manager.ready;
        expect(manager.kernelspecs.specs.default).toBe("thalweg");

        const made = await manager.contents.newUntitled({ type: "notebook" });
        const content = {
          nbformat: 4,
          nbformat_minor: 5,
          metadata: {},
          cells: [{ cell_type: "code", id: "a", metadata: {}, source: "1", outputs: [], execution_count: null }],
        };
        await manager.contents.save(made.path, { type: "notebook", format: "json", content });
        const checkpoint = await manager.contents.createCheckpoint(made.path);
        const renamed = await manager.contents.rename(made.path, "kept.ipynb");
        expect((await manager.contents.get(renamed.path)).content.cells[0].source).toBe("1");
        await manager.contents.restoreCheckpoint(renamed.path, checkpoint.id);
        expect((await manager.contents.get("", { content: true })).content).toHaveLength(1);

        const session = await manager.sessions.startNew({
          path: renamed.path,
          name: renamed.name,
          type: "notebook",
          kernel: { name: "thalweg" },
        });
        const { kernel } = session;
        expect((await kernel.info).implementation).toBe("thalweg");
        const texts: string[] = [];
        const run = (code: string) => {
          const future = kernel.requestExecute({ code });
          future.onIOPub = ({ content }: { content: { text?: string } }) => content.text && texts.push(content.text);
          return future;
        };
        expect((await run("console.log('said'); const y = 2").done).content.status).toBe("ok");
        expect(texts.join("")).toBe("said\n");
        const names = await kernel.requestComplete({ code: "console.lo", cursor_pos: 10 });
        expect(names.content.matches.join()).toContain("log");
        const endless = run("for (;;);");
        await new Promise((resolve) => setTimeout(resolve, 300));
        await kernel.interrupt();
        expect((await endless.done).content.status).toBe("error");
        await kernel.restart();
        expect((await run("if (typeof y !== 'undefined') throw new Error('kept')").done).content.status).toBe("ok");
        await session.setPath("other.ipynb");
        expect((await server.ask("GET", "/api/sessions")).json[0].path).toBe("other.ipynb");
        await session.shutdown();
        expect((await server.ask("GET", "/api/kernels")).json).toEqual([]);
        await manager.contents.delete("kept.ipynb");
      } finally {
        manager.dispose();
      }
    });
  },
);

describe("VS Code's existing Jupyter server", () => {
  test("its requests are accepted: no Origin, the token in the header, its own content type, a session for a file that is not there", async () => {
    const { raw, server, root } = await serve();
    writeFileSync(join(root, "a.ipynb"), "");
    // Asked first and without the token: is this a JupyterHub (200 would say so), and does it want a password besides the token?
    expect((await raw("GET", "/hub/api", { connection: "keep-alive" })).status).not.toBe(200);
    const tree = await raw("GET", "/tree?", { connection: "keep-alive" });
    expect([tree.status, tree.headers["set-cookie"]]).toEqual([403, undefined]);
    const headers = {
      authorization: `token ${server.token}`,
      "user-agent": "Visual Studio Code",
      "x-vscode-session": "1",
      "content-type": "text/plain;charset=UTF-8",
    };
    for (const path of [
      "/api",
      "/api/status",
      "/api/kernelspecs",
      "/api/kernels",
      "/api/sessions",
      "/api/contents?content=1",
    ])
      expect([
        path,
        (await raw("GET", `${path}${path.includes("?") ? "&" : "?"}${Date.now()}`, headers)).status,
      ]).toEqual([path, 200]);
    const file = await raw("POST", "/api/contents/", headers, JSON.stringify({ type: "notebook", ext: ".ipynb" }));
    expect(file.status).toBe(201);
    const session = await raw(
      "POST",
      "/api/sessions",
      headers,
      JSON.stringify({
        path: "a-jvsc-1234.ipynb",
        type: "notebook",
        name: "a-5678.ipynb",
        kernel: { name: "thalweg" },
      }),
    );
    expect([session.status, session.json.kernel.name]).toEqual([201, "thalweg"]);
    const url = `ws://127.0.0.1:${server.port}/api/kernels/${session.json.kernel.id}/channels?session_id=vscode&token=${server.token}`;
    const socket = new WebSocket(url, { headers: { authorization: headers.authorization } });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.close();
    expect((await raw("DELETE", `/api/sessions/${session.json.id}`, headers)).status).toBe(204);
    expect((await raw("DELETE", `/api/contents/${file.json.path}`, headers)).status).toBe(204);
  });
});
