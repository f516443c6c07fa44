/**
 * The kernel without its sockets: messages in, messages out. Requests are bracketed by busy and idle; cells queue and run one at a
 * time; everything else is answered at once, also while a cell runs.
 */
import type { Context, Handler, TypeErrors } from "./context.ts";
import { adapter } from "./debug/adapter.ts";
import { figures } from "./display/plotly.ts";
import { evaluator, type Output } from "./evaluator.ts";
import { comm, commInfo, commNow } from "./handlers/comm.ts";
import { complete } from "./handlers/complete.ts";
import { connect } from "./handlers/connect.ts";
import { debug } from "./handlers/debug.ts";
import { execute, executeRequest } from "./handlers/execute.ts";
import { history as historyHandler } from "./handlers/history.ts";
import { inspect } from "./handlers/inspect.ts";
import { interrupt } from "./handlers/interrupt.ts";
import { isComplete } from "./handlers/is-complete.ts";
import { kernelInfo } from "./handlers/kernel-info.ts";
import { shutdown } from "./handlers/shutdown.ts";
import { stale, tracker } from "./handlers/stale.ts";
import { usage } from "./handlers/usage.ts";
import { history } from "./history.ts";
import { languageClient } from "./language/client.ts";
import { type Bundle, type Channel, type Content, type Message, messageFactory } from "./messages.ts";

export interface KernelOptions {
  /** Where messages go. A promise is back-pressure: the next output waits for it. */
  send(channel: Channel, message: Message): void | Promise<void>;
  /** Settles when no request is waiting unread; in process nothing ever is. */
  drained?(): Promise<void>;
  cwd?: string;
  preload?: string;
  /** A folder whose `node_modules` is looked into first: packages that the notebook pins. */
  packages?: string;
  typeErrors?: TypeErrors;
  awaitTypes?: boolean;
  /** Load the types once the user's process and its library are up: for sessions with a person who will ask for completions. */
  warmTypes?: boolean;
  session?: string;
  onExit?(restart: boolean): void;
  /** What went wrong while nobody was there to be told. */
  onPreload?(result: { names: string[]; error?: string }): void;
}

export interface Kernel {
  receive(channel: "shell" | "control" | "stdin", message: Message): void;
  interrupt(): void;
  /** Settles when what the type checker has to say of the cells so far was shown, or after `ms`. */
  checked(ms: number): Promise<void>;
  close(): Promise<void>;
  readonly pid: number | undefined;
}

const shellHandlers: Record<string, Handler> = {
  kernel_info_request: kernelInfo,
  complete_request: complete,
  inspect_request: inspect,
  is_complete_request: isComplete,
  history_request: historyHandler,
  comm_info_request: commInfo,
  connect_request: connect,
  shutdown_request: shutdown,
  stale_request: stale,
  debug_request: debug,
  usage_request: usage,
  interrupt_request: interrupt,
};

/** Text waits this long for more, so that a flood is few messages. */
const gatherMs = 25;
const gatherBytes = 256 * 1024;

