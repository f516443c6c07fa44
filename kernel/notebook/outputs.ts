/** Messages of a running cell → the outputs that a notebook keeps. */
import type { Bundle, Content, Message } from "../messages.ts";
import type { CellOutput } from "./nbformat.ts";

/** The displays of a whole notebook by id: an update changes every place where the display is shown. */
export function outputCollector() {
  const displays = new Map<string, (CellOutput & { data: Bundle; metadata: Content })[]>();
  let clearNext = false;
  return {
    /** Adds what `message` says to `outputs`. @returns the output that is new or changed. */
    apply(outputs: CellOutput[], message: Message): CellOutput | undefined {
      const { content } = message;
      const type = message.header.msg_type;
      if (type === "clear_output") {
        if (content.wait) clearNext = true;
        else outputs.length = 0;
        return undefined;
      }
      if (type === "update_display_data") {
        const shown = displays.get(displayId(content) ?? "") ?? [];
        for (const output of shown) Object.assign(output, { data: content.data, metadata: content.metadata });
        return shown.at(-1);
      }
      const output = outputOf(type, content);
      if (!output) return undefined;
      if (clearNext) outputs.length = 0;
      clearNext = false;
      const last = outputs.at(-1);
      if (output.output_type === "stream" && last?.output_type === "stream" && last.name === output.name) {
        last.text = terminal(last.text + output.text);
        return last;
      }
      if (output.output_type === "stream") output.text = terminal(output.text);
      outputs.push(output);
      const id = displayId(content);
      if (id !== undefined && "data" in output) displays.set(id, [...(displays.get(id) ?? []), output]);
      return output;
    },
  };
}

const displayId = (content: Content) => (content.transient as { display_id?: string } | undefined)?.display_id;

function outputOf(type: string, content: Content): CellOutput | undefined {
  const { data, metadata } = content as { data: Bundle; metadata: Content };
  switch (type) {
    case "stream":
      return {
        output_type: "stream",
        name: content.name === "stderr" ? "stderr" : "stdout",
        text: String(content.text),
      };
    case "display_data":
      return { output_type: "display_data", data, metadata: metadata ?? {} };
    case "execute_result":
      return {
        output_type: "execute_result",
        data,
        metadata: metadata ?? {},
        execution_count: Number(content.execution_count),
      };
    case "error":
      return {
        output_type: "error",
        ename: String(content.ename),
        evalue: String(content.evalue),
        traceback: (content.traceback as string[]) ?? [],
      };
    default:
      return undefined;
  }
}

/** A carriage return goes back to the start of its line, as in a terminal: progress bars leave one line, not hundreds. */
function terminal(text: string): string {
  return text.includes("\r") ? text.replace(/\r+\n/g, "\n").replace(/[^\n]*\r(?=[^\n])/g, "") : text;
}
