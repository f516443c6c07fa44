/** Plotly figures, drawn by their MIME type: no script comes from an output. plotly.js is loaded when the first figure is there. */
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { type Message, MessageLoop } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

interface Figure {
  data?: unknown[];
  layout?: Record<string, unknown>;
  config?: Record<string, unknown>;
}
interface Plotly {
  react(node: HTMLElement, data: unknown[], layout: object, config: object): Promise<unknown>;
  purge(node: HTMLElement): void;
  Plots: { resize(node: HTMLElement): Promise<void> };
}

const mime = "application/vnd.plotly.v1+json";
let loading: Promise<Plotly> | undefined;
const load = () =>
  (loading ??= import("plotly.js-cartesian-dist-min").then((module) => (module.default ?? module) as Plotly));

class FigureWidget extends Widget implements IRenderMime.IRenderer {
  #plotly: Plotly | undefined;
  #figure: Figure = {};
  #drawing: Promise<void> | undefined;
  #again = false;
  #resize: ResizeObserver | undefined;

  constructor() {
    super();
    this.addClass("thalweg-figure");
  }

  /** Draws the figure, or changes the one that stands: a live figure keeps its zoom. Drawings that are out of date are skipped. */
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.#figure = (model.data[mime] ?? {}) as Figure;
    this.#again = true;
    this.#drawing ??= this.#draw().finally(() => {
      this.#drawing = undefined;
    });
    return this.#drawing;
  }

  async #draw(): Promise<void> {
    this.#plotly = await load();
    while (this.#again && !this.isDisposed) {
      this.#again = false;
      const { data = [], layout = {}, config = {} } = this.#figure;
      const sized = layout.width !== undefined;
      if (!sized && layout.height === undefined) this.node.style.height = "400px";
      await this.#plotly.react(
        this.node,
        structuredClone(data),
        { uirevision: "same", autosize: !sized, ...structuredClone(layout) },
        { responsive: false, displaylogo: false, ...config },
      );
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.#resize = new ResizeObserver(() => MessageLoop.postMessage(this, Widget.ResizeMessage.UnknownSize));
    this.#resize.observe(this.node);
  }

  protected override onBeforeDetach(message: Message): void {
    this.#resize?.disconnect();
    super.onBeforeDetach(message);
  }

  protected override onResize(): void {
    if (
      this.#plotly &&
      this.isVisible &&
      this.node.querySelector(".main-svg") &&
      this.#figure.layout?.width === undefined
    )
      void this.#plotly.Plots.resize(this.node);
  }

  override dispose(): void {
    this.#plotly?.purge(this.node);
    super.dispose();
  }
}

export const plotlyRenderer: IRenderMime.IExtension = {
  id: "thalweg:plotly",
  description: "Plotly figures.",
  // Before HTML and SVG, which the same outputs carry for pages that do not know the type.
  rendererFactory: { safe: true, mimeTypes: [mime], createRenderer: () => new FigureWidget() },
  rank: 0,
  dataType: "json",
};
