// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are code in strings.
/**
 * Random messages, random cells and random deaths; the kernel must answer afterwards. `npm test` runs a short form;
 * KERNEL_FUZZ=full runs 10,000 messages on each channel and 2,000 cells.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileCell } from "../../kernel/cell/cell.ts";
import { connect, type StartedKernel, startProcess } from "./support/client.ts";
import { sleep, testKernel } from "./support/kernel.ts";

const full = process.env.KERNEL_FUZZ === "full";
const seed = Number(process.env.KERNEL_FUZZ_SEED ?? 20_240_601);

describe("a kernel that is sent rubbish", () => {
  let started: StartedKernel;
  let client: ReturnType<typeof connect>;
  beforeAll(async () => {
    started = await startProcess();
    client = connect(started.connection);
    await client.until(() => client.got.find((g) => g.message.header.msg_type === "iopub_welcome"), "welcome");
  });
  afterAll(() => {
    client.close();
    started.stop();
  });

  const mark = "globalThis.__broken = true";
  /** A valid request, broken in one of many ways. */
  function mutate(rng: (n: number) => number): { frames: Uint8Array[]; signed: boolean } {
    const types = [
      "execute_request",
      "kernel_info_request",
      "complete_request",
      "inspect_request",
      "is_complete_request",
      "history_request",
      "comm_info_request",
      "comm_open",
      "comm_msg",
      "input_reply",
      "interrupt_request",
      "nonsense",
    ];
    const type = types[rng(types.length)]!;
    const odd = [null, 0, -1, 1e308, "", "x".repeat(1000), [], {}, true, "\u0000", { a: { b: [] } }];
    const content: Record<string, unknown> = {
      code: mark,
      cursor_pos: 3,
      comm_id: "c",
      target_name: "t",
      data: {},
      hist_access_type: "tail",
      n: 5,
      value: "v",
    };
    for (const key of Object.keys(content)) if (rng(3) === 0) content[key] = odd[rng(odd.length)];
    if (rng(3) > 0) {
      // Correctly signed, oddly filled: must be answered or ignored, never fatal. Nothing that sets the mark.
      if (content.code === mark) content.code = "1";
      return { frames: client.encode(client.message(type, content)), signed: true };
    }
    const frames = client.encode(client.message(type, content)).map((frame) => Buffer.from(frame));
    switch (rng(5)) {
      case 0: {
        const frame = frames[1 + rng(5)]!;
        if (frame.length > 0) frame[rng(frame.length)]! ^= 1 + rng(255);
        break;
      }
      case 1:
        frames.splice(rng(frames.length), 1);
        break;
      case 2:
        frames[rng(frames.length)] = Buffer.from(Array.from({ length: rng(50) }, () => rng(256)));
        break;
      case 3:
        frames[1] = Buffer.alloc(64, "0");
        break;
      default:
        frames.length = rng(3);
        if (frames.length === 0) frames.push(Buffer.alloc(0));
    }
    return { frames, signed: false };
  }

  it(`survives ${full ? "10,000" : "300"} mutated messages on each channel, and runs nothing that is not signed`, {
    timeout: 600_000,
  }, async () => {
    let state = seed;
    const rng = (n: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    for (const channel of ["shell", "control", "stdin"] as const) {
      for (let i = 0; i < (full ? 10_000 : 300); i++) {
        await client.raw(channel, mutate(rng).frames);
        if (i % 500 === 499) await (await client.request("control", "kernel_info_request", {}, 60_000)).reply();
      }
      client.got.length = 0;
      expect((await (await client.request("control", "kernel_info_request", {}, 60_000)).reply()).status).toBe("ok");
    }
    await (await client.request("control", "interrupt_request")).reply();
    // The odd requests that were answered by an error may abort what is queued behind them.
    await client.execute("0", {}, 120_000);
    const { messages } = await client.execute("typeof (globalThis as any).__broken", {}, 120_000);
    expect(messages.find((m) => m.header.msg_type === "execute_result")?.content.data).toEqual({
      "text/plain": "'undefined'",
    });
  });
});

