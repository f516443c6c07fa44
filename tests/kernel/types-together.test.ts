import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Language, type LanguageOptions, languageClient } from "../../kernel/language/client.ts";
import { temporaryFolder } from "./support/kernel.ts";

/** Threads that were started, the last of them at the end, and those that ended. */
const threads: Worker[] = [];
const ended = new Set<Worker>();
const started = (message: unknown) => {
  const { worker } = message as { worker: Worker };
  threads.push(worker);
  worker.once("exit", () => ended.add(worker));
};
beforeAll(() => channel("worker_threads").subscribe(started));
afterAll(() => void channel("worker_threads").unsubscribe(started));

const open: Language[] = [];
function begin(cwd: string, more: Partial<LanguageOptions> = {}): Language {
  const language = languageClient({ cwd, ...more });
  open.push(language);
  return language;
}
afterEach(async () => {
  for (const language of open.splice(0)) await language.close();
});

const declare = (language: Language, code: string, run = 1) => language.check(run, `cell_${run}.ts`, code, true);
const members = async (language: Language, code = "kept.") =>
  (await language.complete(code, code.length)).matches.map(({ text }) => text);
/** Numbers of the errors in a cell that is not kept. */
const errors = async (language: Language, code: string) =>
  (await language.check(99, "cell_99.ts", code, false)).map((one) => one.code);

