/** Opens the file that the address names as soon as the layout stands; JupyterLab does so after its file list, and shows its launcher until then. */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { PageConfig } from "@jupyterlab/coreutils";
import { IDocumentManager } from "@jupyterlab/docmanager";

export const askedPlugin: JupyterFrontEndPlugin<void> = {
  id: "thalweg:asked",
  description: "Opens the file that the address names.",
  autoStart: true,
  requires: [IDocumentManager],
  activate: ({ restored }, documents: IDocumentManager) => {
    const path = PageConfig.getOption("askedFile");
    if (path !== "") void restored.then(() => documents.openOrReveal(path));
  },
};
