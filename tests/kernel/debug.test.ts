import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { compileCell } from "../../kernel/cell/cell.ts";
import { pathOf } from "../../kernel/debug/adapter.ts";
import { murmur2 } from "../../kernel/debug/murmur2.ts";
import { pointAt, pointsOf } from "../../kernel/debug/points.ts";
import type { Content } from "../../kernel/messages.ts";
import { testKernel } from "./support/kernel.ts";

test("a cell is known by MurmurHash2 of its text, as ipykernel 7.4 computes it", () => {
  // python: ipykernel.compiler.murmur2_x86(text, 0xc70f6907)
  const known: [string, number][] = [
    ["", 3990065800],
    ["a", 2167009006],
    ["ab", 2805137849],
    ["abc", 3350977461],
    ["const a = 1\n", 2495433718],
    ["größer → 数", 1329782737],
  ];
  for (const [text, hash] of known) expect(murmur2(text, 0xc70f6907), text).toBe(hash);
});

test("every line with a statement has a place in the script, whatever the compiler put before it", () => {
  const source =
    "import { x } from 'm';\nconst a: number = 1\nfunction f(n: number) {\n  const b = n + a\n  return b\n}\n\nfor (const i of [1]) {\n  f(i)\n}\nf(a)";
  const points = pointsOf(compileCell(source, "cell_1.ts", 1));
  for (const line of [2, 4, 5, 8, 9, 11]) expect(pointAt(points, line)?.[2], `line ${line}`).toBe(line);
  expect(pointAt(points, 7)?.[2]).toBe(8);
  expect(pointAt(points, 12)).toBeUndefined();
});