describe("random cells", () => {
  const name = fc.constantFrom("a", "b", "c", "d", "Thing");
  const expression: fc.Arbitrary<string> = fc.letrec((tie) => ({
    e: fc.oneof(
      { maxDepth: 3 },
      name,
      fc.integer().map(String),
      fc.constantFrom(
        "'s'",
        "`t${1}`",
        "[]",
        "{}",
        "null",
        "this",
        "await 1",
        "await Promise.reject(new Error('r'))",
        "import.meta.url",
        "/re/.test('x')",
      ),
      fc
        .tuple(tie("e"), fc.constantFrom("+", "===", "??", ",", "=", "?.x;", "as any;"), tie("e"))
        .map(([l, op, r]) => `(${String(l)} ${op} ${String(r)})`),
      fc.tuple(name, tie("e")).map(([n, e]) => `${n}(${String(e)})`),
      tie("e").map((e) => `(async () => ${String(e)})()`),
      tie("e").map((e) => `function () { return ${String(e)} }`),
    ),
  })).e as fc.Arbitrary<string>;
  const statement = fc.oneof(
    fc
      .tuple(fc.constantFrom("const", "let", "var", "using"), name, expression)
      .map(([k, n, e]) => `${k} ${n}: any = ${e};`),
    fc.tuple(name, expression).map(([n, e]) => `function ${n}(x: number) { return ${e} }`),
    fc.tuple(name, expression).map(([n, e]) => `class ${n} { m = ${e}; static { var q = 1 } async n() { await 1 } }`),
    name.map((n) => `enum ${n} { x, y }`),
    name.map((n) => `namespace ${n} { export const v = 1 }`),
    name.map((n) => `interface ${n} { v: number }`),
    fc.tuple(name, expression).map(([n, e]) => `for (var ${n} of [${e}]) { var inner = ${n} }`),
    fc.tuple(name, expression).map(([n, e]) => `{ const { ${n} = ${e} } = {} as any; }`),
    name.map((n) => `import { sep as ${n} } from 'node:path';`),
    expression.map((e) => `export default ${e};`),
    expression.map((e) => `${e};`),
    fc.string().map((s) => s.slice(0, 30)),
    fc.constantFrom(
      "throw 1;",
      "try { a } catch { b } finally { c }",
      "label: for (;;) { break label }",
      "if (a) { b } else c",
      "await null;",
      "// comment",
      "/* open",
    ),
  );
  const cell = fc.array(statement, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("\n"));

  it(`never break the session: ${full ? "2,000" : "150"} of them, each answered, the next one runs`, {
    timeout: 600_000,
  }, async () => {
    const k = testKernel();
    await k.execute("const sentinel = 42");
    for (const code of fc.sample(cell, { numRuns: full ? 2000 : 150, seed })) {
      const running = k.start(code, { stop_on_error: false });
      try {
        await running.done(2000);
      } catch {
        // It waits for something that never comes: that is the cell's right, and the interrupt's work.
        await k.interrupt();
        await running.done(10_000);
      }
    }
    expect((await k.execute("sentinel")).result).toBe("42");
    await k.close();
  });

  it("compile to a script or to a syntax error, and to nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(cell, fc.string()), (code) => {
        try {
          compileCell(code, "cell.ts", 1);
        } catch (error) {
          expect((error as Error).name).toBe("SyntaxError");
        }
      }),
      { numRuns: full ? 5000 : 500, seed },
    );
  });
});

describe("a process killed at random moments", () => {
  it(`is replaced every time (${full ? 50 : 6} times)`, { timeout: 300_000 }, async () => {
    const k = testKernel();
    const codes = [
      "const end = Date.now() + 300; while (Date.now() < end);",
      "await new Promise((r) => setTimeout(r, 500))",
      "for (let i = 0; i < 1e5; i++) console.log(i)",
      "import 'node:fs'",
      "1 + 1",
    ];
    for (let i = 0; i < (full ? 50 : 6); i++) {
      const running = k.start(codes[i % codes.length]!, { stop_on_error: false });
      await sleep((i * 37) % 200);
      try {
        process.kill(k.kernel.pid!, "SIGKILL");
      } catch {}
      await running.done();
      expect((await k.execute("6 * 7")).result, `after kill ${i}`).toBe("42");
    }
    await k.close();
  });
});
