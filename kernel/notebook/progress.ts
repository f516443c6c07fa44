/** A running notebook in the terminal: which cell, for how long, what it says; live outputs change in place where the terminal can. */
import { stripVTControlCharacters } from "node:util";
import { scriptMark } from "../display/plotly.ts";
import type { RunEvents } from "./execute.ts";
import type { CellOutput } from "./nbformat.ts";

const maxLines = 14;

export interface Progress extends RunEvents {
  /** Puts the terminal back in order. */
  close(): void;
}

export function progress(stream: NodeJS.WriteStream = process.stdout): Progress {
  const tty = stream.isTTY === true && process.env.TERM !== "dumb";
  const dim = (text: string) => (tty ? `\u001b[2m${text}\u001b[22m` : text);
  const bold = (text: string) => (tty ? `\u001b[1m${text}\u001b[22m` : text);
  const columns = () => Math.max(40, stream.columns ?? 100);
  const fit = (line: string) =>
    stripVTControlCharacters(line).length < columns()
      ? line
      : `${stripVTControlCharacters(line).slice(0, columns() - 2)}…`;
  let live: string[] = [];
  let liveText = "";
  let started = 0;
  let openLine = false;
  let printed = new Map<CellOutput, number>();
  let timer: NodeJS.Timeout | undefined;

  /** Replaces what is shown at the bottom. */
  function draw(lines: string[]): void {
    if (!tty) return;
    const up = live.length > 0 ? `\u001b[${live.length}A\r\u001b[J` : "";
    live = lines.map(fit);
    stream.write(up + live.map((line) => `${line}\n`).join(""));
  }
  /** Writes above the live part, for good. */
  function write(text: string): void {
    draw([]);
    stream.write(text);
    openLine = !text.endsWith("\n");
  }
  const line = (text: string) => write(`${openLine ? "\n" : ""}${text}\n`);
  const clip = (text: string, limit = maxLines) => {
    const lines = text.replace(/\n$/, "").split("\n");
    return lines.length > limit
      ? [...lines.slice(0, limit - 1), dim(`… ${lines.length - limit + 1} more lines`)]
      : lines;
  };
  const indent = (lines: string[]) => lines.map((text) => `      ${text}`);
  const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  /** What was live stays as it is now. */
  function settle(): void {
    draw([]);
    if (liveText) line(indent(clip(liveText)).join("\n"));
    liveText = "";
  }
  const tick = () => draw([...(openLine ? [] : indent(liveText ? clip(liveText) : [])), dim(`      ${elapsed()}`)]);

  return {
    cell(cell, index, total) {
      started = performance.now();
      printed = new Map();
      liveText = "";
      const source = cell.source.trim().split("\n");
      const first = source.find((text) => !/^\s*\/\//.test(text)) ?? source[0]!;
      line(fit(`${bold(`[${index}/${total}]`)} ${first}${source.length > 1 ? dim(" …") : ""}`));
      if (tty) timer = setInterval(() => !openLine && tick(), 100);
    },
    output(output, update) {
      if ("metadata" in output && output.metadata.thalweg === scriptMark.thalweg) return;
      if (!update && output.output_type !== "stream") settle();
      if (output.output_type === "stream") {
        const shown = printed.get(output) ?? 0;
        // Text that went back over itself (a progress bar) is shorter than what was printed: it is live.
        if (output.text.length < shown)
          liveText = output.text.slice(output.text.lastIndexOf("\n", output.text.length - 2) + 1);
        else write(output.text.slice(shown));
        printed.set(output, output.text.length);
      } else if (output.output_type === "error") line(output.traceback.join("\n"));
      else if (update) {
        liveText = String(output.data["text/plain"] ?? "");
        if (!openLine) tick();
      } else line(indent(clip(String(output.data["text/plain"] ?? ""))).join("\n"));
    },
    done(_cell, _seconds, ok) {
      clearInterval(timer);
      settle();
      line(dim(`      ${ok ? "" : "stopped after "}${elapsed()}`));
    },
    close() {
      clearInterval(timer);
      draw([]);
    },
  };
}
