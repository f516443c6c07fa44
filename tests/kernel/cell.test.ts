// biome-ignore-all lint/suspicious/noTemplateCurlyInString: cells are code in strings.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileCell } from "../../kernel/cell/cell.ts";
import { edits } from "../../kernel/cell/edits.ts";
import { positionAt, sourceMap } from "../../kernel/cell/source-map.ts";

/** The names a cell declares and the body they stand before, without its frame, blanks evened out. */
function compiled(code: string): string {
  const { names, script } = compileCell(code, "cell_1.ts", 7);
  const body = /^\(async \(\) => \{"use strict";([\s\S]*)\n\}\)$/.exec(script)![1]!.replace(/\s+/g, " ").trim();
  return [...(names.length > 0 ? [`${names}:`] : []), ...(body ? [body] : [])].join(" ");
}

describe("a cell becomes names and a body", () => {
  const rules: [string, string, string][] = [
    ["a declaration is an assignment", "const a = 1;", "a: a = 1;"],
    ["several are one expression, and what has no value gets undefined", "let a = 1, b;", "a,b: a = 1, b = void 0;"],
    [
      "a loop over the cell's own variables is left as it is",
      "let sum = 0; for (let n = 0; n < 9; n++) sum += n;",
      "sum: sum = 0; for(let n = 0; n < 9; n++)sum += n;",
    ],
    ["const inside a block stays", "{ const a = 1; }", "{ const a = 1; }"],
    ["a class is assigned", "class A {}", "A: A = class A { };"],
    [
      "a function becomes an anonymous one, at the top",
      "f(); function f() {}",
      "f: f = function () {};__cell.last((f()));",
    ],
    ["var is only assigned where it has a value", "var a = 1, b;", "a,b: a = 1;"],
    ["var in a loop is the session's", "for (var i of []) {}", "i: for (i of []){}"],
    ["an assigned pattern is put in parentheses", "var { a } = b;", "a: ({ a } = b);"],
    [
      "a pattern with defaults and a rest keeps them",
      "let [a, { b = 2, ...c }] = d",
      "a,b,c: [a, { b = 2, ...c }] = d;",
    ],
    ["var in a function stays", "(() => { var a; })", "__cell.last((()=>{ var a; }));"],
    ["the last expression reports its value", "1; 2", "1; __cell.last((2));"],
    ["an await passes the guard of its run", "await f(1)", "__cell.last((await __cell.guard((f(1)), 7)));"],
    [
      "a function asks at its entry which run it belongs to",
      "const f = async () => { await 1 }",
      "f: f = async ()=>{const __run = __cell.run(); await __cell.guard((1), __run); };",
    ],
    [
      "also when it is an expression",
      "const f = async (x: number) => await x",
      "f: f = async (x)=>{const __run = __cell.run();return (await __cell.guard((x), __run))};",
    ],
    ["a function that does not await is left as it is", "const f = async () => 1", "f: f = async ()=>1;"],
    [
      "a static import is a call",
      "import d, { a as b } from 'm'",
      `d,b: ({"default": d,"a": b} = __cell.named(await __cell.import('m')));`,
    ],
    ["a namespace import too", "import * as n from 'm'", "n: n = await __cell.import('m');n;"],
    [
      "attributes are passed on",
      "import j from './j.json' with { type: 'json' }",
      `j: ({"default": j} = __cell.named(await __cell.import('./j.json', {with: {type: 'json'}})));`,
    ],
    [
      "what is exported from elsewhere is imported",
      "export { a as b } from 'm'; export * as n from 'm'",
      `b,n: ({"a": b} = await __cell.import('m'));n = await __cell.import('m');`,
    ],
    ["a type import is nothing", "import type { T } from 'm'", ""],
    ["a dynamic import is a call", "import('m')", "__cell.last((__cell.import('m')));"],
    ["import.meta is an object", "import.meta.url", "__cell.last((__cell.meta.url));"],
    ["export is dropped", "export const a = 1; const b = 2; export { b as c }", "a,b: a = 1; b = 2;"],
  ];
  for (const [name, code, expected] of rules) it(name, () => expect(compiled(code)).toBe(expected));

  it("knows where everything was: a mark in the script is found at its place in the cell", () => {
    const code =
      "interface A { x: number }\n\nfunction later(a: A): number {\n  return mark1(a.x)\n}\nvar v: number = mark2(1), w;\nimport { sep } from 'node:path';\nawait mark3(v as any);\nclass C<T> { m(): T { return mark4() as T } }\nmark5(<any>`a\n${1}`)";
    const cell = compileCell(code, "cell_1.ts", 1);
    for (let i = 1; i <= 5; i++) {
      const at = positionAt(cell.script, cell.script.indexOf(`mark${i}`));
      const expected = positionAt(code, code.indexOf(`mark${i}`));
      expect(cell.locate(at.line + 1, at.column + 1), `mark${i}`).toEqual({
        line: expected.line + 1,
        column: expected.column + 1,
      });
    }
  });
});

describe("edits", () => {
  it("give back the text when there are none, and the original offset of every character that was kept", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 40 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom("open", "close", "remove")), { maxLength: 5 }),
        (source, changes) => {
          const e = edits(source);
          let from = 0;
          for (const [a, b, kind] of changes) {
            const start = from + (a % (source.length - from + 1));
            const end = Math.min(source.length, start + 1 + (b % 5));
            if (start >= end) break;
            if (kind === "remove") e.remove(start, end);
            else e[kind](kind === "open" ? start : end, "\u0001");
            from = end;
          }
          const edited = e.apply("\u0001", "\u0001");
          for (let i = 0; i < edited.text.length; i++)
            if (edited.text[i] !== "\u0001") expect(edited.text[i]).toBe(source[edited.original(i)]);
        },
      ),
    );
  });
});

describe("source maps", () => {
  it("are read as ECMA-426 says (one segment per character, by hand)", () => {
    // Line 1: column 0 → 0:0, column 4 → 0:2. Line 2: column 0 → 1:1. AAAA = [0,0,0,0]; IAAE = [4,0,0,2]; AACD = [0,0,1,-1].
    const at = sourceMap("AAAA,IAAE;AACD");
    expect([
      at({ line: 0, column: 3 }),
      at({ line: 0, column: 9 }),
      at({ line: 1, column: 0 }),
      at({ line: 5, column: 0 }),
    ]).toEqual([{ line: 0, column: 0 }, { line: 0, column: 2 }, { line: 1, column: 1 }, undefined]);
  });
});
