/** The rules of nbformat 4.5 that a kernel's notebooks can break, written from its specification. */

type Json = Record<string, unknown>;

const fail = (what: string): never => {
  throw new Error(`nbformat: ${what}`);
};
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown) =>
  typeof value === "string" || (Array.isArray(value) && value.every((line) => typeof line === "string"));

function exactly(what: string, value: Json, required: string[], optional: string[] = []): void {
  for (const key of required) if (!(key in value)) fail(`${what} needs ${key}`);
  for (const key of Object.keys(value))
    if (!required.includes(key) && !optional.includes(key)) fail(`${what} must not have ${key}`);
}

/** @throws with the first rule that is broken. */
export function checkNotebook(notebook: object): void {
  const book = notebook as Json;
  exactly("a notebook", book, ["nbformat", "nbformat_minor", "metadata", "cells"]);
  if (book.nbformat !== 4 || book.nbformat_minor !== 5) fail("the version must be 4.5");
  const metadata = book.metadata as Json;
  for (const key of ["name", "display_name"])
    if (typeof (metadata.kernelspec as Json)[key] !== "string") fail(`kernelspec needs ${key}`);
  if (typeof (metadata.language_info as Json).name !== "string") fail("language_info needs name");
  const ids = new Set<unknown>();
  for (const cell of book.cells as Json[]) {
    if (!/^[a-zA-Z0-9-_]{1,64}$/.test(String(cell.id)) || ids.has(cell.id)) fail(`cell id ${String(cell.id)}`);
    ids.add(cell.id);
    if (!isText(cell.source) || !isObject(cell.metadata)) fail("source must be text, metadata an object");
    if (cell.cell_type !== "code")
      exactly("a text cell", cell, ["id", "cell_type", "metadata", "source"], ["attachments"]);
    else {
      exactly("a code cell", cell, ["id", "cell_type", "metadata", "source", "outputs", "execution_count"]);
      if (cell.execution_count !== null && !Number.isInteger(cell.execution_count)) fail("execution_count");
      for (const output of cell.outputs as Json[]) checkOutput(output);
    }
  }
}

function checkOutput(output: Json): void {
  switch (output.output_type) {
    case "stream":
      exactly("a stream", output, ["output_type", "name", "text"]);
      if (!isText(output.text)) fail("stream text");
      return;
    case "error":
      exactly("an error", output, ["output_type", "ename", "evalue", "traceback"]);
      if (!isText(output.traceback)) fail("traceback");
      return;
    case "display_data":
    case "execute_result":
      exactly(output.output_type, output, [
        "output_type",
        "data",
        "metadata",
        ...(output.output_type === "execute_result" ? ["execution_count"] : []),
      ]);
      for (const [mime, value] of Object.entries(output.data as Json))
        if (!/^application\/(.*\+)?json$/.test(mime) && !isText(value)) fail(`${mime} must be text`);
      return;
    default:
      fail(`output_type ${String(output.output_type)}`);
  }
}
