/** Notebooks from files, whichever of their two forms a file has. */
import { readFileSync } from "node:fs";
import { type Notebook, readNotebook } from "./nbformat.ts";
import { notebookOfSource } from "./source.ts";

/** Whether a path names the source of a notebook. */
export const isSource = (path: string): boolean => /\.[mc]?ts$/.test(path);
/** The name of a notebook without the ending of its form. */
export const nameless = (path: string): string => path.replace(/\.(ipynb|[mc]?ts)$/, "");

/** @throws when it is not a notebook. */
export const openNotebook = (path: string): Notebook =>
  isSource(path) ? notebookOfSource(readFileSync(path, "utf8")) : readNotebook(path);
