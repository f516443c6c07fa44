/** One cell: TypeScript in, its names and a script that gives its body out, with a way back from the script's positions to the cell's. */
import type { Edited } from "./edits.ts";
import { renameHelpers } from "./helpers.ts";
import { type Rewritten, rewrite } from "./rewrite.ts";
import { offsetAt, type Position, positionAt, sourceMap } from "./source-map.ts";
import { CellSyntaxError, transpile } from "./transpile.ts";

export interface Cell {
  /** The name that stack frames show, `cell_3.ts`. */
  name: string;
  source: string;
  /** What it declares at its top level, as scripts name it. */
  names: string[];
  /** Evaluates to an async function that runs the cell; the names must have been declared. */
  script: string;
  /** Where a position of the script (line and column from 1) is in the source (from 1). */
  locate(line: number, column: number): { line: number; column: number };
}

/**
 * @param declared what the cells before have declared.
 * @throws CellSyntaxError
 */
export function compileCell(
  source: string,
  name: string,
  run: number,
  declared: ReadonlySet<string> = new Set(),
): Cell {
  // A line for the shell, as scripts begin with, says nothing here.
  const { code, mappings } = transpile(source.replace(/^#!/, "//"), name);
  let back: ((position: Position) => Position | undefined) | undefined;
  const inSource = (offset: number) => {
    back ??= sourceMap(mappings);
    const found = back(positionAt(code, offset)) ?? { line: 0, column: 0 };
    return { line: found.line + 1, column: found.column + 1 };
  };
  let renamed: Edited | undefined;
  let edited: Rewritten;
  try {
    renamed = renameHelpers(code, run);
    edited = rewrite(renamed?.text ?? code, run, declared);
  } catch (error) {
    // What swc lets pass and JavaScript does not allow; the parser's message ends in the place.
    if (!(error instanceof SyntaxError && "pos" in error)) throw error;
    const { line, column } = inSource(Number(error.pos));
    throw new CellSyntaxError(error.message.replace(/ \(\d+:\d+\)$/, ""), line, column);
  }
  return {
    name,
    source,
    names: edited.names,
    script: edited.text,
    locate(line, column) {
      const rewritten = edited.original(offsetAt(edited.text, { line: line - 1, column: column - 1 }));
      return inSource(renamed?.original(rewritten) ?? rewritten);
    },
  };
}
