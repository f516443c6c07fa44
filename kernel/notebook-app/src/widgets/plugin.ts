/** Widgets in notebooks: which kernel has which models, how they are drawn, and what of them a saved notebook keeps. */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { type IRenderMime, MimeModel } from "@jupyterlab/rendermime";
import type { Kernel } from "@jupyterlab/services";
import type { State } from "../../../widgets/buffers.ts";
import { keepable, keptStates, modelIdOf, viewMime } from "../../../widgets/stills.ts";
import { Models } from "./models.ts";
import { type Surroundings, WidgetView } from "./view.ts";

const known = new WeakMap<Kernel.IKernelConnection, Models>();

function modelsOf(panel: NotebookPanel): Models | undefined {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return undefined;
  const models = known.get(kernel) ?? new Models(kernel);
  known.set(kernel, models);
  return models;
}

/** The ids of the models that the outputs show. */
function* shownIn(panel: NotebookPanel): Generator<string> {
  for (const cell of panel.model?.sharedModel.cells ?? []) {
    if (!("getOutputs" in cell)) continue;
    for (const output of cell.getOutputs() as { data?: Record<string, unknown> }[]) {
      const id = modelIdOf(output.data ?? {});
      if (id !== undefined) yield id;
    }
  }
}

/** Puts the last states into the metadata, so that the file shows them where no kernel runs. */
function keep(panel: NotebookPanel): void {
  const before = keptStates(panel.model?.metadata ?? {});
  const models = modelsOf(panel);
  const states: Record<string, State> = {};
  for (const id of shownIn(panel)) {
    const state = keepable({ ...(models?.get(id)?.state ?? before[id] ?? {}) });
    if (state) states[id] = JSON.parse(JSON.stringify(state)) as State;
  }
  if (JSON.stringify(states) === JSON.stringify(before)) return;
  const { widgets: _, ...own } = (panel.model?.getMetadata("thalweg") ?? {}) as Record<string, unknown>;
  const next = Object.keys(states).length > 0 ? { ...own, widgets: states } : own;
  if (Object.keys(next).length > 0) panel.model?.setMetadata("thalweg", next as never);
  else panel.model?.deleteMetadata("thalweg");
}

export const widgetsPlugin: JupyterFrontEndPlugin<void> = {
  id: "thalweg:widgets",
  description: "Widgets, in frames that can do nothing but show them.",
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_, tracker: INotebookTracker) => {
    tracker.widgetAdded.connect((_, panel) => {
      const { rendermime } = panel.content;
      const around: Surroundings = {
        models: () => modelsOf(panel),
        onKernel(listener) {
          const slot = () => listener();
          panel.sessionContext.kernelChanged.connect(slot);
          return () => void panel.sessionContext.kernelChanged.disconnect(slot);
        },
        kept: (id) => keptStates(panel.model?.metadata ?? {})[id],
        async html(model: IRenderMime.IMimeModel) {
          const data = { "text/html": model.data["text/html"] ?? "", "text/plain": model.data["text/plain"] ?? "" };
          const type = data["text/html"] ? "text/html" : "text/plain";
          const renderer = rendermime.createRenderer(type);
          await renderer.renderModel(new MimeModel({ data, trusted: false }));
          return renderer.node;
        },
      };
      // Models are heard from the first message of the kernel on, also those that no output shows yet.
      modelsOf(panel);
      panel.sessionContext.kernelChanged.connect(() => void modelsOf(panel));
      panel.context.saveState.connect((_, state) => state === "started" && keep(panel));
      rendermime.addFactory({ safe: false, mimeTypes: [viewMime], createRenderer: () => new WidgetView(around) }, 0);
    });
  },
};
