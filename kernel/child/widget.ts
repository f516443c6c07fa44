/**
 * Widgets: a model here and its views in the page, kept the same over a comm. They speak the protocol of Jupyter's widgets and call
 * themselves anywidgets, so that every frontend that has anywidget shows them, and our page does.
 */
import type { Bundle } from "../messages.ts";
import { joinBuffers, type Path, type State, splitBuffers } from "../widgets/buffers.ts";
import { still, viewMime } from "../widgets/stills.ts";
import { type Comm, comm } from "./comm.ts";
import { displaySymbol } from "./show.ts";

export interface WidgetOptions {
  /** What model and views share. */
  state?: State;
  /** The module of an anywidget: its text, or an https address of it. */
  esm?: string;
  /** Instead of `esm`: a function of the page, as `render` of an anywidget; it may use nothing from outside itself. */
  // biome-ignore lint/suspicious/noExplicitAny: it runs in the page, whose types the kernel does not have.
  render?: (context: any) => unknown;
  css?: string;
  /** What it calls itself in text. */
  name?: string;
}

export interface Widget {
  readonly id: string;
  get(key: string): unknown;
  /** Changes the state here and in every view. */
  set(changes: State): void;
  /** `change`, `change:<key>`, or `message` for what views send. @returns a function that takes the listener off. */
  on(event: string, listener: Listener): () => void;
  /** A message to the views, which hear it as `msg:custom`. */
  send(content: unknown, buffers?: Uint8Array[]): void;
  close(): void;
  readonly closed: boolean;
}
// biome-ignore lint/suspicious/noExplicitAny: what comes depends on the event.
type Listener = (value: any, buffers: Uint8Array[]) => void;

/** What cells compile to calls to (cell/rewrite.ts) does nothing in the page: nobody interrupts it there. */
const ofCells = `const __cell = { run: () => 0, guard: (value) => value, iterate: (value) => value, import: (name) => import(name) };`;
/** Any version of anywidget before the next that breaks what is used here. */
const anyVersion = "~0";
const target = "jupyter.widget";
const metadata = { version: "2.1.0" };
const models = new Map<string, { state: State; comm: Comm }>();

/** Frontends that come late, or again, ask for the state of all models at once. */
comm.register(`${target}.control`, (control) => {
  control.onMessage = (data) => {
    if ((data as { method?: unknown }).method !== "request_states") return;
    const states: State = {};
    const paths: Path[] = [];
    const buffers: Uint8Array[] = [];
    for (const [id, { state }] of models) {
      const split = splitBuffers(state);
      const { _model_name: model_name, _model_module: model_module, _model_module_version: version } = state;
      states[id] = { model_name, model_module, model_module_version: version, state: split.state };
      paths.push(...split.paths.map((path) => [id, "state", ...path]));
      buffers.push(...split.buffers);
    }
    control.send({ method: "update_states", states, buffer_paths: paths }, { buffers, metadata });
  };
});

export function widget({ state: given = {}, esm, render, css, name = "widget" }: WidgetOptions): Widget {
  if ((esm === undefined) === (render === undefined))
    throw new TypeError("widget: one of esm (the text of a module) and render (a function) is required");
  const view = { _view_module: "anywidget", _view_name: "AnyView", _view_module_version: anyVersion };
  const model = { _model_module: "anywidget", _model_name: "AnyModel", _model_module_version: anyVersion };
  const code = esm ?? `${ofCells}\nexport default { render: ${String(render)} };`;
  const state: State = { ...model, ...view, _view_count: null, _anywidget_id: name, _esm: code, ...given };
  if (css !== undefined) state._css = css;
  const first = splitBuffers(state);
  const line = comm.open(
    target,
    { state: first.state, buffer_paths: first.paths },
    { buffers: first.buffers, metadata },
  );
  models.set(line.id, { state, comm: line });
  const listeners = new Map<string, Set<Listener>>();
  let closed = false;

  function tell(event: string, value: unknown, buffers: Uint8Array[] = []): void {
    for (const listener of listeners.get(event) ?? []) listener(value, buffers);
  }
  function changed(keys: string[]): void {
    for (const key of keys) tell(`change:${key}`, state[key]);
    if (keys.length > 0) tell("change", made);
  }
  function say(method: string, changes: State): void {
    const { state: plain, paths, buffers } = splitBuffers(changes);
    line.send({ method, state: plain, buffer_paths: paths }, { buffers });
  }
  function end(): void {
    closed = true;
    models.delete(line.id);
    tell("close", undefined);
  }
  line.onClose = end;
  line.onMessage = (data, buffers) => {
    const message = data as { method?: string; state?: State; buffer_paths?: Path[]; content?: unknown };
    if (message.method === "update") {
      const changes = joinBuffers({ ...message.state }, message.buffer_paths ?? [], buffers);
      // The module and the names of the protocol are ours to say, not a view's.
      const keys = Object.keys(changes).filter((key) => !key.startsWith("_"));
      const taken = Object.fromEntries(keys.map((key) => [key, changes[key]]));
      Object.assign(state, taken);
      // The other pages on this kernel follow.
      say("echo_update", taken);
      changed(keys);
    } else if (message.method === "request_state") say("update", state);
    else if (message.method === "custom") tell("message", message.content, buffers);
  };

  const made: Widget = {
    id: line.id,
    get: (key) => state[key],
    set(changes) {
      if (closed) throw new Error(`${name}: it was closed; make another`);
      const keys = Object.keys(changes).filter((key) => !Object.is(changes[key], state[key]));
      if (keys.length === 0) return;
      const taken = Object.fromEntries(keys.map((key) => [key, changes[key]]));
      Object.assign(state, taken);
      say("update", taken);
      changed(keys);
    },
    on(event, listener) {
      const all = listeners.get(event) ?? new Set();
      listeners.set(event, all.add(listener));
      return () => void all.delete(listener);
    },
    send: (content, buffers = []) => line.send({ method: "custom", content }, { buffers }),
    close() {
      if (closed) return;
      line.close();
      end();
    },
    get closed() {
      return closed;
    },
  };
  Object.defineProperty(made, displaySymbol, { value: () => bundle(line.id, state, name) });
  return made;
}

function bundle(id: string, state: State, name: string): Bundle {
  const html = still(state);
  const told = state.value === undefined ? "" : ` ${JSON.stringify(state.value)}`;
  return {
    [viewMime]: { version_major: 2, version_minor: 0, model_id: id },
    ...(html === undefined ? {} : { "text/html": html }),
    "text/plain": `${name}${told}`,
  };
}
