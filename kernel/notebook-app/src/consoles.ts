/** What JupyterLab's debugger asks of consoles, of which this page has none but the debugger's own. */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { WidgetTracker } from "@jupyterlab/apputils";
import { IEditorServices } from "@jupyterlab/codeeditor";
import { ConsolePanel, IConsoleTracker } from "@jupyterlab/console";

export const consoleTrackerPlugin: JupyterFrontEndPlugin<IConsoleTracker> = {
  id: "thalweg:console-tracker",
  description: "A list of consoles that stays empty.",
  autoStart: true,
  provides: IConsoleTracker,
  activate: () => new WidgetTracker<ConsolePanel>({ namespace: "console" }),
};

export const consoleFactoryPlugin: JupyterFrontEndPlugin<ConsolePanel.IContentFactory> = {
  id: "thalweg:console-factory",
  description: "Editors for the debugger's console.",
  autoStart: true,
  provides: ConsolePanel.IContentFactory,
  requires: [IEditorServices],
  activate: (_, { factoryService }: IEditorServices) =>
    new ConsolePanel.ContentFactory({ editorFactory: factoryService.newInlineEditor }),
};
