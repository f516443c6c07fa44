/** ONNX Runtime, driven synchronously through the binding that onnxruntime-node ships. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { type ElementType, type GraphSpec, type HostArray, onnxBytes } from "../onnx/writer.ts";
import { native as found } from "./native.ts";

/** A tensor as the binding takes and gives it. */
export interface OrtTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: HostArray;
  readonly location?: string;
  dispose?(): void;
}
export type Named = Record<string, OrtTensor>;
interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(feeds: Named, fetches: Record<string, OrtTensor | null>, options: object): Named;
  dispose(): void;
  endProfiling(): void;
  readonly inputMetadata: readonly {
    readonly name: string;
    readonly type?: string;
    readonly shape?: readonly (number | string)[];
  }[];
  readonly outputMetadata: readonly { readonly name: string }[];
}
interface Runtime {
  readonly binding: { InferenceSession: new () => NativeSession };
  readonly Tensor: new (type: string, data: HostArray, dims: readonly number[]) => OrtTensor;
}

const require = createRequire(import.meta.url);
let loaded: Runtime | Error | null = null;

/** Calls native code. A notebook's kernel is told: an interrupt that cut a call into JavaScript in there would end the process. */
export function native<T>(work: () => T): T {
  const notebook = (globalThis as { [key: symbol]: unknown })[Symbol.for("Jupyter.interrupt")] as
    | { native?<R>(work: () => R): R }
    | undefined;
  return notebook?.native ? notebook.native(work) : work();
}

/** Loads the runtime, or says why it cannot be. */
export function runtime(): Runtime | Error {
  if (loaded === null) {
    try {
      const common = require("onnxruntime-common") as { Tensor: Runtime["Tensor"]; env: { logLevel?: string } };
      common.env.logLevel = "fatal"; // errors are thrown, and need not be printed as well
      // The package's own entry only runs sessions asynchronously; its binding is what it wraps.
      const ort = require(join(found().folder, "dist", "binding.js")) as Pick<Runtime, "binding"> & { initOrt(): void };
      ort.initOrt();
      loaded = { binding: ort.binding, Tensor: common.Tensor };
    } catch (error) {
      loaded = error instanceof Error ? error : new Error(String(error));
    }
  }
  return loaded;
}

function need(): Runtime {
  const runs = runtime();
  if (runs instanceof Error) throw new Error(`engine: ONNX Runtime is required, got ${runs.message}`);
  return runs;
}

export const ortTensor = (type: ElementType, data: HostArray, dims: readonly number[]): OrtTensor =>
  new (need().Tensor)(type, data, dims);

export interface SessionOptions {
  /** Worker threads of one operation. */
  readonly threads: number;
  /** Where operations run: the execution provider's name in ONNX Runtime. */
  readonly provider: string;
  /** Names of outputs that stay on the device. */
  readonly resident?: readonly string[];
  /** Where to write a profile of each node's time, for development. */
  readonly profile?: string;
}

/** One compiled program. */
export interface Session {
  run(feeds: Named, fetches: Record<string, OrtTensor | null>): Named;
  dispose(): void;
  endProfiling(): void;
}

const runOptions = { logSeverityLevel: 4 };

/** An error of a run in the words of the program: which function, which kernel, what was wrong. */
export function explained(error: unknown, program: string): unknown {
  const found = /running (\w+) node\. Name:'(?:([A-Z]\w*?)_\d+)?.*' Status Message: (.*)/s.exec(
    (error as Error).message,
  );
  if (!found) return error;
  const [, op, kernel, message] = found;
  return new Error(`${program === "lazy" ? "" : `${program}: `}in ${kernel ?? op}: ${message}`);
}

/** Compiles a graph; takes milliseconds. */
export function createSession(spec: GraphSpec, options: SessionOptions): Session {
  const { binding } = need();
  const bytes = onnxBytes(spec);
  const session = new binding.InferenceSession();
  const resident = options.resident ?? [];
  const settings = {
    executionProviders: options.provider === "cpu" ? ["cpu"] : [options.provider, "cpu"],
    graphOptimizationLevel: options.provider === "cpu" ? "basic" : "disabled",
    executionMode: "sequential",
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: {
      session: {
        // Threads stop spinning when a run ends: a notebook at rest uses no CPU.
        force_spinning_stop: "1",
        set_denormal_as_zero: "1",
      },
    },
    ...(resident.length > 0
      ? { preferredOutputLocation: Object.fromEntries(resident.map((name) => [name, "gpu-buffer"])) }
      : {}),
    ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
  };
  native(() => session.loadModel(bytes.buffer, bytes.byteOffset, bytes.byteLength, settings));
  return {
    run(feeds, fetches) {
      try {
        return native(() => session.run(feeds, fetches, runOptions));
      } catch (error) {
        throw explained(error, spec.name);
      }
    },
    dispose: () => session.dispose(),
    endProfiling: () => session.endProfiling(),
  };
}

/** Opens a model file on the processor. */
export function openSession(bytes: Uint8Array): Session & {
  readonly inputs: readonly {
    readonly name: string;
    readonly type?: string;
    readonly shape?: readonly (number | string)[];
  }[];
  readonly outputs: string[];
} {
  const { binding } = need();
  const session = new binding.InferenceSession();
  const options = { executionProviders: ["cpu"], logSeverityLevel: 4 };
  native(() => session.loadModel(bytes.buffer, bytes.byteOffset, bytes.byteLength, options));
  return {
    inputs: session.inputMetadata,
    outputs: session.outputMetadata.map(({ name }) => name),
    run: (feeds, fetches) => native(() => session.run(feeds, fetches, runOptions)),
    dispose: () => session.dispose(),
    endProfiling: () => session.endProfiling(),
  };
}
