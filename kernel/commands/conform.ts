/** `thalweg conform`: the published protocols of the library that comes with the kernel. */
import { pathToFileURL } from "node:url";
import { ownLibrary } from "../preload.ts";

/** What the library says and does; the kernel hands over the words and its streams. */
interface Library {
  readonly conformUsage: string;
  conformCommand(
    argv: readonly string[],
    voice: { out(line: string): void; note(line: string): void; readonly signal: AbortSignal },
  ): Promise<number>;
}

export const usage = `thalweg conform [cell] [--strategy name] [--seeds n] [--data set] [--folder path] [--record folder] [--json]
  Runs published protocols and says whether the outcome is in the published band. Without a cell lists them.`;

export async function run(argv: string[]): Promise<number> {
  const library = (await import(pathToFileURL(ownLibrary()).href)) as Library;
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.on("SIGINT", interrupt); // the runs so far are on disk; the same command goes on
  try {
    return await library.conformCommand(argv, {
      out: (line) => console.log(line),
      note: (line) => console.error(line),
      signal: stop.signal,
    });
  } finally {
    process.off("SIGINT", interrupt);
  }
}
