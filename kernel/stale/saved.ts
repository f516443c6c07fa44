/** What a saved notebook says of its own outputs: whether they are those of its text, run from the top. */
import { namesOf } from "../cell/names.ts";
import type { CodeCell, Notebook } from "../notebook/nbformat.ts";
import { digest, ranDigest } from "./digest.ts";
import { apply, empty } from "./state.ts";

export interface Fault {
  /** Place among the code cells, from 1. */
  cell: number;
  why: string;
}

/** What is wrong with the saved outputs; nothing, when a run from the top would do no cell anew. */
export function faults(notebook: Notebook): Fault[] {
  const code = notebook.cells.filter(
    (cell): cell is CodeCell => cell.cell_type === "code" && cell.source.trim() !== "",
  );
  const found: Fault[] = [];
  const counts = new Map<number, number>();
  for (const [i, { execution_count: count, outputs }] of code.entries()) {
    if (count === null && outputs.length > 0)
      found.push({ cell: i + 1, why: "it has outputs, but no number: it was not run to its end" });
    else if (count !== null && counts.has(count))
      found.push({
        cell: i + 1,
        why: `it has the number of cell ${counts.get(count)}: they ran in different sessions`,
      });
    else if (count !== null) counts.set(count, i + 1);
  }
  let [state] = apply(empty, { op: "document", cells: code.map(({ id, source }) => ({ id, source })) }, namesOf);
  const ran = code.filter((cell) => cell.execution_count !== null);
  for (const cell of ran.sort((a, b) => a.execution_count! - b.execution_count!)) {
    const kept = ranDigest(cell.metadata);
    // What ran instead is not known; that it was something else is.
    const source = kept === undefined || kept === digest(cell.source) ? cell.source : "";
    [state] = apply(state, { op: "ran", cell: cell.id, source, run: cell.execution_count! }, namesOf);
  }
  for (const [i, { id }] of code.entries()) {
    const why = state.stale.get(id);
    if (why !== undefined && !found.some(({ cell }) => cell === i + 1)) found.push({ cell: i + 1, why });
  }
  return found.sort((a, b) => a.cell - b.cell);
}
