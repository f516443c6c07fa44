import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sleep, testKernel } from "./support/kernel.ts";

/** How often the kernel has printed this. */
const printed = (k: ReturnType<typeof testKernel>, text: string) =>
  k.sent
    .filter(({ message }) => message.header.msg_type === "stream")
    .map(({ message }) => String(message.content.text).split(text).length - 1)
    .reduce((a, b) => a + b, 0);

// How fast it is, under 100 ms, is measured by tests/bench/kernel.bench.ts.
describe("interrupting a cell", () => {
  let k: ReturnType<typeof testKernel>;
  beforeAll(async () => {
    k = testKernel();
    await k.execute(`let kept = 41; let ticks = 0
      require("node:v8").setFlagsFromString("--expose-gc"); const collect = require("node:vm").runInNewContext("gc")`);
  });
  afterAll(() => k.close());

  const loops: Record<string, string> = {
    "a synchronous loop": "while (true) ticks++",
    "a loop that catches everything": "while (true) { try { while (true) ticks++ } catch {} finally {} }",
    "a synchronous loop after an await": "await null; while (true) ticks++",
    "a loop of timers": "while (true) { ticks++; await new Promise((r) => setTimeout(r, 1)) }",
    "a loop of microtasks": "while (true) { ticks++; await null }",
    "a chain of promises":
      "const spin = (): Promise<void> => Promise.resolve().then(() => { ticks++; return spin() }); await spin()",
    "a loop of immediates": "while (true) { ticks++; await new Promise((r) => setImmediate(r)) }",
    "a loop that swallows every rejection":
      "while (true) { try { await new Promise((r) => setTimeout(r, 1)); ticks++ } catch {} }",
    "a wait for something that never comes": "await new Promise(() => {})",
    "a synchronous loop inside a timer": "await new Promise(() => setTimeout(() => { while (true) ticks++ }, 1))",
    "a synchronous loop inside an immediate, behind another immediate":
      "await new Promise(() => { setImmediate(() => {}); setImmediate(() => { while (true) ticks++ }) })",
    "a synchronous loop inside a tick": "await new Promise(() => process.nextTick(() => { while (true) ticks++ }))",
    "a for await over an endless generator":
      "async function* g() { while (true) { await null; yield ticks++ } }\nfor await (const t of g()) {}",
  };
  for (const [name, code] of Object.entries(loops)) {
    it(`stops ${name}, keeps the state, and nothing of it runs on`, async () => {
      const cell = k.start(code);
      await cell.saw("execute_input");
      await sleep(40);
      await k.interrupt();
      const { error } = await cell.done();
      expect(error?.ename).toBe("Interrupted");
      // What the cell left behind is garbage: collecting it must not bring down the process, nor what runs beside it.
      expect((await k.execute("collect(); kept + 1")).result).toBe("42");
      const before = (await k.execute("ticks")).result;
      await sleep(30);
      expect((await k.execute("ticks")).result).toBe(before);
    });
  }

  it("leaves timers, immediates, ticks and microtasks in order for the cells after it", async () => {
    const code = "await new Promise(() => { setImmediate(() => {}); setImmediate(() => { while (true) ticks++ }) })";
    for (const loop of ["while (true) ticks++", code]) {
      const cell = k.start(`console.log("begun"); ${loop}`);
      await cell.saw("stream");
      await sleep(20);
      await k.interrupt();
      expect((await cell.done()).error?.ename).toBe("Interrupted");
      const turns =
        "(await Promise.all([(r) => setTimeout(r, 1), setImmediate, process.nextTick, queueMicrotask].map((turn) => new Promise((r) => turn(() => r(1)))))).length";
      expect((await k.execute(turns)).result).toBe("4");
    }
  });

  it("stops a loop that a timer of an earlier cell begins, whether a cell waits behind it or none", async () => {
    for (const waits of [true, false]) {
      const text = `left behind, ${waits}`;
      // Built, so that the text is in no echo of the code, and of each round its own, so that no earlier one can be taken for it.
      await k.execute(`setTimeout(() => { console.log("left " + "behind, ${waits}"); while (true) ticks++ }, 20)`);
      await k.until(() => printed(k, text) || undefined, "the loop");
      const cell = waits ? k.start("ticks++; while (true) await null") : undefined;
      await cell?.saw("execute_input");
      await k.interrupt();
      if (cell) expect((await cell.done()).error?.ename).toBe("Interrupted");
      expect((await k.execute("kept")).result).toBe("41");
      const before = (await k.execute("ticks")).result;
      expect((await k.execute("ticks")).result).toBe(before);
      expect(printed(k, text)).toBe(1);
    }
  });

  it("stops no native code that must not be stopped, and lets none of it begin", async () => {
    // What is native here is a loop, so that the test can see whether it was cut.
    await k.execute(`let cut = 0; let whole = 0
      const { native } = (globalThis as any)[Symbol.for("Jupyter.interrupt")]
      const busy = (ms: number) => { const until = performance.now() + ms; while (performance.now() < until); }`);
    for (let round = 0; round < 5; round++) {
      const cell = k.start(`console.log("begun"); while (true) native(() => { cut++; busy(30); cut--; whole++ })`);
      await cell.saw("stream");
      await k.interrupt();
      expect((await cell.done()).error?.ename).toBe("Interrupted");
      expect((await k.execute("cut")).result).toBe("0");
    }
    expect(Number((await k.execute("whole")).result)).toBeGreaterThan(0);
    expect((await k.execute("native(() => native(() => 7))")).result).toBe("7");
    expect((await k.execute("native(() => { throw new Error('its own') })")).error?.evalue).toBe("its own");
    const after = k.start(`console.log("begun"); while (true) ticks++`);
    await after.saw("stream");
    await k.interrupt();
    expect((await after.done()).error?.ename).toBe("Interrupted");
  });

  it("leaves an idle kernel alone", async () => {
    await k.interrupt();
    expect((await k.execute("kept")).result).toBe("41");
  });

  it("lets a loop that polls stop by itself, with its own error", async () => {
    const cell = k.start(`
      const interrupt = (globalThis as any)[Symbol.for("Jupyter.interrupt")];
      let steps = 0;
      class Interrupted extends Error { override name = "Interrupted" }
      while (true) { steps++; const until = Date.now() + 1; while (Date.now() < until); if (interrupt.requested()) throw new Interrupted("after a whole step") }`);
    await cell.saw("execute_input");
    await sleep(60);
    await k.interrupt();
    expect((await cell.done()).error?.evalue).toBe("after a whole step");
    expect((await k.execute("interrupt.requested()")).result).toBe("false");
  });

  it("runs a function again whose first call was interrupted", async () => {
    const cell = k.start(
      "async function train(steps: number) { for (let i = 0; i < steps; i++) await new Promise((r) => setTimeout(r, 1)); return steps }\nawait train(1e6)",
    );
    await cell.saw("execute_input");
    await sleep(30);
    await k.interrupt();
    await cell.done();
    expect((await k.execute("await train(5)")).result).toBe("5");
  });

  it("does not make the next cell wait for what the stopped one was about to show", async () => {
    const cell = k.start("display({ [Symbol.for('Jupyter.display')]: () => new Promise(() => {}) })");
    await cell.saw("execute_input");
    await sleep(20);
    await k.interrupt();
    expect((await cell.done()).error?.ename).toBe("Interrupted");
    expect((await k.execute("kept")).result).toBe("41");
  });

  it("takes the request on the shell channel too, where VS Code sends it", async () => {
    const cell = k.start("while (true) ticks++");
    await cell.saw("execute_input");
    expect(await k.request("interrupt_request").reply()).toEqual({ status: "ok" });
    expect((await cell.done()).error?.ename).toBe("Interrupted");
  });

  it("interrupts a question to the user", async () => {
    const cell = k.start("prompt('name?')", { allow_stdin: true });
    await k.until(() => k.sent.find((s) => s.message.header.msg_type === "input_request"), "input_request");
    await k.interrupt();
    expect((await cell.done()).error?.ename).toBe("Interrupted");
  });
});
