/** Runs a notebook through the kernel, in process: the same dispatcher and the same user process as under Jupyter, without sockets. */
import type { TypeErrors } from "../context.ts";
import { createKernel, type Kernel } from "../dispatcher.ts";
import { type Message, messageFactory } from "../messages.ts";
import { digest } from "../stale/digest.ts";
import type { CellOutput, CodeCell, Notebook } from "./nbformat.ts";
import { outputCollector } from "./outputs.ts";
import { widgetStates } from "./widgets.ts";

export interface RunEvents {
  /** A cell begins: its place among the code cells, from 1. */
  cell?(cell: CodeCell, index: number, total: number): void;
  /** Output arrived or changed. */
  output?(output: CellOutput, update: boolean): void;
  /** A cell ended. */
  done?(cell: CodeCell, seconds: number, ok: boolean): void;
}

export interface RunOptions {
  cwd: string;
  preload?: string;
  /** The folder of packages that the notebook pins. */
  packages?: string;
  typeErrors?: TypeErrors;
  /** Longest time one cell may take, seconds; without it, as long as it takes. */
  timeout?: number;
  signal?: AbortSignal;
  events?: RunEvents;
}

/** Longest wait for the type checker after the last cell, ms. */
const checkMs = 20_000;

/** Executes the code cells in place, stopping at the first error. @returns whether all of them ran. */
export async function executeNotebook(notebook: Notebook, options: RunOptions): Promise<boolean> {
  const { events = {}, timeout, signal } = options;
  const collector = outputCollector();
  const widgets = widgetStates();
  const messages = messageFactory();
  let answer: ((reply: Record<string, unknown>) => void) | undefined;
  /** Cells by the request that ran them: type errors may come when the next one runs already. */
  const asked = new Map<string, CodeCell>();
  const kernel: Kernel = createKernel({
    cwd: options.cwd,
    ...(options.preload === undefined ? {} : { preload: options.preload }),
    ...(options.packages === undefined ? {} : { packages: options.packages }),
    typeErrors: options.typeErrors ?? "warn",
    send(channel, message) {
      if (channel === "shell" && message.header.msg_type === "execute_reply") answer?.(message.content);
      else if (channel === "iopub") receive(message);
    },
  });
  function receive(message: Message): void {
    widgets.apply(message);
    const cell = asked.get((message.parent_header as { msg_id?: string }).msg_id ?? "");
    if (!cell) return;
    const type = message.header.msg_type;
    if (type === "execute_input") {
      cell.execution_count = Number(message.content.execution_count);
      cell.metadata.thalweg = { ...(cell.metadata.thalweg as object | undefined), ran: digest(cell.source) };
    }
    const changed = collector.apply(cell.outputs, message);
    if (changed) events.output?.(changed, type === "update_display_data");
  }
  const stop = () => kernel.interrupt();
  signal?.addEventListener("abort", stop);

  const cells = notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === "code");
  for (const cell of cells) {
    cell.outputs = [];
    cell.execution_count = null;
  }
  try {
    for (const [i, cell] of cells.entries()) {
      if (signal?.aborted) return false;
      if (cell.source.trim() === "") continue;
      events.cell?.(cell, i + 1, cells.length);
      const started = performance.now();
      let timer: NodeJS.Timeout | undefined;
      const reply = await new Promise<Record<string, unknown>>((resolve) => {
        answer = resolve;
        const content = {
          code: cell.source,
          silent: false,
          store_history: true,
          user_expressions: {},
          allow_stdin: false,
          stop_on_error: true,
        };
        const request = messages.childOf(undefined, "execute_request", content, { metadata: { cellId: cell.id } });
        asked.set(request.header.msg_id, cell);
        kernel.receive("shell", request);
        if (timeout !== undefined) {
          timer = setTimeout(() => {
            const text = `The cell took longer than the ${timeout} s that --timeout allows.\n`;
            cell.outputs.push({ output_type: "stream", name: "stderr", text });
            kernel.interrupt();
          }, timeout * 1000);
        }
      });
      clearTimeout(timer);
      const ok = reply.status === "ok";
      events.done?.(cell, (performance.now() - started) / 1000, ok);
      if (!ok) return false;
    }
    return true;
  } finally {
    await kernel.checked(signal?.aborted ? 0 : checkMs);
    asked.clear();
    widgets.keepIn(notebook);
    signal?.removeEventListener("abort", stop);
    await kernel.close();
  }
}
