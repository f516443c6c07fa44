/** One cell: TypeScript in, a script for V8's REPL mode out, with a way back from the script's positions to the cell's. */
import { renameHelpers } from "./helpers.ts";
import { rewrite } from "./rewrite.ts";
import { offsetAt, type Position, positionAt, sourceMap } from "./source-map.ts";
import { transpile } from "./transpile.ts";

export interface Cell {
  /** The name that stack frames show, `cell_3.ts`. */
  name: string;
  source: string;
  script: string;
  /** Where a position of the script (line and column from 1) is in the source (from 1). */
  locate(line: number, column: number): { line: number; column: number };
}

/** @throws CellSyntaxError */
export function compileCell(source: string, name: string, run: number): Cell {
  const { code, mappings } = transpile(source, name);
  const renamed = renameHelpers(code, run);
  const edited = rewrite(renamed?.text ?? code, run);
  let back: ((position: Position) => Position | undefined) | undefined;
  return {
    name,
    source,
    script: `${edited.text}\n//# sourceURL=${name}`,
    locate(line, column) {
      back ??= sourceMap(mappings);
      const rewritten = edited.original(offsetAt(edited.text, { line: line - 1, column: column - 1 }));
      const offset = renamed?.original(rewritten) ?? rewritten;
      const found = back(positionAt(code, offset)) ?? { line: 0, column: 0 };
      return { line: found.line + 1, column: found.column + 1 };
    },
  };
}
