/**
 * Jupyter's debug messages (the Debug Adapter Protocol and a few of Jupyter's own) over V8's inspector, which the control thread of the
 * user's process is connected to: it answers also while that process stands at a breakpoint. Nothing of this runs before somebody attaches
 * or asks for variables.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { murmur2 } from "./murmur2.ts";
import { type Point, placeOf, pointAt } from "./points.ts";
import { type Inspector, type Remote, type Variable, values } from "./values.ts";

export interface Request {
  seq: number;
  command: string;
  arguments?: Record<string, unknown>;
}
type Body = Record<string, unknown>;

export interface AdapterOptions {
  inspector: Inspector;
  /** Lets go of the inspector: a process with a debugger waits for it before it exits. */
  release(): void;
  emit(event: string, body: Body): void;
}

/** A cell that is about to run, as the user's process compiled it. */
export interface Compiled {
  name: string;
  source: string;
  points: Point[];
}

interface Breakpoint {
  line: number;
  condition?: string;
}
interface Frame {
  callFrameId: string;
  functionName: string;
  url: string;
  location: { scriptId: string; lineNumber: number; columnNumber?: number };
  scopeChain: { type: string; name?: string; object: Remote }[];
}

const seed = 0xc70f6907;
const prefix = join(tmpdir(), `thalweg_${process.pid}`, "/");
const suffix = ".ts";
export const pathOf = (code: string): string => `${prefix}${murmur2(code, seed)}${suffix}`;

const scopeNames: Record<string, string> = {
  local: "Locals",
  block: "Block",
  closure: "Closure",
  script: "Cells",
  catch: "Catch",
  with: "With",
};
const steps: Record<string, string> = {
  continue: "resume",
  next: "stepOver",
  stepIn: "stepInto",
  stepOut: "stepOut",
};
const thread = { threadId: 1 };
/** So long what was shown can be opened, when nobody is attached. */
const lookMs = 10_000;
/** The kernel's own files and Node's: steps go over them. */
const foreign = /^node:|\/kernel\/(child|cell)\//;
const ours = ["^node:", "/kernel/(child|cell)/", "/tsx/", "^evalmachine", "^$"];

