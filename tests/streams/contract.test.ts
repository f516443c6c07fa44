import * as thalweg from "thalweg";
import { blobs, classes } from "thalweg";
import { describe, expect, test } from "vitest";
import { members } from "../support/members.ts";

const operators = await members("streams/operators");
const sources = await members("streams/sources");
const fluent = classes(blobs({ classes: 2 })) as unknown as Record<string, unknown>;

describe.each(operators.map((member) => [member.name, member] as const))(
  "the operator %s",
  (name, { text, exports }) => {
    test("is the one thing its file exports, under its own name", () => {
      expect(Object.keys(exports)).toEqual([name]);
      expect((exports[name] as { operator: string }).operator).toBe(name);
    });

    test("is a method of every stream, and its example, which the tests run, uses it", () => {
      expect(typeof fluent[name]).toBe("function");
      const example = /@example[\s\S]*?```ts([\s\S]*?)```/.exec(text)?.[1] ?? "";
      expect(example).toMatch(new RegExp(`\\b${name}\\(`));
    });
  },
);

describe.each(sources.map((member) => [member.name, member] as const))("the source %s", (name, { text, exports }) => {
  test("is the one thing its file exports, under its own name, and is fluent in the public surface", () => {
    expect(Object.keys(exports)).toEqual([name]);
    expect((exports[name] as { source: string }).source).toBe(name);
    expect(typeof (thalweg as unknown as Record<string, unknown>)[name]).toBe("function");
    const example = /@example[\s\S]*?```ts([\s\S]*?)```/.exec(text)?.[1] ?? "";
    expect(example).toMatch(new RegExp(`\\b${name}\\(`));
  });
});
