/** Errors as the user should see them: frames named by cell, at the positions they wrote, with the kernel's own frames left out. */
import { findSourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import type { Cell } from "../cell/cell.ts";
import { CellSyntaxError } from "../cell/transpile.ts";
import type { ErrorContent } from "../protocol.ts";

/** Thrown into a cell that was interrupted. */
export class Interrupted extends Error {
  override name = "Interrupted";
  constructor(message = "the cell was interrupted") {
    super(message);
  }
}

type Locate = (line: number, column: number) => { line: number; column: number };

const cells = new Map<string, Cell>();
const files = new Map<string, Locate>();
const kernelFolder = new URL("..", import.meta.url).href;
const hidden = [kernelFolder, fileURLToPath(kernelFolder), "node:inspector", "node:internal/process/task_queues"];

export const rememberCell = (cell: Cell) => void cells.set(cell.name, cell);
/** Positions in the module at `url` are to be mapped back by `locate`. */
export const rememberFile = (url: string, locate: Locate) => void files.set(url, locate);

export function installStackTraces(beforeFormat: () => void): void {
  Error.stackTraceLimit = 20;
  Error.prepareStackTrace = (error, sites) => {
    beforeFormat();
    const frames = sites.flatMap((site) => {
      const file = site.getScriptNameOrSourceURL() ?? site.getFileName() ?? "";
      if (hidden.some((prefix) => file.startsWith(prefix))) return [];
      return [`\n    at ${located(site.toString(), file, site.getLineNumber() ?? 0, site.getColumnNumber() ?? 0)}`];
    });
    while (/\(node:|at node:|new Promise \(<anonymous>\)/.test(frames.at(-1) ?? "")) frames.pop();
    return `${heading(error)}${frames.join("")}`;
  };
}

function heading(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function located(text: string, file: string, line: number, column: number): string {
  const from = `${file}:${line}:${column}`;
  const cell = cells.get(file);
  const bare = file.replace(/\?.*$/, "");
  const locate = cell?.locate ?? files.get(file);
  if (locate) {
    const at = locate(line, column);
    return text.replace(from, `${cell ? file : readable(bare)}:${at.line}:${at.column}`);
  }
  const entry = /^(file:|\/)/.test(file)
    ? (findSourceMap(file)?.findEntry(line - 1, column - 1) as SourceMapping | undefined)
    : undefined;
  if (entry?.originalSource !== undefined)
    return text.replace(
      from,
      `${readable(entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`,
    );
  return text.replace(file, readable(bare));
}

const readable = (url: string) => (url.startsWith("file:") ? fileURLToPath(url) : url);

const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
const bold = (text: string) => `\u001b[1m${text}\u001b[22m`;
const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;

/** An error, or whatever was thrown, as the protocol's ename, evalue and traceback. Never throws, whatever it is given. */
export function errorContent(thrown: unknown, cell?: Cell): ErrorContent {
  try {
    return contentOf(thrown, cell);
  } catch {
    const evalue = "what was thrown cannot be shown: looking at it throws";
    return { ename: "Thrown", evalue, traceback: [`${bold(red("Thrown"))}: ${evalue}`] };
  }
}

function contentOf(thrown: unknown, cell: Cell | undefined): ErrorContent {
  if (!isError(thrown)) {
    const value = inspect(thrown);
    return { ename: "Thrown", evalue: value, traceback: [`${bold(red("Thrown"))}: ${value}`] };
  }
  const ename = String(thrown.name || thrown.constructor?.name || "Error");
  const evalue = String(thrown.message ?? "");
  return { ename, evalue, traceback: describe(thrown, cell, 0) };
}

function describe(error: Error, cell: Cell | undefined, depth: number): string[] {
  const name = String(error.name || "Error");
  const lines = [`${bold(red(name))}${error.message ? `: ${error.message}` : ""}`];
  if (error instanceof CellSyntaxError && cell) lines.push(excerpt(cell, error.line, error.column));
  else {
    const frames = stackFrames(error);
    const place = frames
      .map((frame) => /(cell_\w+\.ts):(\d+):(\d+)/.exec(frame))
      .find((match) => match && cells.has(match[1]!));
    if (place) lines.push(excerpt(cells.get(place[1]!)!, Number(place[2]), Number(place[3])));
    // Where the kernel stopped it says nothing about the cell.
    if (frames.length > 0 && !(error instanceof Interrupted)) lines.push(dim(frames.join("\n")));
  }
  const missing = /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
  if (missing !== undefined) lines.push(`It is installed from the notebook's folder: npm install ${missing}`);
  const extra = Object.fromEntries(
    Object.entries(error).filter(
      ([key]) => !["name", "message", "stack", "cause", "errors", "line", "column"].includes(key),
    ),
  );
  if (Object.keys(extra).length > 0) lines.push(inspect(extra, { depth: 2, breakLength: 100 }));
  if (depth < 5) {
    const causes = [error.cause, ...(error instanceof AggregateError ? error.errors.slice(0, 5) : [])].filter(
      (c) => c !== undefined,
    );
    for (const cause of causes) {
      const [first, ...rest] = isError(cause) ? describe(cause, cell, depth + 1) : [inspect(cause)];
      lines.push(`Caused by: ${first}`, ...rest);
    }
  }
  return lines;
}

function stackFrames(error: Error): string[] {
  try {
    // A library may have its own idea of stacks, and those of the thread that resolves imports come as text.
    const foreign = [...hidden, "node:internal/modules/", "/node_modules/tsx/"];
    const frames = String(error.stack ?? "")
      .split("\n")
      .filter((line) => /^\s+at /.test(line) && !foreign.some((place) => line.includes(place)));
    return frames.slice(0, frames.findLastIndex((line) => !/\(node:/.test(line)) + 1);
  } catch {
    return [];
  }
}

/** The line of the error, with one before and one after, and a caret. */
function excerpt(cell: Cell, line: number, column: number): string {
  const source = cell.source.split("\n");
  const width = String(line + 1).length;
  const shown: string[] = [`${cell.name.replace(/^cell_(\d+)\.ts$/, "Cell $1")}, line ${line}`];
  for (let n = Math.max(1, line - 1); n <= Math.min(source.length, line + 1); n++) {
    shown.push(`${n === line ? red(">") : " "} ${String(n).padStart(width)} | ${source[n - 1]}`);
    if (n === line) shown.push(`  ${" ".repeat(width)} | ${" ".repeat(Math.max(0, column - 1))}${red("^")}`);
  }
  return shown.join("\n");
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

interface SourceMapping {
  originalSource: string;
  originalLine: number;
  originalColumn: number;
}
