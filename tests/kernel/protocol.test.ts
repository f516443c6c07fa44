// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are code in strings.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters as plain } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { languageClient } from "../../kernel/language/client.ts";
import { sleep, temporaryFolder, testKernel } from "./support/kernel.ts";

const preload = fileURLToPath(new URL("./fixtures/preload.ts", import.meta.url));

function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((r) => (resolve = r));
  return { promise, resolve };
}

describe("the protocol, message by message (every one checked against its schema as it is sent)", () => {
  let k: ReturnType<typeof testKernel>;
  const answers = ["Ada", "secret", "y", ""];
  beforeAll(() => {
    k = testKernel({ onInput: () => answers.shift() ?? "none left" });
  });
  afterAll(() => k.close());

  it("answers kernel_info at once, before the process for the cells is up", async () => {
    const fresh = testKernel({ preload });
    const cell = fresh.start("1");
    const request = fresh.request("kernel_info_request");
    expect(await request.reply()).toMatchObject({ status: "ok", protocol_version: "5.4", implementation: "thalweg" });
    await request.idle();
    expect(fresh.sent[0]!.message.content).toEqual({ execution_state: "starting" });
    expect(fresh.sent.some((s) => s.message.header.msg_type === "execute_reply")).toBe(false);
    await cell.done();
    await fresh.close();
  });

  it("brackets a cell by busy and idle, with input, output, result and reply in order", async () => {
    const { messages, reply } = await k.execute("console.log('out'); 6 * 7");
    const types = messages.map(
      (m) => `${m.header.msg_type}${m.content.execution_state ? ` ${String(m.content.execution_state)}` : ""}`,
    );
    expect(types).toEqual(["status busy", "execute_input", "stream", "execute_result", "status idle"]);
    expect(reply).toMatchObject({ status: "ok", payload: [], user_expressions: {} });
    const order = k.sent.map((s) => s.message.header.msg_type);
    expect(order.lastIndexOf("execute_reply")).toBeGreaterThan(order.lastIndexOf("execute_result"));
  });

  it("counts cells, but not silent ones nor those that are not stored; silent cells publish nothing but their status", async () => {
    const before = Number((await k.execute("0")).reply.execution_count);
    const silent = await k.execute("console.log('x'); display.text('y'); globalThis.touched = true; 5", {
      silent: true,
    });
    expect(silent.messages.map((m) => m.header.msg_type)).toEqual(["status", "status"]);
    const unstored = await k.execute("touched", { store_history: false });
    expect(unstored).toMatchObject({ result: "true", reply: { execution_count: before } });
    const failed = await k.execute("throw new Error('quiet')", { silent: true });
    expect(failed.reply).toMatchObject({ status: "error", ename: "Error", evalue: "quiet" });
    expect(failed.error).toBeUndefined();
    expect(Number((await k.execute("0")).reply.execution_count)).toBe(before + 1);
  });

  it("answers a cell of blanks", async () => {
    expect((await k.execute("  \n ")).reply.status).toBe("ok");
  });

  it("evaluates user_expressions after the cell, errors included", async () => {
    const { reply } = await k.execute("let u = 5", {
      user_expressions: { good: "u + 1", bad: "nothere", worse: "let x = ;" },
    });
    expect(reply.user_expressions).toMatchObject({
      good: { status: "ok", data: { "text/plain": "6" } },
      bad: { status: "error", ename: "ReferenceError" },
      worse: { status: "error", ename: "SyntaxError" },
    });
  });

  it("aborts what was queued before an error, runs what comes after it, and runs on without stop_on_error", async () => {
    const [first, second] = [k.start("throw new Error('stop')"), k.start("1 + 1")];
    expect((await first.done()).reply.status).toBe("error");
    const later = k.start("'after'");
    expect((await second.done()).reply.status).toBe("aborted");
    expect((await later.done()).result).toBe("'after'");
    const [failing, next] = [k.start("throw new Error('go on')", { stop_on_error: false }), k.start("1 + 1")];
    expect((await failing.done()).reply.status).toBe("error");
    expect((await next.done()).result).toBe("2");
  });

  it("reports an error with ename, evalue and traceback, in the message and in the reply alike", async () => {
    const { error, reply } = await k.execute("throw new RangeError('too far')");
    expect(error).toMatchObject({ ename: "RangeError", evalue: "too far" });
    expect(reply).toMatchObject({ ...error, status: "error" });
  });

  it("completes names of earlier cells and members by their types, counting code points", async () => {
    const types = testKernel({ typeErrors: "warn" });
    await types.execute(
      "interface Options { alpha: number; beta: string }\nconst options: Options = { alpha: 1, beta: '' }",
    );
    const complete = async (code: string, cursor_pos = [...code].length) =>
      types.request("complete_request", { code, cursor_pos }).reply();
    expect(await complete("options.al")).toMatchObject({ matches: ["alpha"], cursor_start: 8, cursor_end: 10 });
    expect((await complete("opti")).matches).toContain("options");
    expect(await complete("const s = '😀'; options.be")).toMatchObject({
      matches: ["beta"],
      cursor_start: 23,
      cursor_end: 25,
    });
    expect((await complete("[1].toStri")).matches).toEqual(["toString"]);
    expect((await complete("display.mark")).matches).toEqual(["markdown"]);
    await types.close();
  });

  it("inspects names with their type and documentation, and says when there is nothing", async () => {
    const types = testKernel({ typeErrors: "warn" });
    await types.execute("/** Doubles a number. */\nfunction twice(n: number) { return 2 * n }");
    const inspect = (code: string, cursor_pos: number) =>
      types.request("inspect_request", { code, cursor_pos, detail_level: 0 }).reply();
    expect(await inspect("twice(3)", 5)).toMatchObject({
      found: true,
      data: { "text/plain": "twice(n: number): number\n\nDoubles a number." },
    });
    expect(await inspect("twice(3", 7)).toMatchObject({ found: true });
    expect(await inspect("nobody", 3)).toEqual({ status: "ok", found: false, data: {}, metadata: {} });
    const page = await types.execute("twice?");
    expect(page.reply.payload).toMatchObject([
      { source: "page", data: { "text/plain": expect.stringContaining("Doubles a number.") } },
    ]);
    await types.close();
  });

  it("lets TypeScript go when nobody asks, and has it back with the cells of before and without those that never ran", async () => {
    let threads = 0;
    const count = () => void threads++;
    subscribe("worker_threads", count);
    const types = languageClient({ cwd: temporaryFolder(), restMs: 0 });
    await types.check(1, "cell_1.ts", "const kept = { alpha: 1 };", true);
    await types.check(2, "cell_2.ts", "const kept = { broken: 1 };", true);
    types.failed(2, { ename: "SyntaxError", evalue: "", traceback: [] });
    await vi.waitFor(async () => {
      const asked = threads;
      const { matches } = await types.complete("kept.", 5);
      expect(matches.map((m) => m.text)).toEqual(["alpha"]);
      expect(threads).toBeGreaterThan(asked); // A thread of its own for this question: the one before was let go.
    }, 50_000);
    unsubscribe("worker_threads", count);
    await types.close();
  });

  it("knows complete, incomplete and invalid code", async () => {
    const status = async (code: string) => (await k.request("is_complete_request", { code }).reply()).status;
    for (const code of [
      "1",
      "const f = (x: number) => x",
      "await x",
      "class A { @d m() {} }",
      "x?",
      "for (const a of b) c()",
      "`a${1}`",
    ])
      expect(await status(code), code).toBe("complete");
    for (const code of ["function f() {", "foo(", "`abc", "const a = ", "[1, 2,", "if (x) {\n  y()", "/* open"])
      expect(await status(code), code).toBe("incomplete");
    for (const code of ["let x = )", "import = 7q", "const const = 1", "}"])
      expect(await status(code), code).toBe("invalid");
    expect(await k.request("is_complete_request", { code: "if (x) {" }).reply()).toEqual({
      status: "incomplete",
      indent: "  ",
    });
  });

  it("keeps history: tail, range, search with patterns, outputs, uniqueness", async () => {
    const h = testKernel();
    for (const code of ["1+2", "1+2", "const alpha = 3", "alpha"]) await h.execute(code);
    await h.execute("hidden", { store_history: false });
    const ask = async (content: object) =>
      (await h.request("history_request", { output: false, raw: true, ...content }).reply()).history;
    expect(await ask({ hist_access_type: "tail", n: 2 })).toEqual([
      [1, 3, "const alpha = 3"],
      [1, 4, "alpha"],
    ]);
    expect(await ask({ hist_access_type: "range", session: 0, start: 1, stop: 3 })).toEqual([
      [1, 1, "1+2"],
      [1, 2, "1+2"],
    ]);
    expect(await ask({ hist_access_type: "search", pattern: "1?2*", unique: true, n: 10 })).toEqual([[1, 2, "1+2"]]);
    expect(await ask({ hist_access_type: "tail", n: 1, output: true })).toEqual([[1, 4, ["alpha", "3"]]]);
    await h.close();
  });

  it("asks for input: prompt and confirm wait for the answer, process.stdin reads lines of them", async () => {
    expect((await k.execute("prompt('Who? ')")).result).toBe("'Ada'");
    const request = k.sent.findLast((s) => s.message.header.msg_type === "input_request")!;
    expect(request.message.content).toEqual({ prompt: "Who? ", password: false });
    answers.splice(0, answers.length, "y", "one", "two");
    expect((await k.execute("confirm('Sure?')")).result).toBe("true");
    const code =
      "import { createInterface } from 'node:readline/promises'; const rl = createInterface({ input: process.stdin }); const said = await rl.question('?'); rl.close(); said";
    expect((await k.execute(code)).result).toBe("'one'");
    expect((await k.execute("prompt('x')", { allow_stdin: false })).error?.evalue).toMatch(/allow_stdin/);
  });

  it("opens, uses, lists and closes comms from both sides", async () => {
    await k.execute(
      "const heard: unknown[] = []; comm.register('echo', (c, data) => { heard.push(data); c.onMessage = (d) => c.send({ echo: d }); c.onClose = () => heard.push('closed') })",
    );
    k.request("comm_open", { comm_id: "c1", target_name: "echo", data: { hello: 1 } });
    const message = k.request("comm_msg", { comm_id: "c1", data: { n: 5 } });
    expect((await message.saw("comm_msg")).content).toEqual({ comm_id: "c1", data: { echo: { n: 5 } } });
    expect(await k.request("comm_info_request", {}).reply()).toEqual({
      status: "ok",
      comms: { c1: { target_name: "echo" } },
    });
    expect(await k.request("comm_info_request", { target_name: "other" }).reply()).toEqual({ status: "ok", comms: {} });
    await k.request("comm_close", { comm_id: "c1", data: {} }).idle();
    expect((await k.execute("heard")).result).toBe("[ { hello: 1 }, 'closed' ]");
    const { messages } = await k.execute(
      "const own = comm.open('front', { a: 1 }); own.send({ b: 2 }, { buffers: [new Uint8Array([1, 2])] }); own.close()",
    );
    const sent = messages.filter((m) => m.header.msg_type.startsWith("comm_"));
    expect(sent.map((m) => m.header.msg_type)).toEqual(["comm_open", "comm_msg", "comm_close"]);
    expect([...sent[1]!.buffers[0]!]).toEqual([1, 2]);
    expect(
      (await k.request("comm_open", { comm_id: "c2", target_name: "nobody", data: {} }).saw("comm_close")).content
        .comm_id,
    ).toBe("c2");
  });

  it("answers everything else while a cell runs, and leaves the frontend believing that it is busy", async () => {
    const cell = k.start("const until = Date.now() + 400; while (Date.now() < until); 'ran'");
    await cell.saw("execute_input");
    await sleep(50);
    await k.request("kernel_info_request").idle();
    expect(cell.iopub().some((m) => m.content.execution_state === "idle")).toBe(false);
    await k.until(() => {
      const last = k.sent.findLast((s) => s.message.header.msg_type === "status")!.message;
      const busy =
        last.content.execution_state === "busy" && (last.parent_header as { msg_id: string }).msg_id === cell.id;
      return busy || undefined;
    }, "busy for the cell");
    expect((await cell.done()).result).toBe("'ran'");
  });

  it("ignores messages of unknown type, and answers a request without code with an error", async () => {
    k.request("no_such_request", {});
    expect(await k.request("execute_request", { code: 5 }).reply()).toMatchObject({
      status: "error",
      ename: "TypeError",
    });
    expect((await k.execute("1")).result).toBe("1");
  });

  it("shuts down and restarts when told, ending the process of the cells", async () => {
    const { promise: exited, resolve } = deferred<boolean>();
    const one = testKernel({ onExit: resolve });
    await one.execute("setInterval(() => {}, 1000)");
    const { pid } = one.kernel;
    expect(await one.request("shutdown_request", { restart: true }, { channel: "control" }).reply()).toEqual({
      status: "ok",
      restart: true,
    });
    expect(await exited).toBe(true);
    expect(() => process.kill(pid!, 0)).toThrow(/ESRCH/);
  });
});

