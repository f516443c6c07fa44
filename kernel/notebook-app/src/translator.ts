/** The page speaks English. */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";

export const translatorPlugin: JupyterFrontEndPlugin<ITranslator> = {
  id: "thalweg:translator",
  autoStart: true,
  provides: ITranslator,
  activate: () => nullTranslator,
};
