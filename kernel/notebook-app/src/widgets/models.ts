/** The models of one kernel's widgets, as this page knows them: what the kernel opened while the page listened, and what it tells of before. */
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { JSONObject, JSONValue } from "@lumino/coreutils";
import { joinBuffers, type Path, type State, splitBuffers } from "../../../widgets/buffers.ts";

const target = "jupyter.widget";

export type Listener = (
  event: { kind: "state"; state: State } | { kind: "custom"; content: unknown; buffers: unknown[] } | { kind: "gone" },
) => void;

interface Data {
  method?: string;
  state?: State;
  buffer_paths?: Path[];
  content?: unknown;
}

/** One model. What views change is sent when the kernel has taken what was sent before: a slider that is dragged floods nobody. */
export class Model {
  readonly state: State;
  readonly #comm: Kernel.IComm;
  readonly #self: string;
  readonly #listeners = new Set<Listener>();
  #unsent: State = {};
  #sending = false;

  constructor(comm: Kernel.IComm, self: string, state: State) {
    this.#comm = comm;
    this.#self = self;
    this.state = state;
    comm.onMsg = (message) => this.#receive(message);
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A view changed it. */
  change(changes: State, by: Listener): void {
    Object.assign(this.state, changes);
    Object.assign(this.#unsent, changes);
    this.#tell({ kind: "state", state: changes }, by);
    void this.#flush();
  }

  custom(content: unknown, buffers: ArrayBuffer[]): void {
    this.#comm.send({ method: "custom", content: content as JSONValue }, {}, buffers);
  }

  gone(): void {
    this.#tell({ kind: "gone" });
    this.#listeners.clear();
  }

  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (Object.keys(this.#unsent).length > 0 && !this.#comm.isDisposed) {
      const { state, paths, buffers } = splitBuffers(this.#unsent);
      this.#unsent = {};
      const data = { method: "update", state, buffer_paths: paths } as unknown as JSONValue;
      await this.#comm.send(data, {}, buffers as ArrayBufferView[]).done.catch(() => {});
    }
    this.#sending = false;
  }

  #receive({ content, buffers = [], parent_header }: KernelMessage.ICommMsgMsg): void {
    const data = content.data as Data;
    if (data.method === "custom") this.#tell({ kind: "custom", content: data.content, buffers: buffers.map(view) });
    if (data.method !== "update" && data.method !== "echo_update") return;
    // What this page said itself it knows, and by now it may be further.
    const own = (parent_header as { session?: string }).session === this.#self;
    if (data.method === "echo_update" && own) return;
    const changes = joinBuffers({ ...data.state }, data.buffer_paths ?? [], buffers.map(view));
    Object.assign(this.state, changes);
    this.#tell({ kind: "state", state: changes });
  }

  #tell(event: Parameters<Listener>[0], but?: Listener): void {
    for (const listener of [...this.#listeners]) if (listener !== but) listener(event);
  }
}

/** Bytes as the protocol's views have them. */
const view = (buffer: ArrayBuffer | ArrayBufferView): DataView =>
  ArrayBuffer.isView(buffer) ? new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new DataView(buffer);

export class Models {
  readonly #models = new Map<string, Model>();
  readonly #waiting = new Set<(id: string) => void>();

  constructor(kernel: Kernel.IKernelConnection) {
    kernel.registerCommTarget(target, (comm, message) => {
      const { state = {}, buffer_paths = [] } = message.content.data as Data;
      this.#add(kernel, comm, joinBuffers(state, buffer_paths, (message.buffers ?? []).map(view)));
    });
    kernel.statusChanged.connect((_, status) => {
      if (/restarting|dead|terminating/.test(status)) this.#clear();
    });
    void this.#ask(kernel).catch(() => {});
  }

  get(id: string): Model | undefined {
    return this.#models.get(id);
  }

  /** Calls with the id of every model that comes. */
  onAdded(listener: (id: string) => void): () => void {
    this.#waiting.add(listener);
    return () => void this.#waiting.delete(listener);
  }

  #add(kernel: Kernel.IKernelConnection, comm: Kernel.IComm, state: State): void {
    const model = new Model(comm, kernel.clientId, state);
    this.#models.set(comm.commId, model);
    comm.onClose = () => {
      this.#models.delete(comm.commId);
      model.gone();
    };
    for (const listener of [...this.#waiting]) listener(comm.commId);
  }

  /** What was opened before this page was there. */
  async #ask(kernel: Kernel.IKernelConnection): Promise<void> {
    const { content } = await kernel.requestCommInfo({ target_name: target });
    if (content.status !== "ok") return;
    for (const id of Object.keys(content.comms)) {
      if (this.#models.has(id) || kernel.hasComm(id)) continue;
      const comm = kernel.createComm(target, id);
      comm.onMsg = ({ content, buffers = [] }) => {
        const { method, state, buffer_paths = [] } = content.data as Data;
        if (method === "update" && state) this.#add(kernel, comm, joinBuffers(state, buffer_paths, buffers.map(view)));
      };
      comm.send({ method: "request_state" } as JSONObject);
    }
  }

  #clear(): void {
    const all = [...this.#models.values()];
    this.#models.clear();
    for (const model of all) model.gone();
  }
}