describe("the debugger", () => {
  let k: ReturnType<typeof testKernel>;
  let seq = 0;
  beforeAll(async () => {
    k = testKernel();
    await k.execute("const before = 41");
  });
  afterAll(() => k.close());
  // biome-ignore lint/suspicious/noExplicitAny: read field by field.
  type Body = any;
  async function ask(command: string, given: Content = {}): Promise<Body> {
    const content = { type: "request", seq: ++seq, command, arguments: given };
    const reply = await k.request("debug_request", content, { channel: "control" }).reply();
    expect(reply, `${command}: ${String(reply.message)}`).toMatchObject({
      type: "response",
      request_seq: seq,
      success: true,
    });
    return reply.body;
  }
  const events = (event: string) =>
    k.sent.filter(({ message: { header, content } }) => header.msg_type === "debug_event" && content.event === event);
  const happened = (event: string, count: number) =>
    k.until(() => events(event)[count - 1]?.message.content.body as Body, `${event} ${count}`);

  it("says what there is without being attached, and lets go of the process", async () => {
    expect((await ask("debugInfo")).isStarted).toBe(false);
    const shape = "{ shape: [2, 3], dtype: 'float32', dataSync: () => new Float32Array(6) }";
    await k.execute(
      `let tensor = ${shape}; const words = ['a', 'b']; class Point { x = 1 }; const point = new Point(); const Map2 = new Map([[1, 2]])`,
    );
    const { variables } = await ask("inspectVariables");
    const of = (name: string) => variables.find((variable: Body) => variable.name === name);
    expect(of("before")).toMatchObject({ value: "41", type: "int", variablesReference: 0 });
    expect(of("tensor").value).toBe("Tensor float32 [2, 3]");
    expect(of("words")).toMatchObject({ type: "Array(2)", value: "Array(2)" });
    expect(of("point")).toMatchObject({ type: "Point", value: "Point" });
    const inside = await ask("variables", { variablesReference: of("point").variablesReference });
    expect(inside.variables).toMatchObject([{ name: "x", value: "1" }]);
    const rich = await ask("richInspectVariables", { variableName: "tensor" });
    expect(rich.data["text/plain"]).toMatch(/^Tensor float32 \[2, 3\]\n/);
    const refused = await k
      .request(
        "debug_request",
        { seq: 1, command: "richInspectVariables", arguments: { variableName: "a.b(" } },
        { channel: "control" },
      )
      .reply();
    expect(refused).toMatchObject({ success: false, message: expect.stringMatching(/a name is required/) });
    expect((await k.execute("before + 1")).result).toBe("42");
  });

  it("stops at a line of a cell, shows where and what, steps, and goes on", async () => {
    await ask("initialize");
    await ask("attach");
    const code =
      "function twice(n: number) {\n  const doubled = n * 2\n  return doubled\n}\nlet total = 0\nfor (const i of [1, 2]) {\n  total += twice(i)\n}\ntotal";
    const { sourcePath } = await ask("dumpCell", { code });
    expect(sourcePath).toBe(pathOf(code));
    const set = await ask("setBreakpoints", { source: { path: sourcePath }, breakpoints: [{ line: 3 }] });
    expect(set.breakpoints).toMatchObject([{ verified: true, line: 3 }]);
    const [stops, went] = [events("stopped").length, events("continued").length];
    const cell = k.start(code);
    expect(await happened("stopped", stops + 1)).toMatchObject({ reason: "breakpoint", threadId: 1 });
    const { stackFrames } = await ask("stackTrace", { threadId: 1 });
    expect(stackFrames).toMatchObject([
      { name: "twice", line: 3, source: { path: sourcePath } },
      { line: 7, source: { path: sourcePath } },
    ]);
    const { scopes } = await ask("scopes", { frameId: stackFrames[0].id });
    expect(scopes.map(({ name }: Body) => name)).toContain("Cells");
    const locals = await ask("variables", { variablesReference: scopes[0].variablesReference });
    expect(locals.variables).toMatchObject([
      { name: "n", value: "1" },
      { name: "doubled", value: "2" },
    ]);
    expect((await ask("evaluate", { expression: "n + before", frameId: stackFrames[0].id })).result).toBe("42");
    expect((await ask("richInspectVariables", { variableName: "doubled", frameId: 1 })).data).toEqual({
      "text/plain": "2",
    });
    expect((await ask("source", { source: { path: sourcePath } })).content).toBe(code);
    expect((await ask("debugInfo")).stoppedThreads).toEqual([1]);
    await ask("stepOut", { threadId: 1 });
    await happened("stopped", stops + 2);
    // V8 goes out to the next turn of the loop.
    expect((await ask("stackTrace")).stackFrames[0]).toMatchObject({ line: 6 });
    await ask("continue", { threadId: 1 });
    await happened("stopped", stops + 3);
    await ask("next", { threadId: 1 });
    await happened("stopped", stops + 4);
    await ask("setBreakpoints", { source: { path: sourcePath }, breakpoints: [] });
    await ask("continue", { threadId: 1 });
    expect((await cell.done()).result).toBe("6");
    // What says so may come after the reply of the cell: the process tells of its debugger on another way.
    await happened("continued", went + 4);
  });

  it("answers the heartbeat of its messages while the program stands, and an interrupt ends the cell", async () => {
    const code = "let n = 0\nwhile (true) {\n  n++\n}";
    const { sourcePath } = await ask("dumpCell", { code });
    await ask("setBreakpoints", { source: { path: sourcePath }, breakpoints: [{ line: 3, condition: "n === 5" }] });
    const stops = events("stopped").length;
    const cell = k.start(code);
    await happened("stopped", stops + 1);
    expect((await ask("evaluate", { expression: "n", frameId: 1 })).result).toBe("5");
    await k.request("kernel_info_request").reply();
    await k.interrupt();
    expect((await cell.done()).error?.ename).toBe("Interrupted");
  });

  it("stops where an error is thrown when asked to, and leaves the kernel as it was", async () => {
    await ask("setExceptionBreakpoints", { filters: ["all"] });
    const stops = events("stopped").length;
    const cell = k.start("const why = 'reason'\nthrow new Error(why)");
    expect(await happened("stopped", stops + 1)).toMatchObject({ reason: "exception" });
    expect((await ask("stackTrace")).stackFrames[0]).toMatchObject({ line: 2 });
    await ask("disconnect");
    expect((await cell.done()).error?.evalue).toBe("reason");
    expect((await ask("debugInfo")).isStarted).toBe(false);
    expect((await k.execute("process.exit(0)")).error?.ename).toBe("ProcessEnded");
    expect((await k.execute("1 + 1")).result).toBe("2");
  });
});
