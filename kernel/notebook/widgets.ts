/** The states of widgets, gathered from what a running notebook says, so that the notebook keeps the last of them. */
import type { Message } from "../messages.ts";
import type { State } from "../widgets/buffers.ts";
import { keepable, modelIdOf } from "../widgets/stills.ts";
import type { Notebook } from "./nbformat.ts";

export function widgetStates() {
  const states = new Map<string, State>();
  return {
    apply({ header, content }: Message): void {
      const { state = {} } = (content.data ?? {}) as { state?: State };
      const id = String(content.comm_id);
      if (header.msg_type === "comm_open" && content.target_name === "jupyter.widget") states.set(id, { ...state });
      else if (header.msg_type === "comm_msg" && states.has(id)) Object.assign(states.get(id)!, state);
    },
    /** Puts the states of the widgets that outputs show into the metadata of the notebook. */
    keepIn(notebook: Notebook): void {
      const outputs = notebook.cells.flatMap((cell) => (cell.cell_type === "code" ? cell.outputs : []));
      const widgets: Record<string, State> = {};
      for (const output of outputs) {
        const id = "data" in output ? modelIdOf(output.data) : undefined;
        const state = id === undefined ? undefined : keepable(states.get(id) ?? {});
        if (state) widgets[id!] = state;
      }
      const { widgets: _, ...own } = (notebook.metadata.thalweg ?? {}) as Record<string, unknown>;
      const next = Object.keys(widgets).length > 0 ? { ...own, widgets } : own;
      if (Object.keys(next).length > 0) notebook.metadata.thalweg = next;
      else delete notebook.metadata.thalweg;
    },
  };
}
