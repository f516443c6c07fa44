import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sleep, testKernel } from "./support/kernel.ts";

describe("what cells print", () => {
  let k: ReturnType<typeof testKernel>;
  beforeAll(async () => {
    k = testKernel();
    await k.execute("0");
  });
  afterAll(() => k.close());

  it("arrives whole and before the end of the cell, also a flood from a loop", async () => {
    const lines = 50_000;
    const { stdout, messages } = await k.execute(`for (let i = 0; i < ${lines}; i++) console.log(i)`);
    const got = stdout.trimEnd().split("\n");
    expect(got.length).toBe(lines);
    expect(got.every((line, i) => line === String(i))).toBe(true);
    expect(messages.filter((m) => m.header.msg_type === "stream").length).toBeLessThan(200);
  });

  it("is seen while a loop still runs", async () => {
    const cell = k.start("console.log('first'); const end = Date.now() + 500; while (Date.now() < end);");
    await cell.saw("stream");
    expect(cell.iopub().some((m) => m.content.execution_state === "idle")).toBe(false);
    await cell.done();
  });

  it("keeps the order of text, displays and errors", async () => {
    const { messages } = await k.execute(
      "console.log('a'); display.text('b'); console.error('c'); console.log('d'); 'e'",
    );
    const shown = messages
      .filter((m) => !/status|input/.test(m.header.msg_type))
      .map((m) => m.content.text ?? (m.content.data as Record<string, string>)["text/plain"]);
    expect(shown).toEqual(["a\n", "b", "c\n", "d\n", "'e'"]);
  });

  it("indents groups, and formats as Node does", async () => {
    const { stdout, stderr } = await k.execute(
      "console.log('%s is %d', 'x', 3, { a: [1] }); console.group('G'); console.log('a\\nb'); console.warn('w'); console.dir({ d: 1 }); console.groupEnd(); console.log(); console.table([{ t: 1 }])",
    );
    expect(stdout).toMatch(/^x is 3 \{ a: \[ 1 \] \}\nG\n {2}a\n {2}b\n {2}\{ d: 1 \}\n\n┌/);
    expect(stderr).toBe("  w\n");
  });

  it("includes what native code and child processes write to the file descriptors", async () => {
    const { stdout, stderr } = await k.execute(
      "import { spawnSync } from 'node:child_process'; import { writeSync } from 'node:fs'; writeSync(1, 'raw\\n'); spawnSync('sh', ['-c', 'echo from child; echo to stderr >&2'], { stdio: 'inherit' }); 1",
    );
    expect(stdout).toBe("raw\nfrom child\n");
    expect(stderr).toBe("to stderr\n");
  });

  it("goes to the last cell when it comes after its end", async () => {
    const cell = k.start("setTimeout(() => console.log('late'), 60); 1");
    await cell.done();
    expect((await cell.saw("stream")).content.text).toBe("late\n");
  });

  it("is one message per burst, not one per line", async () => {
    const { messages } = await k.execute("for (let i = 0; i < 40; i++) process.stdout.write(i + ' ')");
    expect(messages.filter((m) => m.header.msg_type === "stream").length).toBeLessThan(4);
  });

  it("keeps the memory of the kernel bounded when nobody reads", { timeout: 60_000 }, async () => {
    // A slow frontend: each message takes 20 ms. The loop must wait for it, not fill the memory.
    const slow = testKernel();
    const before = process.memoryUsage().rss;
    const cell = slow.start(
      "let n = 0; const stop = Date.now() + 1500; while (Date.now() < stop) { console.log('x'.repeat(1000)); n++ }\nn",
    );
    const { stdout, result } = await cell.done();
    expect(stdout.length).toBe(Number(result) * 1001);
    expect(process.memoryUsage().rss - before).toBeLessThan(1.5e9);
    await slow.close();
  });
});

describe("a process that dies", () => {
  const deaths: Record<string, string> = {
    "process.exit": "console.log('last words'); process.exit(3)",
    "process.abort": "process.abort()",
    "a segmentation fault": "process.kill(process.pid, 'SIGSEGV'); while (true);",
    "being killed": "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})",
    "running out of memory": "const hog: unknown[] = []; while (true) hog.push(new Array(1e5).fill(0.5))",
  };
  let k: ReturnType<typeof testKernel>;
  const before = process.env.NODE_OPTIONS;
  beforeAll(() => {
    // Little memory, so that it runs out soon.
    process.env.NODE_OPTIONS = "--max-old-space-size=64";
    k = testKernel();
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
    await k.close();
  });
  for (const [name, code] of Object.entries(deaths)) {
    it(`by ${name} is an error of the cell; the next cell runs in a fresh one`, { timeout: 30_000 }, async () => {
      await k.execute("let state = 1");
      const { error, stdout } = await k.execute(code);
      expect(error?.ename).toBe("ProcessEnded");
      expect(error?.evalue).toMatch(/state is lost/);
      if (name === "process.exit")
        expect([stdout, error?.evalue]).toEqual(["last words\n", expect.stringContaining("exit code 3")]);
      expect((await k.execute("typeof state")).result).toBe("'undefined'");
      expect((await k.execute("1 + 1")).result).toBe("2");
    });
  }

  it("between cells is told, and the next cell runs", async () => {
    const cell = k.start("1");
    await cell.done();
    process.kill(k.kernel.pid!, "SIGKILL");
    await cell.saw("stream", (content) => /ended \(SIGKILL\)/.test(String(content.text)));
    expect((await k.execute("2 + 2")).result).toBe("4");
  });

  it("does not outlive the kernel, idle or in a loop", async () => {
    const { spawn } = await import("node:child_process");
    const code =
      "import { testKernel } from './tests/kernel/support/kernel.ts'; const k = testKernel(); await k.execute('0'); k.start('while (true);'); setTimeout(() => console.log(k.kernel.pid), 100)";
    const host = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = await new Promise<number>((resolve) => host.stdout.once("data", (data) => resolve(Number(data))));
    host.kill("SIGKILL");
    const alive = () => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    for (let i = 0; i < 100 && alive(); i++) await sleep(20);
    expect(alive()).toBe(false);
  });
});
