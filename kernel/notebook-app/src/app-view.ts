/**
 * A notebook as an app: what its cells show, without their code. `thalweg notebook --app file` asks for it, and for its cells to be run;
 * an address alone cannot (the server names the file).
 */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { PageConfig } from "@jupyterlab/coreutils";
import { INotebookTracker, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";
import type { Widget } from "@lumino/widgets";

/** The parts of JupyterLab's shell; it has no other way to hide all of them. */
interface Shell {
  mode: string;
  collapseLeft(): void;
  collapseRight(): void;
  _topHandler?: { panel: Widget };
  _menuHandler?: { panel: Widget };
  _titleHandler?: Widget;
  _bottomPanel?: Widget;
  _leftHandler?: { sideBar: Widget };
  _rightHandler?: { sideBar: Widget };
}

async function begin(panel: NotebookPanel): Promise<void> {
  await panel.context.ready;
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return;
  // A page that is loaded again finds the kernel as it was: what ran is not run again.
  const { content } = await kernel.requestExecute({ code: "", silent: true, store_history: false }).done;
  if (content.execution_count === 0) await NotebookActions.runAll(panel.content, panel.sessionContext);
}

export const appViewPlugin: JupyterFrontEndPlugin<void> = {
  id: "thalweg:app-view",
  description: "Shows a notebook as an app.",
  autoStart: true,
  requires: [INotebookTracker],
  activate: ({ shell }, tracker: INotebookTracker) => {
    const file = PageConfig.getOption("appFile");
    if (file === "") return;
    document.body.classList.add("thalweg-app");
    const lab = shell as unknown as Shell;
    tracker.widgetAdded.connect((_, panel) => {
      lab.mode = "single-document";
      lab.collapseLeft();
      lab.collapseRight();
      for (const part of [lab._topHandler?.panel, lab._menuHandler?.panel, lab._titleHandler, lab._bottomPanel])
        part?.hide();
      for (const side of [lab._leftHandler?.sideBar, lab._rightHandler?.sideBar]) side?.hide();
      panel.toolbar.hide();
      if (panel.context.path === file) void begin(panel);
    });
  },
};
