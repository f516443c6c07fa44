/** Questions to the person at the frontend: `prompt()` waits for the answer, `process.stdin` reads lines of them. */
import { readSync } from "node:fs";
import { Readable } from "node:stream";
import { fds } from "../protocol.ts";
import { Interrupted } from "./errors.ts";
import { emit } from "./output.ts";

let allowed = true;
export const allowStdin = (value: boolean) => void (allowed = value);
/** Whether a person is there: where nobody answers questions, nobody moves a widget either. */
export const attended = () => allowed;

/** Asks, and blocks until the answer is there. */
export function ask(question = "", { password = false } = {}): string {
  if (!allowed)
    throw new Error(
      "prompt: this frontend cannot answer questions (allow_stdin is false); put the value into the cell",
    );
  emit({ op: "input", prompt: question, password, sync: true });
  const header = readExactly(4);
  const answer = JSON.parse(readExactly(header.readUInt32LE(0)).toString()) as {
    value?: string;
    interrupted?: boolean;
  };
  if (answer.interrupted) throw new Interrupted("the question was interrupted");
  return answer.value ?? "";
}

function readExactly(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const got = readSync(fds.answers, bytes, at, length - at, null);
    if (got === 0) throw new Error("prompt: the kernel is gone");
    at += got;
  }
  return bytes;
}

let waiting = false;
const stdin = new Readable({
  read() {
    if (waiting || !allowed) return;
    waiting = true;
    emit({ op: "input", prompt: "", password: false, sync: false });
  },
});

/** An answer to a read of process.stdin. */
export function receiveAnswer(value: string): void {
  waiting = false;
  stdin.push(`${value}\n`);
}

export function installStdin(): void {
  Object.assign(stdin, { fd: 0, isTTY: false });
  Object.defineProperty(process, "stdin", { value: stdin, configurable: true, enumerable: true });
  const define = (name: string, value: unknown) =>
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  define("prompt", (question = "", preset = "") => ask(String(question)) || String(preset));
  define("confirm", (question = "") => /^y(es)?$/i.test(ask(`${question} [y/N] `)));
  define("alert", (message = "") => void ask(`${message} [Enter]`));
}
