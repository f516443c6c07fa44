/**
 * Cells wait for their kernel. JupyterLab's own executor gives up a cell that is run while the kernel starts or restarts, and says
 * nothing; here the cell shows that it waits, and runs when the kernel is there.
 */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import type { ISessionContext } from "@jupyterlab/apputils";
import type { CodeCellModel } from "@jupyterlab/cells";
import { INotebookCellExecutor, runCell } from "@jupyterlab/notebook";

/** Whether a cell can be handed over: there is a kernel, or it is known that there is none. */
const decided = (context: ISessionContext): boolean =>
  context.isDisposed || (!context.isRestarting && (context.isReady || Boolean(context.session?.kernel)));

function decision(context: ISessionContext): Promise<void> {
  return new Promise((resolve) => {
    const signals = [context.statusChanged, context.kernelChanged, context.disposed];
    const look = (): void => {
      if (!decided(context)) return;
      for (const signal of signals) signal.disconnect(look);
      resolve();
    };
    for (const signal of signals) signal.connect(look);
  });
}

export const executorPlugin: JupyterFrontEndPlugin<INotebookCellExecutor> = {
  id: "thalweg:cell-executor",
  description: "Runs cells, and lets them wait for a kernel that starts.",
  autoStart: true,
  provides: INotebookCellExecutor,
  activate: () => ({
    async runCell(options: INotebookCellExecutor.IRunCellOptions): Promise<boolean> {
      const { cell, sessionContext } = options;
      const { sharedModel } = cell.model;
      if (
        sessionContext &&
        !decided(sessionContext) &&
        sharedModel.cell_type === "code" &&
        sharedModel.getSource().trim()
      ) {
        const model = cell.model as CodeCellModel;
        model.executionState = "running";
        await decision(sessionContext);
        if (cell.isDisposed || sessionContext.isDisposed) return false;
        model.executionState = "idle";
      }
      return runCell(options);
    },
  }),
};
