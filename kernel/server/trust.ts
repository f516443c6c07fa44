/**
 * Which notebooks may show their rich outputs as they are: those whose outputs this user's own kernels made. The page cleans the
 * outputs of all others. Remembered by a digest of the outputs, so that a file changed by others is not trusted any more.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Notebook } from "../notebook/nbformat.ts";
import { writeAtomically } from "./disk.ts";

export interface Trust {
  /** Takes the marks off the cells of a notebook that is to be saved; remembers it when all that could do harm was marked. */
  saved(notebook: Notebook): Promise<void>;
  /** Marks the cells of a notebook that was remembered. */
  opened(notebook: Notebook): void;
}

/** So many notebooks are remembered; the oldest are forgotten first. */
const limit = 4096;

export function trust(folder: string): Trust {
  const file = join(folder, "trusted.json");
  let known: Set<string> | undefined;
  const load = () => {
    if (known) return known;
    try {
      known = new Set(JSON.parse(readFileSync(file, "utf8")) as string[]);
    } catch {
      known = new Set();
    }
    return known;
  };

  return {
    async saved(notebook) {
      let all = true;
      for (const cell of notebook.cells) {
        if (cell.cell_type === "code" && cell.outputs.length > 0 && cell.metadata.trusted !== true) all = false;
        delete cell.metadata.trusted;
      }
      if (!all) return;
      const digest = digestOf(notebook);
      if (load().has(digest)) return;
      known = new Set([...load(), digest].slice(-limit));
      // Trust is a comfort: where it cannot be remembered, outputs are cleaned the next time.
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        await writeAtomically(file, JSON.stringify([...known]));
      } catch {}
    },
    opened(notebook) {
      const trusted = load().has(digestOf(notebook));
      for (const cell of notebook.cells)
        if (cell.cell_type === "code") cell.metadata.trusted = trusted || cell.outputs.length === 0;
    },
  };
}

function digestOf(notebook: Notebook): string {
  const hash = createHash("sha256");
  for (const cell of notebook.cells) if (cell.cell_type === "code") hash.update(JSON.stringify(cell.outputs));
  return hash.digest("hex");
}
