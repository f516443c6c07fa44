/** Finds the examples in doc comments and makes each a small module that checks what its comments promise. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** An example of a doc comment. */
export interface Example {
  readonly file: string;
  readonly line: number;
  readonly code: string;
}

/** Every ```ts block after `@example` in the doc comments of a folder. */
export function examples(folder: string): Example[] {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ts"))
    .sort();
  return files.flatMap((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    return [...text.matchAll(/^[ \t]*\* @example\b[^\n]*\n[ \t]*\* ```ts\n([\s\S]*?)\n[ \t]*\* ```/gm)].map(
      (found) => ({
        file: name,
        line: text.slice(0, found.index).split("\n").length,
        code: found[1]!.replace(/^[ \t]*\* ?/gm, ""),
      }),
    );
  });
}

/** Turns `expression; // value` into a check where the comment is a value; other comments stay comments. */
export function checking(code: string): string {
  const source = ts.createSourceFile("example.ts", code, ts.ScriptTarget.Latest, true);
  let out = code;
  for (const statement of [...source.statements].reverse()) {
    if (!ts.isExpressionStatement(statement)) continue;
    const [comment] = ts.getTrailingCommentRanges(code, statement.end) ?? [];
    const promised = comment === undefined ? "" : code.slice(comment.pos + 2, comment.end).trim();
    if (!isExpected(promised)) continue;
    out = `${out.slice(0, statement.getStart())}__same(${statement.expression.getText()}, (${promised}));${out.slice(statement.end)}`;
  }
  return out;
}

function isExpected(text: string): boolean {
  try {
    return text !== "" && new Function(`"use strict"; return (${text})`)() !== undefined;
  } catch {
    return false;
  }
}

/** Whether a value is what an example's comment says, numbers to the digits that it gives, texts up to a `…`. */
export function same(actual: unknown, expected: unknown): boolean {
  if (typeof expected === "number") {
    return (
      typeof actual === "number" &&
      (Object.is(actual, expected) || Math.abs(actual - expected) <= 5e-4 * Math.max(1, Math.abs(expected)))
    );
  }
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) && actual.length === expected.length && expected.every((value, i) => same(actual[i], value))
    );
  }
  if (expected !== null && typeof expected === "object") {
    const [a, b] = [actual as Record<string, unknown>, expected as Record<string, unknown>];
    return (
      a !== null &&
      typeof a === "object" &&
      Object.keys(b).every((key) => same(a[key], b[key])) &&
      Object.keys(a).every((key) => key in b)
    );
  }
  if (typeof expected === "string" && expected.endsWith("…"))
    return typeof actual === "string" && actual.startsWith(expected.slice(0, -1));
  return Object.is(actual, expected);
}