export function createKernel(options: KernelOptions): Kernel {
  const messages = messageFactory(options.session);
  const plotly = figures();
  const queue: Queued[] = [];
  let working = false;
  let executing: Message | undefined;
  let closed = false;
  let runs = 0;
  let gathered: { name: string; text: string[]; size: number; parent: Message | undefined } | undefined;
  let gatherTimer: NodeJS.Timeout | undefined;
  let preloadError: string | undefined;

  const publish = (
    type: string,
    content: Content,
    parent: Message | undefined,
    extra?: Partial<Message>,
  ): void | Promise<void> => {
    if (closed) return;
    return options.send("iopub", messages.childOf(parent, type, content, extra));
  };

  async function flush(): Promise<void> {
    clearTimeout(gatherTimer);
    gatherTimer = undefined;
    const text = gathered;
    gathered = undefined;
    if (text) await publish("stream", { name: text.name, text: text.text.join("") }, text.parent);
  }

  const child = evaluator({
    cwd: options.cwd ?? process.cwd(),
    ...(options.preload === undefined ? {} : { preload: options.preload }),
    ...(options.packages === undefined ? {} : { packages: options.packages }),
    onOutput,
    onReady() {
      if (options.warmTypes && options.preload === undefined) context.language.warm();
    },
    onPreloaded(result) {
      preloadError = result.error;
      if (executing) void reportPreload(executing);
      context.language.preloaded(result.names, result.url, result.package);
      if (options.warmTypes) context.language.warm();
      options.onPreload?.(result);
    },
    onCompiled: (cell) => debugging.prepare(cell),
    onInspector: (method, params) => debugging.event(method, params),
    onEnd: () => debugging.ended(),
    onDeath: (text) => void publish("stream", { name: "stderr", text: `${text}\n` }, context.output?.parent),
  });

  let events = 0;
  /** The last debug request: what events between cells belong to. */
  let debugged: Message | undefined;
  const debugging = adapter({
    inspector: (method, params) => child.inspect(method, params),
    release: () => child.release(),
    emit: (event, body) =>
      void publish("debug_event", { type: "event", seq: ++events, event, body }, executing ?? debugged),
  });

  const context: Context = {
    evaluator: child,
    language: languageClient({
      cwd: options.cwd ?? process.cwd(),
      preloading: options.preload !== undefined,
      ...(options.packages === undefined ? {} : { packages: options.packages }),
    }),
    history: history(),
    typeErrors: options.typeErrors ?? "warn",
    awaitTypes: options.awaitTypes ?? false,
    checking: new Set(),
    comms: new Map(),
    stale: tracker(),
    debug: debugging,
    told: {},
    count: 0,
    output: undefined,
    nextRun: () => ++runs,
    publish: async (type, content, parent, extra) => {
      if (type === "execute_result") return publishBundle(type, content, content.data as Bundle, parent);
      return publish(type, content, parent, extra);
    },
    send: (channel, type, content, parent) => void options.send(channel, messages.childOf(parent, type, content)),
    flush,
    exit: (restart) => options.onExit?.(restart),
  };

  /** A library that could not be loaded is told in the first cell. */
  async function reportPreload(request: Message): Promise<void> {
    if (preloadError === undefined) return;
    const text = `The preloaded library could not be loaded, its names are missing: ${preloadError}\n`;
    preloadError = undefined;
    await publish("stream", { name: "stderr", text }, request);
  }

  /** Figures become interactive everywhere; the script they share goes before the first of them. */
  async function publishBundle(
    type: string,
    content: Content,
    data: Bundle,
    parent: Message | undefined,
  ): Promise<void> {
    const { script, bundle } = plotly.enrich(data, parent);
    if (script) await publish("display_data", { data: script.data, metadata: script.metadata, transient: {} }, parent);
    await publish(type, { ...content, data: bundle }, parent);
  }

  async function onOutput(output: Output): Promise<void> {
    const { parent, silent } = context.output ?? { parent: undefined, silent: false };
    if (output.op === "stream") {
      if (silent) return;
      if (gathered && (gathered.name !== output.name || gathered.parent !== parent)) await flush();
      gathered ??= { name: output.name, text: [], size: 0, parent };
      gathered.text.push(output.text);
      gathered.size += output.text.length;
      if (gathered.size >= gatherBytes) await flush();
      else gatherTimer ??= setTimeout(() => void flush(), gatherMs);
      return;
    }
    if (output.op === "status") {
      Object.assign(context.told, output.status);
      return;
    }
    await flush();
    if (output.op === "input") {
      if (parent) context.send("stdin", "input_request", { prompt: output.prompt, password: output.password }, parent);
    } else if (output.op === "comm") {
      const id = String(output.content.comm_id);
      if (output.type === "comm_open") context.comms.set(id, String(output.content.target_name));
      if (output.type === "comm_close") context.comms.delete(id);
      const buffers = output.buffers.map((buffer) => Buffer.from(buffer, "base64"));
      await publish(output.type, output.content, parent, { metadata: output.metadata, buffers });
    } else if (silent) return;
    else if (output.op === "clear") await publish("clear_output", { wait: output.wait }, parent);
    else {
      const transient = output.displayId === undefined ? {} : { display_id: output.displayId };
      const type = output.update ? "update_display_data" : "display_data";
      await publishBundle(type, { data: output.data, metadata: output.metadata, transient }, output.data, parent);
    }
  }

  async function answer(channel: "shell" | "control", request: Message, handler: Handler): Promise<Content> {
    const { msg_type } = request.header;
    await publish("status", { execution_state: "busy" }, request);
    let reply: Content;
    try {
      reply = await handler(context, request);
    } catch (error) {
      const { name: ename, message: evalue } = error instanceof Error ? error : new Error(String(error));
      reply = { status: "error", ename, evalue, traceback: [`${ename}: ${evalue}`] };
    }
    await flush();
    if (msg_type.endsWith("_request")) context.send(channel, msg_type.replace(/_request$/, "_reply"), reply, request);
    await publish("status", { execution_state: "idle" }, request);
    // Frontends take the last status for the kernel's: while a cell runs, that is busy.
    if (executing && executing !== request) await publish("status", { execution_state: "busy" }, executing);
    return reply;
  }

  async function work(): Promise<void> {
    if (working) return;
    working = true;
    for (let next = queue.shift(); next && !closed; next = queue.shift()) {
      const { request, channel } = next;
      if (!isExecute(next)) {
        await answer(channel, request, comm);
        continue;
      }
      executing = request;
      await reportPreload(request);
      const after: Queued[] = [];
      await answer(channel, request, async (given, cell) => {
        const reply = await execute(given, cell);
        // What was asked before the error could be known is not run; what comes after the reply is.
        if (reply.status === "error" && stopsOnError(cell)) {
          await options.drained?.();
          after.push(...queue.splice(0));
        }
        return reply;
      });
      executing = undefined;
      for (const later of after) await answer(later.channel, later.request, isExecute(later) ? aborted : comm);
    }
    working = false;
  }

  const aborted: Handler = () => ({
    status: "aborted",
    execution_count: context.count,
    payload: [],
    user_expressions: {},
  });

  async function leave(channel: "shell" | "control", request: Message): Promise<void> {
    const reply = await answer(channel, request, shutdown);
    await close();
    context.exit(reply.restart === true);
  }

  async function close(): Promise<void> {
    closed = true;
    clearTimeout(gatherTimer);
    await context.language.close();
    await child.stop(false);
  }

  void publish("status", { execution_state: "starting" }, undefined);

  return {
    get pid() {
      return child.pid;
    },
    interrupt: () => void interrupt(context, messages.childOf(undefined, "interrupt_request", {})),
    async checked(ms) {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      });
      await Promise.race([Promise.allSettled([...context.checking]), limit]);
      clearTimeout(timer);
    },
    receive(channel, request) {
      const type = request.header.msg_type;
      if (closed) return;
      if (channel === "stdin") {
        if (type === "input_reply") child.answer(String(request.content.value ?? ""));
        return;
      }
      // While a cell runs, what a person moves in the page reaches it: it may be waiting for that.
      if (executing && /^comm_(msg|close)$/.test(type) && context.comms.has(String(request.content.comm_id))) {
        void answer(channel, request, commNow);
      } else if (type === "execute_request" || /^comm_(open|msg|close)$/.test(type)) {
        queue.push({ request, channel });
        void work();
      } else if (type === "shutdown_request") void leave(channel, request);
      else {
        if (type === "debug_request") debugged = request;
        const handler = shellHandlers[type];
        // The protocol: messages of unknown type are ignored.
        if (handler) void answer(channel, request, handler);
      }
    },
    close,
  };
}

interface Queued {
  request: Message;
  channel: "shell" | "control";
}

const isExecute = ({ request }: Queued) => request.header.msg_type === "execute_request";

function stopsOnError(request: Message): boolean {
  try {
    return executeRequest(request.content).stop_on_error;
  } catch {
    return false;
  }
}
