import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { checking, examples, same } from "./support/examples.ts";

const lib = new URL("../lib/", import.meta.url).pathname;
const folder = new URL("./examples.out/", import.meta.url).pathname;
const found = examples(lib);

mkdirSync(folder, { recursive: true });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function check(actual: unknown, expected: unknown): void {
  if (!same(actual, expected)) expect(actual).toEqual(expected);
}

describe("the examples in doc comments", () => {
  test("are found", () => {
    expect(found.length).toBeGreaterThan(30);
  });

  test("promise what they give", () => {
    expect(checking("f(1); // 3")).toBe("__same(f(1), (3)); // 3");
    expect(checking("f(1); // about three")).toBe("f(1); // about three");
    expect(same([0.70001, "a"], [0.7, "a"])).toBe(true);
    expect(same(0.71, 0.7)).toBe(false);
  });

  test.each(found.map((example, i) => [`${example.file}:${example.line}`, i] as const))("%s", async (_, i) => {
    const file = `${folder}example-${i}.ts`;
    writeFileSync(file, `const __same = (globalThis as any).__same;\n${checking(found[i]!.code)}\nexport {};\n`);
    (globalThis as { __same?: typeof check }).__same = check;
    await import(/* @vite-ignore */ file);
  });
});
