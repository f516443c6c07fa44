import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { target } from "../../kernel/commands/notebook.ts";
import { emptyPage, temporary } from "./support.ts";

const cli = new URL("../../kernel/cli.ts", import.meta.url).pathname;

/** The command as a person starts it. */
function start(
  args: string[],
  env: Record<string, string> = {},
): { child: ChildProcess; said(what: RegExp): Promise<RegExpExecArray> } {
  const child = spawn(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), cli, "notebook", "--no-open", "--no-preload", ...args],
    {
      env: { ...process.env, THALWEG_CONFIG: temporary(), THALWEG_APP: emptyPage(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk) => {
      output += String(chunk);
      for (const listener of listeners) listener();
    });
  child.once("exit", () => {
    for (const listener of listeners) listener();
  });
  return {
    child,
    said: (what) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = what.exec(output);
          if (found) resolve(found);
          else if (child.exitCode !== null || child.signalCode !== null)
            reject(new Error(`ended without saying ${what}: ${output}`));
        };
        listeners.add(look);
        look();
      }),
  };
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    // A process that ended and was not yet collected still has a number.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

describe("the command", () => {
  test("kill -9 of the server takes the kernels with it, even inside a loop, and loses no saved cell", {
    timeout: 30_000,
  }, async () => {
    const root = temporary();
    const { child, said } = start([root, "--port", "0"]);
    const [, origin, token] = await said(/(http:\/\/127\.0\.0\.1:\d+)\/lab\?token=(\w+)/);
    const headers = { authorization: `token ${token}` };
    const ask = async (method: string, path: string, body?: unknown) =>
      (
        await fetch(origin + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
      ).json() as Promise<{ id: string }>;
    const { id } = await ask("POST", "/api/kernels", {});
    const socket = new (await import("ws")).WebSocket(
      `${origin!.replace("http", "ws")}/api/kernels/${id}/channels?session_id=s`,
      { headers },
    );
    const pid = await new Promise<number>((resolve) => {
      socket.on("message", (data) => {
        const { header, content } = JSON.parse(String(data));
        if (header.msg_type === "stream") resolve(Number(content.text));
      });
      const header = { msg_id: "1", session: "s", msg_type: "execute_request", username: "", date: "", version: "5.4" };
      const content = { code: "console.log(process.pid); await new Promise((r) => setTimeout(r, 50)); for (;;);" };
      socket.once("open", () =>
        socket.send(JSON.stringify({ channel: "shell", header, parent_header: {}, metadata: {}, content })),
      );
    });
    const cells = [{ cell_type: "code", id: "a", metadata: {}, source: "saved", outputs: [], execution_count: null }];
    const content = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells };
    await ask("PUT", "/api/contents/n.ipynb", { type: "notebook", content });
    expect(alive(pid)).toBe(true);
    child.kill("SIGKILL");
    const end = Date.now() + 5000;
    while (alive(pid) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(alive(pid)).toBe(false);
    expect(JSON.parse(readFileSync(join(root, "n.ipynb"), "utf8")).cells[0].source).toEqual(["saved"]);
  });

  test("a port that is taken is told; without --port the next free one is used", { timeout: 30_000 }, async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void blocker.close());
    const { port } = blocker.address() as { port: number };
    const taken = start([temporary(), "--port", String(port)]);
    await taken.said(/--port: a free port is required, and something listens at \d+ already/);
    const free = start([temporary()]);
    await free.said(/http:\/\/127\.0\.0\.1:8[89]\d\d\/lab\?token=/);
    free.child.kill("SIGTERM");
    await free.said(/everything that was saved is on the disk/);
  });

  test("what cannot be opened is told in a sentence", async () => {
    expect(() => target("/nothing/here.ipynb")).toThrow(
      /^notebook: a notebook or a folder is required, got .*does not exist$/,
    );
  });

  test("a file outside the current folder is served with its own folder, one below it with the current one", () => {
    const folder = temporary();
    mkdirSync(join(folder, "d"));
    writeFileSync(join(folder, "d", "a.ipynb"), "");
    expect(target(join(folder, "d", "a.ipynb"))).toEqual({ root: join(folder, "d"), file: "a.ipynb" });
    expect(target(folder)).toEqual({ root: folder });
    expect(target("tests/vitest.config.ts")).toEqual({ root: process.cwd(), file: "tests/vitest.config.ts" });
  });
});