describe("a preloaded library", () => {
  it("gives its names to cells, the same instance to imports of it, and its types to the language service", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "sub"));
    writeFileSync(
      join(folder, "helper.ts"),
      "import { counter } from 'small-library';\nexport const bump = () => ++counter.value;",
    );
    const k = testKernel({ preload, cwd: folder, typeErrors: "warn", awaitTypes: true });
    expect((await k.execute("doubled(21)")).result).toBe("42");
    const imported = await k.execute(
      "import { counter as mine } from 'small-library'; import { bump } from './helper.ts'; bump(); mine.value++; [counter.value, mine === counter]",
    );
    expect([imported.result, imported.stderr]).toEqual(["[ 2, true ]", ""]);
    expect((await k.execute("typeof (globalThis as any).default")).result).toBe("'undefined'");
    const reply = await k.request("inspect_request", { code: "doubled", cursor_pos: 7, detail_level: 0 }).reply();
    expect(reply.data).toMatchObject({
      "text/plain": expect.stringMatching(/function doubled\(steps: number\): number\n\nDoubles a number of steps\./),
    });
    expect((await k.request("complete_request", { code: "doub", cursor_pos: 4 }).reply()).matches).toContain("doubled");
    expect((await k.execute("doubled('x')")).stderr).toMatch(/TS2345/);
    expect((await k.execute("const doubled = 5; doubled")).result).toBe("5");
    await k.close();
  });

  it("that does not load is named in the first cell, and the session goes on without it", async () => {
    const k = testKernel({ preload: "./nowhere.ts" });
    const first = await k.execute("1 + 1");
    expect(first.stderr).toMatch(/nowhere\.ts does not exist/);
    expect(first.result).toBe("2");
    expect((await k.execute("2")).stderr).toBe("");
    await k.close();
  });
});

