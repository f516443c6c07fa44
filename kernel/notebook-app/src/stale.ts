/**
 * Marks on cells whose outputs are not what the notebook says any more, and a command that runs those, in order. The kernel judges
 * (kernel/stale/state.ts); here the notebook is told to it after every change, and what it answers is shown.
 */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, Notification } from "@jupyterlab/apputils";
import type { Cell } from "@jupyterlab/cells";
import { INotebookTracker, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";
import { KernelMessage } from "@jupyterlab/services";
import { ToolbarButton } from "@jupyterlab/ui-components";
import { Debouncer } from "@lumino/polling";
import { digest } from "../../stale/digest.ts";

const quietMs = 300;

interface Answer {
  status: string;
  stale?: Record<string, string>;
  run?: string[];
  told?: string[];
}

/** Tells the notebook to its kernel, which answers at once, also while a cell runs. */
async function tell(panel: NotebookPanel, ask?: "stale" | "all"): Promise<Answer | undefined> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel || kernel.status === "dead" || panel.isDisposed) return undefined;
  const cells = panel.content.widgets
    .filter(({ model }) => model.type === "code")
    .map(({ model }) => ({
      id: model.id,
      source: model.sharedModel.getSource(),
      training: (model.getMetadata("tags") as string[] | undefined)?.includes("training") === true,
    }));
  const message = KernelMessage.createMessage({
    channel: "control",
    msgType: "stale_request" as "debug_request",
    session: kernel.clientId,
    username: kernel.username,
    content: { cells, ...(ask ? { ask } : {}) } as never,
  });
  const reply = await kernel.sendControlMessage(message, true, true).done;
  return reply.content as unknown as Answer;
}

function show(panel: NotebookPanel, stale: Record<string, string>, button: ToolbarButton): void {
  let count = 0;
  for (const cell of panel.content.widgets) {
    const why = stale[cell.model.id];
    if (why !== undefined) count++;
    cell.toggleClass("thalweg-stale", why !== undefined);
    const prompt = cell.inputArea?.promptNode;
    if (prompt) prompt.title = why === undefined ? "" : `Stale: ${why}.`;
  }
  button.node.title = `${count} stale ${count === 1 ? "cell" : "cells"}`;
  button.node.dataset.count = String(count);
  button.setHidden(count === 0);
}

async function run(panel: NotebookPanel, training: boolean): Promise<void> {
  const answer = await tell(panel, training ? "all" : "stale");
  for (const text of answer?.told ?? []) Notification.info(text, { autoClose: 8000 });
  const wanted = new Set(answer?.run);
  const cells = panel.content.widgets.filter(({ model }) => wanted.has(model.id)) as Cell[];
  if (cells.length > 0) await NotebookActions.runCells(panel.content, cells, panel.sessionContext);
}

export const stalePlugin: JupyterFrontEndPlugin<void> = {
  id: "thalweg:stale",
  description: "Marks of stale cells, and a command that runs them.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette],
  activate: ({ commands }, tracker: INotebookTracker, palette: ICommandPalette | null) => {
    const command = (id: string, label: string, training: boolean) => {
      commands.addCommand(id, {
        label,
        isEnabled: () => tracker.currentWidget !== null,
        execute: async () => {
          if (tracker.currentWidget) await run(tracker.currentWidget, training);
        },
      });
      palette?.addItem({ command: id, category: "Notebook Cell Operations" });
    };
    command("thalweg:run-stale", "Run stale cells", false);
    command("thalweg:run-stale-training", "Run stale cells, training too", true);
    const look = new WeakMap<object, () => void>();
    tracker.widgetAdded.connect((_, panel) => {
      const button = new ToolbarButton({ label: "Run stale", onClick: () => void run(panel, false) });
      button.addClass("thalweg-run-stale");
      button.hide();
      panel.toolbar.insertBefore("spacer", "thalweg-stale", button);
      const debounced = new Debouncer(async () => {
        const answer = await tell(panel).catch(() => undefined);
        if (answer?.status === "ok" && !panel.isDisposed) show(panel, answer.stale ?? {}, button);
      }, quietMs);
      const soon = () => void debounced.invoke();
      look.set(panel.content, soon);
      panel.content.modelContentChanged.connect(soon);
      panel.sessionContext.statusChanged.connect((_, status) => status === "idle" && soon());
      panel.disposed.connect(() => debounced.dispose());
    });
    NotebookActions.executed.connect((_, { notebook }) => look.get(notebook)?.());
    // Which text ran is kept with the cell: `thalweg run --check` reads it.
    NotebookActions.executionScheduled.connect((_, { cell }) => {
      if (cell.model.type !== "code") return;
      const own = (cell.model.getMetadata("thalweg") ?? {}) as Record<string, unknown>;
      const ran = digest(cell.model.sharedModel.getSource());
      if (own.ran !== ran) cell.model.setMetadata("thalweg", { ...own, ran });
    });
  },
};