describe("kernels of one process, which share a thread of TypeScript", () => {
  it("see their own cells where two in one folder have cells of the same name, whoever asked last", async () => {
    const folder = temporaryFolder();
    const [one, other] = [begin(folder), begin(folder)];
    // Both have put as many cells when they ask: what tells the files apart is not how many came before.
    expect(await declare(one, "const kept = { alpha: 1 };")).toEqual([]);
    expect(await declare(other, "const kept = { beta: 'b' };")).toEqual([]);
    for (const again of [1, 2]) {
      expect(await members(one), `${again}`).toEqual(["alpha"]);
      expect(await members(other), `${again}`).toEqual(["beta"]);
      expect(await errors(one, "kept.alpha.toFixed(); kept.beta")).toEqual([2339]);
      expect(await errors(other, "kept.beta.trim(); kept.alpha")).toEqual([2339]);
    }
    expect((await one.inspect("kept", 2))!["text/plain"]).toContain("alpha: number");
    expect((await other.inspect("kept", 2))!["text/plain"]).toContain("beta: string");
    await one.close();
    expect(await members(other)).toEqual(["beta"]);
    const third = begin(folder);
    expect(await errors(third, "kept.beta")).toEqual([2304]);
    expect(threads).toHaveLength(1);
  });

  it("read what has changed on disk when they begin: own files, packages, and the library that is loaded", async () => {
    const folder = temporaryFolder();
    let clock = Date.now() / 1000 - 1000;
    const write = (name: string, text: string) => {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      utimesSync(path, clock, ++clock);
    };
    const all = (name: string) => {
      write("own.ts", `export const own = { ${name}: 1 };`);
      write("node_modules/pack/index.d.ts", `export declare const pack: { ${name}: number };`);
      write("lib/index.ts", 'export { inner } from "./inner.ts";');
      write("lib/inner.ts", `export const inner = { ${name}: 1 };`);
    };
    write("node_modules/pack/package.json", '{"name":"pack","types":"index.d.ts"}');
    const imports = 'import { own } from "./own.ts"; import { pack } from "pack"; import * as mine from "mine"; ';
    const used = (name: string) => `${imports}own.${name}; pack.${name}; inner.${name}; mine.inner.${name};`;
    const fresh = () => {
      const language = begin(folder);
      language.preloaded(["inner"], pathToFileURL(join(folder, "lib/index.ts")).href, "mine");
      return language;
    };
    all("older");
    const before = fresh();
    expect(await errors(before, used("older"))).toEqual([]);
    expect(await errors(before, used("newer"))).toEqual([2339, 2339, 2339, 2339]);
    all("newer");
    const after = fresh();
    expect(await errors(after, used("newer"))).toEqual([]);
    expect(await errors(after, used("older"))).toEqual([2339, 2339, 2339, 2339]);
    // The session of before has the library that it loaded; its own files are as they are now.
    expect(await errors(before, "inner.older")).toEqual([]);
    expect(await errors(before, `${imports}own.newer; pack.older`)).toEqual([]);
    expect(await errors(after, used("newer"))).toEqual([]);
    await before.close();
    all("newest");
    await after.close();
    expect(await errors(fresh(), used("newest"))).toEqual([]);
    expect(threads).toHaveLength(1);
  });

  it("begin anew with their cells when the thread dies, and wait for no answer of it", async () => {
    const folder = temporaryFolder();
    const [one, other] = [begin(folder), begin(folder)];
    await declare(one, "const kept = { alpha: 1 };");
    await declare(other, "const kept = { beta: 1 };");
    const died = threads.at(-1)!;
    const [exit, lost] = [once(died, "exit"), one.complete("kept.", 5)];
    void died.terminate();
    await exit;
    expect((await lost).matches).toEqual([]);
    expect(await members(one)).toEqual(["alpha"]);
    expect(await members(other)).toEqual(["beta"]);
    expect(threads.slice(threads.indexOf(died))).toHaveLength(2); // One for both.
  });

  it("leave the thread to the others, stay answered when one goes, and have it for a minute after the last", async () => {
    const folder = temporaryFolder();
    const [one, other] = [begin(folder), begin(folder)];
    await declare(other, "const kept = { beta: 1 };");
    await declare(one, "const kept = { alpha: 1 };");
    const [lost, answered] = [one.complete("kept.", 5), members(other)];
    await one.close();
    expect((await lost).matches).toEqual([]);
    expect(await answered).toEqual(["beta"]);
    expect((await one.complete("kept.", 5)).matches).toEqual([]);
    const thread = threads.at(-1)!;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await other.close();
      vi.advanceTimersByTime(59_000);
      const next = begin(folder);
      expect(await errors(next, "kept")).toEqual([2304]);
      vi.advanceTimersByTime(61_000); // It came within the minute, and stays.
      expect(await errors(next, "1 as string")).toEqual([2352]);
      expect(threads.at(-1)).toBe(thread);
      await next.close();
      vi.advanceTimersByTime(61_000);
    } finally {
      vi.useRealTimers();
    }
    await vi.waitFor(() => expect(ended).toEqual(new Set(threads)), 10_000);
  });

  it("rest alone: the thread is let go when the last of them rests", async () => {
    const folder = temporaryFolder();
    const awake = begin(folder);
    const resting = begin(folder, { restMs: 0 });
    await declare(awake, "const kept = { alpha: 1 };");
    await declare(resting, "const kept = { beta: 1 };");
    const thread = threads.at(-1)!;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await members(awake)).toEqual(["alpha"]);
    expect(await members(resting)).toEqual(["beta"]);
    expect(threads.at(-1)).toBe(thread);
    await awake.close();
    expect(await members(resting)).toEqual(["beta"]);
    await vi.waitFor(() => expect(ended).toContain(thread), 10_000);
  });

  it("end the thread when one goes that is stuck in a question, or the only one without its answer", async () => {
    const folder = temporaryFolder();
    const [one, other] = [begin(folder), begin(folder)];
    const [asked, stuck] = [declare(one, "const kept = { alpha: 1 };"), other.complete("kept.", 5)];
    expect(ended).not.toContain(threads.at(-1));
    const first = threads.at(-1)!;
    const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 11_000);
    await other.close();
    clock.mockRestore();
    expect([await asked, (await stuck).matches]).toEqual([[], []]);
    expect(await members(one)).toEqual(["alpha"]);
    expect(ended).toContain(first);
    const second = threads.at(-1)!;
    expect(second).not.toBe(first);
    const lost = one.complete("kept.", 5);
    await one.close();
    expect((await lost).matches).toEqual([]);
    await vi.waitFor(() => expect(ended).toContain(second), 10_000);
  });
});
