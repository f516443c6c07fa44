/** The tab's title says which notebook it is. */
import { ILabShell, type JupyterFrontEndPlugin } from "@jupyterlab/application";

export const titlePlugin: JupyterFrontEndPlugin<void> = {
  id: "thalweg:title",
  autoStart: true,
  requires: [ILabShell],
  activate: (_, shell: ILabShell) => {
    const update = () => {
      const label = shell.currentWidget?.title.label;
      document.title = label ? `${label} – Thalweg` : "Thalweg";
    };
    shell.currentChanged.connect((_, { newValue, oldValue }) => {
      oldValue?.title.changed.disconnect(update);
      newValue?.title.changed.connect(update);
      update();
    });
  },
};
