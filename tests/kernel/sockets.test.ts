import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type StartedKernel, startProcess } from "./support/client.ts";
import { sleep } from "./support/kernel.ts";

describe("the kernel over real sockets", () => {
  let started: StartedKernel;
  let client: ReturnType<typeof connect>;
  beforeAll(async () => {
    started = await startProcess();
    client = connect(started.connection);
    // Not before: what is published while the subscription is on its way is lost, as ever with zeromq.
    await client.until(() => client.got.find((g) => g.message.header.msg_type === "iopub_welcome"), "welcome");
    await (await client.request("shell", "kernel_info_request")).idle();
  });
  afterAll(() => {
    client.close();
    started.stop();
  });
  const result = (messages: { header: { msg_type: string }; content: Record<string, unknown> }[]) =>
    (
      messages.find((m) => m.header.msg_type === "execute_result")?.content.data as Record<string, string> | undefined
    )?.["text/plain"];

  it("welcomes a subscriber, runs cells, keeps state", async () => {
    expect(result((await client.execute("let a = 40; a + 2")).messages)).toBe("42");
    expect(result((await client.execute("a++; a")).messages)).toBe("41");
  });

  it("answers the heartbeat and the control channel while a loop runs, and interrupts it", async () => {
    const cell = await client.request("shell", "execute_request", { code: "while (true);" });
    await client.until(() => cell.mine().find((g) => g.message.header.msg_type === "execute_input"), "input");
    await sleep(50);
    for (let i = 0; i < 20; i++) expect(await client.heartbeat()).toBeLessThan(200);
    expect(await (await client.request("control", "interrupt_request")).reply()).toEqual({ status: "ok" });
    expect(await cell.reply()).toMatchObject({ status: "error", ename: "Interrupted" });
    await cell.idle();
    expect(result((await client.execute("a")).messages)).toBe("41");
  });

  it("is interrupted by the signal too", async () => {
    const cell = await client.request("shell", "execute_request", { code: "for (;;) await null" });
    await client.until(() => cell.mine().find((g) => g.message.header.msg_type === "execute_input"), "input");
    await sleep(50);
    started.process.kill("SIGINT");
    expect(await cell.reply()).toMatchObject({ ename: "Interrupted" });
  });

  it("delivers a flood whole, before idle", async () => {
    const lines = 100_000;
    const { messages } = await client.execute(`for (let i = 0; i < ${lines}; i++) console.log(i)`);
    const text = messages
      .filter((m) => m.header.msg_type === "stream")
      .map((m) => m.content.text)
      .join("");
    expect(text.split("\n").length - 1).toBe(lines);
  });

  it("aborts the requests that were on their way when a cell failed, and none that came later", async () => {
    const codes = ["throw new Error('first')", "'second'", "'third'"];
    const cells = await Promise.all(codes.map((code) => client.request("shell", "execute_request", { code })));
    expect(await Promise.all(cells.map(async (cell) => (await cell.reply()).status))).toEqual([
      "error",
      "aborted",
      "aborted",
    ]);
    expect(result((await client.execute("'later'")).messages)).toBe("'later'");
  });

  it("listens on loopback only", () => {
    if (!existsSync("/proc/net/tcp")) return;
    const ports = Object.entries(started.connection)
      .filter(([name]) => name.endsWith("_port"))
      .map(([, port]) => Number(port));
    const listening = readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .map((line) => / ([0-9A-F]{8}):([0-9A-F]{4}) [0-9A-F:]+ 0A/.exec(line))
      .filter((m) => m && ports.includes(Number.parseInt(m[2]!, 16)));
    expect(listening.length).toBe(5);
    expect(new Set(listening.map((m) => m![1]))).toEqual(new Set(["0100007F"]));
  });

  it("runs nothing for a client with another key, and goes on", async () => {
    const stranger = connect(started.connection, "another key");
    await stranger.raw(
      "shell",
      stranger.encode(stranger.message("execute_request", { code: "globalThis.broken = true" })),
    );
    await stranger.raw("control", stranger.encode(stranger.message("shutdown_request", { restart: false })));
    await sleep(100);
    expect(result((await client.execute("typeof (globalThis as any).broken")).messages)).toBe("'undefined'");
    stranger.close();
  });

  it("ends when told, with a reply", async () => {
    const exited = new Promise((resolve) => started.process.once("exit", resolve));
    expect(await (await client.request("control", "shutdown_request", { restart: false })).reply()).toEqual({
      status: "ok",
      restart: false,
    });
    expect(await exited).toBe(0);
  });
});