describe("type errors", () => {
  it("appear under the cell with a code frame, and hold nothing back", async () => {
    const k = testKernel({ typeErrors: "warn", awaitTypes: true });
    const { stderr, result } = await k.execute("const n: number = 'text';\nn");
    expect(result).toBe("'text'");
    expect(plain(stderr)).toBe(
      "TS2322 Type 'string' is not assignable to type 'number'. (Cell 1, line 1)\n  1 | const n: number = 'text';\n    |       ~\n",
    );
    expect(
      (await k.execute("n = 3 as any; let m = n.toFixed(1); function later(): string { return m }")).stderr,
    ).toMatch(/TS2588.*Cannot assign to 'n'/);
    expect((await k.execute("m = 5; later()")).stderr).toMatch(/TS2322/);
    expect(
      (await k.execute("[3, 1].toSorted(); new Set([1]).union?.(new Set([2])); await Promise.resolve(1)")).stderr,
    ).toBe("");
    await k.close();
  });

  it("keep the cell from running in block mode", async () => {
    const k = testKernel({ typeErrors: "block" });
    const { error, reply } = await k.execute("globalThis.ran = true; const n: number = 'text'");
    expect(error).toMatchObject({ ename: "TypeScriptError", evalue: expect.stringContaining("not assignable") });
    expect(reply.status).toBe("error");
    expect((await k.execute("(globalThis as any).ran")).result).toBeUndefined();
    await k.close();
  });
});
