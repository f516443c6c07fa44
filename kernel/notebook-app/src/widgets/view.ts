/**
 * A widget in an output. Its code runs in a frame of its own that the server made powerless: no cookie, no access to the page, to the
 * files or to the kernel, but for the state of its model. It runs only when the kernel of this notebook has the model, which is to say,
 * when a cell of this session made it; otherwise the last state is shown, without code.
 */
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Widget } from "@lumino/widgets";
import type { State } from "../../../widgets/buffers.ts";
import { modelIdOf, still } from "../../../widgets/stills.ts";
import type { Listener, Model, Models } from "./models.ts";
import { theme } from "./theme.ts";

export interface Surroundings {
  models(): Models | undefined;
  /** Calls when another kernel, or a first one, is there. */
  onKernel(listener: () => void): () => void;
  /** The state that the notebook kept. */
  kept(id: string): State | undefined;
  /** Draws HTML of a file, cleaned. */
  html(model: IRenderMime.IMimeModel): Promise<Node>;
}

export class WidgetView extends Widget implements IRenderMime.IRenderer {
  readonly #around: Surroundings;
  #mime: IRenderMime.IMimeModel | undefined;
  #id: string | undefined;
  #shown: Model | undefined;
  #stops: (() => void)[] = [];
  #forget = (): void => {};

  constructor(around: Surroundings) {
    super();
    this.#around = around;
    this.addClass("thalweg-widget");
    this.#stops.push(around.onKernel(() => this.#look()));
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const id = modelIdOf(model.data);
    this.#mime = model;
    if (id !== this.#id) this.#shown = undefined;
    this.#id = id;
    this.#look();
    if (!this.#shown) await this.#rest();
  }

  override dispose(): void {
    for (const stop of this.#stops) stop();
    this.#forget();
    super.dispose();
  }

  /** Shows the model if the kernel has it, and waits for it otherwise. */
  #look(): void {
    this.#forget();
    const models = this.#around.models();
    const model = this.#id === undefined ? undefined : models?.get(this.#id);
    if (model && model !== this.#shown) this.#play(model);
    if (!model && models) this.#forget = models.onAdded((id) => id === this.#id && this.#look());
  }

  /** The last state, without code. */
  async #rest(): Promise<void> {
    this.#shown = undefined;
    const html = still(this.#around.kept(this.#id ?? "") ?? {});
    const box = document.createElement("div");
    box.className = "thalweg-widget-still jp-RenderedHTMLCommon";
    if (html !== undefined) box.innerHTML = html;
    else if (this.#mime) box.append(await this.#around.html(this.#mime));
    if (!this.#shown) this.node.replaceChildren(box);
  }

  #play(model: Model): void {
    this.#shown = model;
    const frame = document.createElement("iframe");
    frame.sandbox.add("allow-scripts");
    frame.src = "/widgets/frame";
    frame.title = "widget";
    const { port1: port, port2 } = new MessageChannel();
    const heard = new Map<string, Listener>();
    const follow = (id: string): void => {
      const wanted = this.#around.models()?.get(id);
      if (!wanted || heard.has(id)) return;
      const listener: Listener = (event) => {
        if (event.kind !== "gone") port.postMessage({ ...event, id });
        else if (id === this.#id) void this.#rest();
      };
      heard.set(id, listener);
      this.#stops.push(wanted.listen(listener));
      port.postMessage({ kind: "model", id, state: wanted.state });
    };
    port.onmessage = ({ data }: MessageEvent<FromFrame>) => {
      if (data.kind === "height") frame.style.height = `${Math.min(20_000, Number(data.height) || 0)}px`;
      else if (data.kind === "follow") follow(String(data.id));
      else if (heard.has(data.id)) {
        const spoken = this.#around.models()?.get(data.id);
        if (data.kind === "save") spoken?.change(data.state, heard.get(data.id)!);
        else spoken?.custom(data.content, data.buffers);
      }
    };
    const begin = ({ source, data }: MessageEvent): void => {
      if (source !== frame.contentWindow || data !== "thalweg-frame") return;
      window.removeEventListener("message", begin);
      frame.contentWindow?.postMessage({ kind: "open", id: this.#id }, "*", [port2]);
      this.#stops.push(theme((vars) => port.postMessage({ kind: "theme", ...vars })));
    };
    window.addEventListener("message", begin);
    this.#stops.push(
      () => window.removeEventListener("message", begin),
      () => port.close(),
      theme(({ dark }) => {
        // A frame whose scheme is not that of its place is painted white.
        frame.style.colorScheme = dark ? "dark" : "light";
      }),
    );
    this.node.replaceChildren(frame);
  }
}

type FromFrame =
  | { kind: "height"; height: number; id: "" }
  | { kind: "follow"; id: string }
  | { kind: "save"; id: string; state: State }
  | { kind: "custom"; id: string; content: unknown; buffers: ArrayBuffer[] };
