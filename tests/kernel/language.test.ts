// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are code in strings.
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters as plain } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder, testKernel } from "./support/kernel.ts";

describe("TypeScript in cells", () => {
  const folder = temporaryFolder();
  let k: ReturnType<typeof testKernel>;
  beforeAll(() => {
    k = testKernel({ cwd: folder });
  });
  afterAll(() => k.close());

  /** Runs cells in order; the last one's text, or its error. */
  const run = (...cells: string[]) => runIn(k, ...cells);
  async function runIn(kernel: typeof k, ...cells: string[]): Promise<string | undefined> {
    let last: string | undefined;
    for (const code of cells) {
      const { result, error } = await kernel.execute(code);
      last = error ? `${error.ename}: ${error.evalue}` : result;
    }
    return last;
  }

  it("lets closures see what later cells write", async () => {
    expect(
      await run("let counter = 0; function inc() { return ++counter }\ninc()", "counter = 10; inc()", "counter"),
    ).toBe("11");
  });

  it("redeclares anything by anything", async () => {
    const forms: Record<string, string> = {
      const: "const it = 'const'",
      let: "let it = 'let'",
      var: "var it = 'var'",
      function: "function it() {}",
      class: "class it {}",
      enum: "enum it { a }",
      namespace: "namespace it { export const a = 1 }",
      import: "import { sep as it } from 'node:path'",
    };
    for (const first of Object.keys(forms)) {
      for (const second of Object.keys(forms)) {
        expect(await run(forms[first]!, forms[second]!, "typeof it"), `${first}, then ${second}`).not.toMatch(/Error/);
      }
    }
  });

  it("lets cells have names of JavaScript and Node for their own, without taking them from anybody else", async () => {
    const own = testKernel({ cwd: folder });
    const run = (...cells: string[]) => runIn(own, ...cells);
    await run(
      "import { setTimeout } from 'node:timers/promises'; import process from 'node:process'",
      "class Map { size = 'mine' }\nconst Promise = 1, Error = 2, Buffer = 3, JSON = 4, Set = 5, Array = 6; let Object = 7",
    );
    expect(await run("await setTimeout(1, 'waited')")).toBe("'waited'");
    expect(await run("const { size, Map: other = Map } = new Map() as any; [size, other === Map, { Map }]")).toBe(
      "[ 'mine', true, { Map: [class Map] } ]",
    );
    expect(await run("Object = Object + Set; [Object, ((Map) => Map)(1), new globalThis.Map().size]")).toBe(
      "[ 12, 1, 0 ]",
    );
    expect(
      await run("import { parse } from 'node:path'; parse('/a/b').base", "throw new globalThis.Error('seen')"),
    ).toBe("Error: seen");
    await own.close();
  });

  it("leaves no poisoned name behind an initializer that throws", async () => {
    expect(await run("const broken = (() => { throw new Error('x') })()", "const broken = 5; broken")).toBe("5");
  });

  it("keeps strict mode: a misspelt name is an error, not a global", async () => {
    expect(await run("lrate = 0.1")).toBe("ReferenceError: lrate is not defined");
  });

  it("hoists functions to the top of the cell, and only there", async () => {
    expect(await run("early()\nfunction early() { return 7 }\nearly()")).toBe("7");
  });

  it("evaluates enums, const enums, namespaces that merge, and parameter properties", async () => {
    expect(
      await run(
        "enum Color { Red, Green = 'g' as any }\nconst enum Size { Small = 3 }\n[Color.Red, Color[0], Size.Small]",
      ),
    ).toBe("[ 0, 'Red', 3 ]");
    expect(await run("namespace N { export const a = 1 }\nnamespace N { export const b = a + 1 }", "[N.a, N.b]")).toBe(
      "[ 1, 2 ]",
    );
    expect(
      await run("class P { constructor(private readonly x: number) {} get() { return this.x } }\nnew P(4).get()"),
    ).toBe("4");
  });

  it("applies decorators, also one that replaces the class, for later cells too", async () => {
    const code = `function tagged(value: any, context: ClassDecoratorContext) { return class Replaced extends value { tag = context.name } as any }
      function doubled(method: any, context: ClassMethodDecoratorContext) { return function (this: any, ...args: any[]) { return 2 * method.apply(this, args) } }
      @tagged class Thing { @doubled value() { return 21 } }
      (new Thing() as any).value()`;
    expect(await run(code)).toBe("42");
    expect(await run("(new Thing() as any).tag")).toBe("'Thing'");
  });

  it("disposes what `using` holds at the end of the cell, keeps the names, and shows the last value", async () => {
    const symbol = "(Symbol as any).dispose ??= Symbol.for('Symbol.dispose');";
    expect(
      await run(
        symbol,
        "const log: string[] = []; const env = 'mine'",
        "import 'node:fs'; using file = { [Symbol.dispose]() { log.push('closed') } };\nlog.push('used');\nlog.length",
      ),
    ).toBe("1");
    expect(await run("[log, typeof file, env]")).toBe("[ [ 'used', 'closed' ], 'object', 'mine' ]");
  });

  it("awaits at the top level, in loops and in declarations", async () => {
    expect(
      await run(
        "const a = await Promise.resolve(1); let sum = 0; for await (const x of [a, Promise.resolve(2)]) sum += x;\nsum",
        "sum",
      ),
    ).toBe("3");
    expect(
      await run(
        "async function* numbers() { yield 1; yield 2 }\nconst got: number[] = []; for await (const n of numbers()) got.push(n); got",
      ),
    ).toBe("[ 1, 2 ]");
    expect(await run("const f = async (x: number) => ({ doubled: (await x) * 2 }); await f(4)")).toBe("{ doubled: 8 }");
  });

  it("keeps var of blocks and loops, as scripts do", async () => {
    expect(
      await run(
        "for (var i = 0, j; i < 3; i++) { var inner = i }\nif (true) { var { x, ...rest } = { x: 1, y: 2 } }",
        "[i, j, inner, x, rest]",
      ),
    ).toBe("[ 3, undefined, 2, 1, { y: 2 } ]");
    expect(await run("for (var key in { a: 1 }); for (var [p] of [[5]]);", "[key, p]")).toBe("[ 'a', 5 ]");
  });

  it("shows the last expression, whatever it looks like", async () => {
    expect(await run("({ a: 1 })")).toBe("{ a: 1 }");
    expect(await run("1, 2")).toBe("2");
    expect(await run("'text'")).toBe("'text'");
    expect(await run("const t = 1; // nothing to show")).toBeUndefined();
    expect(await run("undefined")).toBeUndefined();
    expect(await run("export const exported = 3; export default exported + 1")).toBe("4");
    expect(await run("`a\n${1 + 1}`")).toBe("'a\\n2'");
    expect(await run("export default () => 3")).toBe("[Function (anonymous)]");
    expect(await run("export default function () { return 4 }")).toBeUndefined();
    expect(await run("namespace Deep.er { export const v = 5 }\nDeep.er.v")).toBe("5");
    expect(await run("#!/usr/bin/env node\n6")).toBe("6");
  });

  it("imports CommonJS, ESM-only, top-level-await and `exports`-mapped packages from the notebook's folder", async () => {
    const write = (path: string, text: string) => {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), text);
    };
    write("node_modules/old/package.json", '{"name":"old","main":"m.js"}');
    write("node_modules/old/m.js", "module.exports = { kind: 'cjs', twice: (x) => 2 * x }");
    write(
      "node_modules/fresh/package.json",
      '{"name":"fresh","type":"module","exports":{".":{"import":"./m.js"},"./deep":{"import":"./d.js"}}}',
    );
    write("node_modules/fresh/m.js", "export const kind = await Promise.resolve('esm with await'); export default 1");
    write("node_modules/fresh/d.js", "export const deep = import.meta.url.endsWith('d.js')");
    expect(
      await run(
        "import old from 'old'; import { kind as k1 } from 'old'; import one, { kind } from 'fresh'; import { deep } from 'fresh/deep'",
        "[old.twice(4), k1, one, kind, deep]",
      ),
    ).toBe("[ 8, 'cjs', 1, 'esm with await', true ]");
    expect(await run("const m = await import('fresh'); m.kind")).toBe("'esm with await'");
    expect(await run("require('old').kind")).toBe("'cjs'");
    expect(await run("import 'not-there-at-all'")).toMatch(/Cannot find package 'not-there-at-all'/);
    expect(await run("import * as fs from 'node:fs'; typeof fs.readFileSync")).toBe("'function'");
    writeFileSync(join(folder, "data.json"), '{"answer":42}');
    expect(await run("import data from './data.json' with { type: 'json' }; data.answer")).toBe("42");
    expect(
      await run(
        "[import.meta.dirname === process.cwd(), import.meta.url.startsWith('file:'), __dirname === process.cwd()]",
      ),
    ).toBe("[ true, true, true ]");
  });

  it("reloads local TypeScript files after an edit, and the files that import them, and no others", async () => {
    let clock = Date.now() / 1000;
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      utimesSync(join(folder, name), clock, clock++);
    };
    write("base.ts", "export enum Unit { one = 1 }\nexport const base: number = Unit.one;");
    write("top.ts", "import { base } from './base.js';\nexport const top = base + 10;\nexport const made = {};");
    write("other.ts", "export const made = {};");
    const imports = "import { top } from './top.ts'; import { made } from './other'; top";
    expect(await run(imports)).toBe("11");
    expect(
      await run(
        "const madeBefore = made; import { top } from './top'; import { made } from './other.ts'; [top, made === madeBefore]",
      ),
    ).toBe("[ 11, true ]");
    write("base.ts", "export const base = 2;");
    expect(await run(imports, "[top, made === madeBefore]")).toBe("[ 12, true ]");
  });

  it("names cells and lines in stacks, and the lines of local files, as they were written", async () => {
    await run(
      "interface Padding { a: number }\n\nfunction deep(x: number): never {\n  throw new TypeError(`bad ${x}`)\n}",
    );
    const { error, reply } = await k.execute("const before: number = 1;\ndeep(before)");
    const text = plain(error!.traceback.join("\n"));
    const count = Number(reply.execution_count);
    expect(error).toMatchObject({ ename: "TypeError", evalue: "bad 1" });
    expect(text).toContain(`at deep (cell_${count - 1}.ts:4:9)`);
    expect(text).toContain(`at cell_${count}.ts:2:1`);
    expect(text).toContain("> 4 |   throw new TypeError(`bad ${x}`)");
    expect(text).not.toMatch(/kernel\/child|node:internal|node:inspector/);
    writeFileSync(
      join(folder, "thrower.ts"),
      "type Unused = { a: string };\n\nexport function thrower(x: Unused | 1): never {\n  throw new Error('from a file');\n}\n",
    );
    const file = await k.execute("import { thrower } from './thrower.ts'; thrower(1)");
    expect(file.error!.traceback.join("\n")).toContain(`${join(folder, "thrower.ts")}:4:9`);
  });

  it("tells where a cell stops being TypeScript", async () => {
    const { error } = await k.execute("const fine = 1;\nlet x = ;\n");
    expect(error).toMatchObject({ ename: "SyntaxError", evalue: "Expression expected" });
    expect(plain(error!.traceback.join("\n"))).toMatch(/line 2[\s\S]*> 2 \| let x = ;\n\s+\| {9}\^/);
    const strict = (await k.execute("let gone: number = 1;\n  delete (gone as any)")).error!;
    expect(strict).toMatchObject({ ename: "SyntaxError", evalue: "Deleting local variable in strict mode" });
    expect(plain(strict.traceback.join("\n"))).toMatch(/line 2[\s\S]*> 2 \| {3}delete/);
    expect(plain(strict.traceback.join("\n"))).not.toContain("acorn");
  });

  it("shows causes, aggregate errors and things that are not errors", async () => {
    const { error } = await k.execute("throw new Error('outer', { cause: new RangeError('inner') })");
    expect(error!.traceback.join("\n")).toMatch(/Caused by: .*RangeError.*inner/);
    expect((await k.execute("throw { code: 7 }")).error).toMatchObject({ ename: "Thrown", evalue: "{ code: 7 }" });
    expect((await k.execute("throw undefined")).error).toMatchObject({ ename: "Thrown", evalue: "undefined" });
    expect((await k.execute("await Promise.reject(10n)")).error).toMatchObject({ evalue: "10n" });
    expect((await k.execute("null.x")).error?.ename).toBe("TypeError");
    const evil = "throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('evil') } })";
    expect((await k.execute(evil)).error?.evalue).toContain("cannot be shown");
    const missing = (await k.execute("import 'not-there-at-all'")).error!.traceback.join("\n");
    expect(missing).toContain("npm install not-there-at-all");
    expect(missing).not.toMatch(/\n\s+at /);
  });

  it("survives throws in timers and rejections nobody handles, and says so", async () => {
    const { stderr } = await k.execute(
      "setTimeout(() => { throw new Error('late') }, 1); void Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 30))",
    );
    expect(stderr).toMatch(/late/);
    expect(stderr).toMatch(/lost/);
    expect(await run("1 + 1")).toBe("2");
  });

  it("keeps a cell's variables where V8 is fast with them: in the scope of scripts, not on an object", async () => {
    // What a loop costs there is measured by tests/bench/kernel.bench.ts.
    await run("let total = 0; var old = 1; function inside() {}; class Plain {}");
    expect(await run("['total', 'old', 'inside', 'Plain'].filter((name) => name in globalThis)")).toBe("[]");
    expect(await run("Function('return [total, old, typeof inside, typeof Plain]')()")).toBe(
      "[ 0, 1, 'function', 'function' ]",
    );
  });
});