export function adapter({ inspector, release, emit }: AdapterOptions) {
  const shown = values(inspector);
  /** What the frontend calls cells, with their texts. */
  const sources = new Map<string, string>();
  const breakpoints = new Map<string, Breakpoint[]>();
  /** Compiled cells by the name that V8 knows, and what was set in them. */
  const cells = new Map<string, Compiled & { path: string; ids: string[] }>();
  /** Which file a script of V8 is. */
  const urls = new Map<string, string>();
  let attached = false;
  let frames: Frame[] = [];
  let looking: NodeJS.Timeout | undefined;

  async function set(cell: Compiled & { path: string; ids: string[] }): Promise<void> {
    for (const breakpointId of cell.ids.splice(0))
      await inspector("Debugger.removeBreakpoint", { breakpointId }).catch(() => {});
    for (const { line, condition } of breakpoints.get(cell.path) ?? []) {
      const point = pointAt(cell.points, line);
      if (!point) continue;
      const [lineNumber, columnNumber] = point;
      const place = { url: cell.name, lineNumber, columnNumber, ...(condition ? { condition } : {}) };
      const made = await inspector("Debugger.setBreakpointByUrl", place).catch(() => undefined);
      if (made) cell.ids.push(String(made.breakpointId));
    }
  }

  async function attach(): Promise<void> {
    if (attached) return;
    await inspector("Runtime.enable");
    await inspector("Debugger.enable");
    await inspector("Debugger.setBlackboxPatterns", { patterns: ours });
    attached = true;
  }

  async function detach(): Promise<Body> {
    attached = false;
    if (frames.length > 0) await inspector("Debugger.resume").catch(() => {});
    frames = [];
    await inspector("Debugger.disable").catch(() => {});
    release();
    return {};
  }

  function place(frame: Frame): Body {
    const { lineNumber, columnNumber = 0 } = frame.location;
    const cell = cells.get(frame.url);
    const at = cell
      ? placeOf(cell.points, lineNumber, columnNumber)
      : { line: lineNumber + 1, column: columnNumber + 1 };
    const path = cell?.path ?? frame.url.replace(/^file:\/\//, "");
    return { ...at, source: { path, name: path.split("/").at(-1) } };
  }

  async function evaluate(expression: string, frameId: unknown): Promise<Remote> {
    const frame = frames[Number(frameId) - 1];
    const found = frame
      ? await inspector("Debugger.evaluateOnCallFrame", { callFrameId: frame.callFrameId, expression, silent: true })
      : await inspector("Runtime.evaluate", { expression, silent: true, replMode: true });
    const { result, exceptionDetails } = found as { result: Remote; exceptionDetails?: unknown };
    if (exceptionDetails) throw new Error(result.description ?? `${expression} could not be evaluated`);
    return result;
  }

  /** The names that cells declared, and what they are. */
  async function inspectAll(): Promise<Variable[]> {
    const { names } = (await inspector("Runtime.globalLexicalScopeNames")) as { names: string[] };
    const all = names.filter((name) => !name.startsWith("__")).slice(0, 500);
    return Promise.all(
      all.map(async (name) => shown.variable(name.replace(/__own$/, ""), await evaluate(name, undefined))),
    );
  }

  async function source(given: { path?: string } | undefined): Promise<string> {
    const path = given?.path ?? "";
    const known = sources.get(path);
    if (known !== undefined) return known;
    const frame = frames.find(({ url }) => url.replace(/^file:\/\//, "") === path);
    if (!frame) throw new Error(`source: a file of the stack is required, got ${path}`);
    const { scriptSource } = await inspector("Debugger.getScriptSource", { scriptId: frame.location.scriptId });
    return String(scriptSource);
  }

  const commands: Record<string, (given: Record<string, unknown>) => Promise<Body> | Body> = {
    initialize: () => ({
      supportsConfigurationDoneRequest: true,
      supportsConditionalBreakpoints: true,
      supportsEvaluateForHovers: true,
      exceptionBreakpointFilters: [
        { filter: "all", label: "All Exceptions", default: false },
        { filter: "uncaught", label: "Uncaught Exceptions", default: false },
      ],
    }),
    async attach() {
      await attach();
      emit("initialized", {});
      return {};
    },
    configurationDone: () => ({}),
    debugInfo: () => ({
      isStarted: attached,
      hashMethod: "Murmur2",
      hashSeed: seed,
      tmpFilePrefix: prefix,
      tmpFileSuffix: suffix,
      breakpoints: [...breakpoints].map(([path, all]) => ({ source: path, breakpoints: all })),
      stoppedThreads: frames.length > 0 ? [thread.threadId] : [],
      richRendering: true,
      exceptionPaths: ["all", "uncaught"],
      copyToGlobals: false,
    }),
    dumpCell({ code }) {
      const sourcePath = pathOf(String(code));
      sources.set(sourcePath, String(code));
      return { sourcePath };
    },
    async setBreakpoints({ source: given, breakpoints: wanted }) {
      const path = String((given as { path?: unknown }).path);
      const all = (Array.isArray(wanted) ? wanted : []) as Breakpoint[];
      breakpoints.set(path, all);
      for (const cell of cells.values()) if (cell.path === path) await set(cell);
      return { breakpoints: all.map(({ line }, id) => ({ id, verified: true, line, source: { path } })) };
    },
    async setExceptionBreakpoints({ filters }) {
      const all = (Array.isArray(filters) ? filters : []) as string[];
      const state = all.includes("all") ? "all" : all.length > 0 ? "uncaught" : "none";
      if (attached) await inspector("Debugger.setPauseOnExceptions", { state });
      return {};
    },
    source: async ({ source: given }) => ({ content: await source(given as { path?: string }) }),
    threads: () => ({ threads: [{ id: thread.threadId, name: "main" }] }),
    stackTrace: () => ({
      stackFrames: frames.map((frame, i) => ({ id: i + 1, name: frame.functionName || "(cell)", ...place(frame) })),
      totalFrames: frames.length,
    }),
    scopes({ frameId }) {
      const chain = frames[Number(frameId) - 1]?.scopeChain ?? [];
      const scopes = chain.filter(({ type, object }) => scopeNames[type] && object.objectId);
      return {
        scopes: scopes.map(({ type, object }) => ({
          name: scopeNames[type],
          variablesReference: shown.reference(object.objectId!),
          expensive: false,
        })),
      };
    },
    variables: async ({ variablesReference }) => ({
      variables: await shown.children(Number(variablesReference), (name) => !/^(__cell|__run)$/.test(name)),
    }),
    async evaluate({ expression, frameId }) {
      const { value, type, variablesReference } = await shown.variable("", await evaluate(String(expression), frameId));
      return { result: value, type, variablesReference };
    },
    inspectVariables: async () => ({ variables: await inspectAll() }),
    async richInspectVariables({ variableName, frameId }) {
      const name = String(variableName);
      if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name))
        throw new Error(`richInspectVariables: a name is required, got ${name}`);
      const told = await evaluate(`globalThis.__cell.inspect(${name})`, frameId);
      return { data: JSON.parse(String(told.value)) as Body, metadata: {} };
    },
    pause: async () => inspector("Debugger.pause"),
    modules: () => ({ modules: [], totalModules: 0 }),
    disconnect: () => detach(),
    terminate: () => detach(),
  };
  for (const [command, method] of Object.entries(steps))
    commands[command] = async () => {
      if (frames.length === 0) throw new Error(`${command}: the program must stand at a breakpoint, and it does not`);
      await inspector(`Debugger.${method}`);
      return { allThreadsContinued: true };
    };

  return {
    get attached() {
      return attached;
    },
    get paused() {
      return frames.length > 0;
    },
    resume: () => void inspector("Debugger.resume").catch(() => {}),
    /** The process that was looked into is gone. */
    ended(): void {
      clearTimeout(looking);
      attached = false;
      frames = [];
      cells.clear();
      urls.clear();
    },
    /** Sets the breakpoints of a cell that is about to run. */
    async prepare(compiled: Compiled): Promise<void> {
      const cell = { ...compiled, path: pathOf(compiled.source), ids: [] };
      sources.set(cell.path, cell.source);
      cells.set(cell.name, cell);
      if (attached) await set(cell);
    },
    event(method: string, params: Record<string, unknown>): void {
      if (method === "Debugger.scriptParsed") {
        urls.set(String(params.scriptId), String(params.url));
        return;
      }
      shown.forget();
      if (method === "Debugger.paused") {
        const all = (params.callFrames as Frame[]).map((one) => ({
          ...one,
          url: urls.get(one.location.scriptId) ?? "",
        }));
        // What called the cell is the kernel's.
        const last = all.findLastIndex(({ url }) => cells.has(url));
        frames = (last >= 0 ? all.slice(0, last + 1) : all).filter(({ url }) => !foreign.test(url));
        const hit = (params.hitBreakpoints as unknown[] | undefined)?.length;
        const reason = /exception|promiseRejection/.test(String(params.reason))
          ? "exception"
          : hit
            ? "breakpoint"
            : "step";
        // Nothing of the user's is on the stack: it goes on by itself.
        if (frames.length === 0) void inspector("Debugger.resume").catch(() => {});
        else emit("stopped", { reason, ...thread, allThreadsStopped: true });
      } else if (method === "Debugger.resumed") {
        const stood = frames.length > 0;
        frames = [];
        if (stood) emit("continued", { ...thread, allThreadsContinued: true });
      }
    },
    async request({ seq, command, arguments: given = {} }: Request): Promise<Body> {
      const reply = { type: "response", seq, request_seq: seq, command };
      const act = Object.hasOwn(commands, command) ? commands[command] : undefined;
      if (!act) return { ...reply, success: false, message: `${command} is not possible here`, body: {} };
      try {
        return { ...reply, success: true, body: await act(given) };
      } catch (error) {
        return { ...reply, success: false, message: error instanceof Error ? error.message : String(error), body: {} };
      } finally {
        // Who only looks leaves no debugger behind, once the children of what was shown were looked at.
        clearTimeout(looking);
        if (!attached) looking = setTimeout(release, lookMs).unref();
      }
    },
  };
}
export type Adapter = ReturnType<typeof adapter>;
