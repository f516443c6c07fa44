/** TypeScript → JavaScript of today's V8, by swc: types gone; decorators, `using`, enums and namespaces lowered. */
import { createRequire } from "node:module";
import type { Options, transformSync } from "@swc/core";

const options: Options = {
  swcrc: false,
  configFile: false,
  isModule: true,
  sourceMaps: true,
  jsc: {
    target: "es2022",
    parser: { syntax: "typescript", decorators: true },
    // An import that this cell does not use may be used by the next one: keep them all but `import type`.
    transform: { decoratorVersion: "2022-03", verbatimModuleSyntax: true, useDefineForClassFields: true },
    experimental: { keepImportAttributes: true },
  },
};

/** A cell that is not TypeScript: the message, and where it stops making sense. */
export class CellSyntaxError extends SyntaxError {
  override name = "SyntaxError";
  readonly line: number;
  readonly column: number;
  constructor(
    message: string,
    /** From 1. */
    line: number,
    /** From 1. */
    column: number,
  ) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

let transform: typeof transformSync | undefined;

/** @throws CellSyntaxError */
export function transpile(code: string, filename: string): { code: string; mappings: string } {
  transform ??= (createRequire(import.meta.url)("@swc/core") as typeof import("@swc/core")).transformSync;
  try {
    const output = transform(code, { ...options, filename });
    return { code: output.code, mappings: (JSON.parse(output.map ?? "{}") as { mappings?: string }).mappings ?? "" };
  } catch (error) {
    throw syntaxError(error instanceof Error ? error.message : String(error));
  }
}

/** swc draws its errors for a terminal: take the sentence and the place out of the drawing. */
function syntaxError(drawing: string): CellSyntaxError {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the drawing may be coloured.
  const plain = drawing.replace(/\u001b\[[0-9;]*m/g, "").split("\nCaused by:")[0]!;
  const sentence = /^\s*(?:x|×)\s+(.*(?:\n\s*\|\s+.*)*)/.exec(plain)?.[1]?.replace(/\n\s*\|\s+/g, " ") ?? plain.trim();
  const lines = plain.split("\n");
  const marker = lines.findIndex(
    (line, i) => i > 0 && /^\s*:\s*[\^`,|]*[\^─-]/.test(line) && /^\s*\d+ \|/.test(lines[i - 1]!),
  );
  const place = /[,╭][-─]\[.*?:(\d+):(\d+)\]/.exec(plain);
  if (marker > 0) {
    const above = lines[marker - 1]!;
    return new CellSyntaxError(
      sentence,
      Number.parseInt(above, 10),
      Math.max(1, lines[marker]!.search(/[\^─]/) - above.indexOf("|") - 1),
    );
  }
  return new CellSyntaxError(sentence, Number(place?.[1] ?? 1), Number(place?.[2] ?? 1));
}
