/**
 * The frame that a widget runs in: the page's half of anywidget's protocol (https://anywidget.dev/en/afm/). It stands alone: the server
 * puts it into a document of its own, which has no origin, and it speaks with the page over one port.
 */

type State = Record<string, unknown>;
type Callback = (...args: never[]) => void;
type FromPage =
  | { kind: "model"; id: string; state: State }
  | { kind: "state"; id: string; state: State }
  | { kind: "custom"; id: string; content: unknown; buffers: unknown[] }
  | { kind: "theme"; dark: boolean; variables: Record<string, string> };

interface Definition {
  initialize?(context: object): unknown;
  render?(context: object): unknown;
}

const root = document.getElementById("root")!;
let port: MessagePort;

/** A model as views see it, with listeners that can be taken off together. */
class Model {
  readonly id: string;
  readonly state: State;
  readonly #listeners = new Map<string, Set<Callback>>();
  readonly #dirty = new Set<string>();
  /** The module is loaded once for a model, whatever shows it. */
  definition: Promise<Definition> | undefined;

  constructor(id: string, state: State) {
    this.id = id;
    this.state = state;
  }
  get(key: string): unknown {
    return this.state[key];
  }
  set(key: string | State, value?: unknown): void {
    const changes = typeof key === "string" ? { [key]: value } : key;
    for (const name of Object.keys(changes)) this.#dirty.add(name);
    this.take(changes);
  }
  save_changes(): void {
    const state = Object.fromEntries([...this.#dirty].map((name) => [name, this.state[name]]));
    this.#dirty.clear();
    port.postMessage({ kind: "save", id: this.id, state });
  }
  on(event: string, callback: Callback): void {
    for (const name of event.split(/\s+/)) {
      const all = this.#listeners.get(name) ?? new Set();
      this.#listeners.set(name, all.add(callback));
    }
  }
  off(event?: string | null, callback?: Callback | null): void {
    for (const name of event ? event.split(/\s+/) : [...this.#listeners.keys()])
      if (callback) this.#listeners.get(name)?.delete(callback);
      else this.#listeners.delete(name);
  }
  send(content: unknown, _callbacks?: unknown, buffers: (ArrayBuffer | ArrayBufferView)[] = []): void {
    const copies = buffers.map((given) =>
      ArrayBuffer.isView(given)
        ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength).slice().buffer
        : given.slice(0),
    );
    port.postMessage({ kind: "custom", id: this.id, content, buffers: copies });
  }
  get widget_manager() {
    return { get_model: (id: string) => modelOf(id.replace(/^IPY_MODEL_/, "")) };
  }
  take(changes: State): void {
    const changed = Object.keys(changes).filter((key) => this.state[key] !== changes[key]);
    Object.assign(this.state, changes);
    for (const key of changed) this.tell(`change:${key}`, this, this.state[key]);
    if (changed.length > 0) this.tell("change", this);
  }
  tell(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.#listeners.get(event) ?? [])]) callback(...(args as never[]));
  }
}

const models = new Map<string, Model>();
const wanted = new Map<string, { promise: Promise<Model>; resolve(model: Model): void }>();

function modelOf(id: string): Promise<Model> {
  const known = wanted.get(id);
  if (known) return known.promise;
  let resolve = (_: Model): void => {};
  const promise = new Promise<Model>((done) => {
    resolve = done;
  });
  wanted.set(id, { promise, resolve });
  port.postMessage({ kind: "follow", id });
  return promise;
}

const styles = new Map<string, HTMLStyleElement>();
function style(model: Model): void {
  const css = model.get("_css");
  if (typeof css !== "string") return;
  const key = String(model.get("_anywidget_id") ?? model.id);
  const sheet = styles.get(key) ?? document.head.appendChild(document.createElement("style"));
  styles.set(key, sheet);
  if (/^https:\/\//.test(css)) sheet.textContent = `@import url(${JSON.stringify(css)});`;
  else if (sheet.textContent !== css) sheet.textContent = css;
}

async function load(esm: string): Promise<Definition> {
  const url = /^https:\/\//.test(esm) ? esm : URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = (await import(url)) as {
    default?: Definition | (() => Definition | Promise<Definition>);
  } & Definition;
  if (module.default === undefined) return module;
  return typeof module.default === "function" ? await module.default() : module.default;
}

const experimental = (model: Model) => ({
  invoke(name: string, msg: unknown, { buffers = [] as ArrayBuffer[], signal = AbortSignal.timeout(10_000) } = {}) {
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      const listen = (content: { id?: string; kind?: string; response?: unknown }, got: DataView[]): void => {
        if (content?.id !== id || content.kind !== "anywidget-command-response") return;
        model.off("msg:custom", listen as Callback);
        resolve([content.response, got]);
      };
      signal.addEventListener("abort", () => {
        model.off("msg:custom", listen as Callback);
        reject(signal.reason);
      });
      model.on("msg:custom", listen as Callback);
      model.send({ id, kind: "anywidget-command", name, msg }, undefined, buffers);
    });
  },
});

async function render(model: Model, el: HTMLElement, signal: AbortSignal): Promise<void> {
  style(model);
  model.definition ??= load(String(model.get("_esm") ?? "")).then(async (definition) => {
    await definition.initialize?.({ model, signal, experimental: experimental(model) });
    return definition;
  });
  const { render: draw } = await model.definition;
  const host = {
    getModel: (ref: string) => modelOf(ref.replace(/^anywidget:/, "")),
    async getWidget(ref: string) {
      const child = await modelOf(ref.replace(/^anywidget:/, ""));
      return {
        exports: undefined,
        render: (given: { el: HTMLElement; signal?: AbortSignal }) =>
          render(child, given.el, given.signal ?? signal).catch((error) => complain(given.el, error)),
      };
    },
  };
  const cleanup = await draw?.({ model, el, signal, host, experimental: experimental(model) });
  if (typeof cleanup === "function") signal.addEventListener("abort", () => void cleanup());
}

function complain(el: HTMLElement, error: unknown): void {
  const text = document.createElement("pre");
  text.textContent = `The widget could not be shown: ${error instanceof Error ? error.message : String(error)}`;
  el.replaceChildren(text);
}

function receive({ data }: MessageEvent<FromPage>): void {
  if (data.kind === "theme") {
    const { style } = document.documentElement;
    style.colorScheme = data.dark ? "dark" : "light";
    for (const [name, value] of Object.entries(data.variables)) style.setProperty(name, value);
  } else if (data.kind === "model") {
    const model = new Model(data.id, data.state);
    models.set(data.id, model);
    wanted.get(data.id)?.resolve(model);
  } else if (data.kind === "state") {
    const model = models.get(data.id);
    model?.take(data.state);
    if (model && "_css" in data.state) style(model);
  } else models.get(data.id)?.tell("msg:custom", data.content, data.buffers);
}

addEventListener("message", ({ source, data, ports: [given] }) => {
  if (port || source !== parent || data?.kind !== "open" || !given) return;
  port = given;
  port.onmessage = receive;
  new ResizeObserver(() => {
    port.postMessage({ kind: "height", height: Math.ceil(root.getBoundingClientRect().height) });
  }).observe(root);
  const gone = new AbortController();
  addEventListener("pagehide", () => gone.abort());
  modelOf(String(data.id))
    .then((model) => render(model, root, gone.signal))
    .catch((error) => complain(root, error));
});
parent.postMessage("thalweg-frame", "*");
