/** `thalweg gpu`: what CUDA needs, installed by the library that comes with the kernel. */
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";
import { ownLibrary } from "../preload.ts";

/** What the library says and does; the kernel hands over the words, its streams and the answers. */
interface Library {
  gpuCommand(
    argv: readonly string[],
    voice: {
      out(line: string): void;
      note(line: string): void;
      readonly bar: ((line: string) => void) | null;
      readonly ask: ((question: string) => Promise<boolean>) | null;
      readonly signal: AbortSignal;
    },
  ): Promise<number>;
}

export const usage = `thalweg gpu install [--yes] [--from folder | --index url] [--list] | status [--json] | remove
  Brings what computing on an NVIDIA GPU needs besides its driver, says what is there and what is missing, takes it away.`;

export async function run(argv: string[]): Promise<number> {
  const library = (await import(pathToFileURL(ownLibrary()).href)) as Library;
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.on("SIGINT", interrupt); // what has arrived is kept; the same command goes on
  const { stderr, stdin } = process;
  let open = false;
  const wipe = () => {
    if (open) stderr.write("\r\u001b[K");
    open = false;
  };
  try {
    return await library.gpuCommand(argv, {
      out: (line) => {
        wipe();
        console.log(line);
      },
      note: (line) => {
        wipe();
        console.error(line);
      },
      bar: stderr.isTTY
        ? (line) => {
            stderr.write(`\r\u001b[K${line}`);
            open = true;
          }
        : null,
      ask: stdin.isTTY ? asked : null,
      signal: stop.signal,
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    wipe();
    console.error("Stopped. What has arrived is kept; the same command goes on from there.");
    return 130;
  } finally {
    wipe();
    process.off("SIGINT", interrupt);
  }
}

async function asked(question: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}
