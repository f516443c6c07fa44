/** Functions as ONNX files, for other programs and for later. */
import * as tf from "@tensorflow/tfjs-core";
import { full } from "./graph/arr.ts";
import type { Value } from "./graph/graph.ts";
import { lower } from "./graph/lower.ts";
import { rewrite } from "./graph/rewrite.ts";
import { target } from "./graph/target.ts";
import { openBatch } from "./onnx/open-batch.ts";
import { type Packing, packedGraph } from "./onnx/packed.ts";
import { type GraphSpec, onnxBytes } from "./onnx/writer.ts";
import { backend, TraceError } from "./runtime/backend.ts";
import { adoptTensor } from "./runtime/plan.ts";
import { openSession, ortTensor } from "./runtime/session.ts";
import { Block } from "./runtime/storage.ts";
import { type Source, Trace } from "./runtime/trace.ts";

/** Settings of `exportOnnx`. */
export interface ExportOptions {
  /** The model's name in the file. Default: the function's. */
  readonly name?: string;
  /**
   * Whether the model takes the batch size of the examples only, or any: then the leading axis of the first example, and of the others
   * with one of the same length, is open. Default "fixed".
   */
  readonly batch?: "fixed" | "any";
  /** Which stored tensors take another form: those that are not 0 with their places, or whole numbers with their scales. Default none. */
  readonly packing?: Packing;
}

/** Two batch sizes that no other size in a model is likely to be equal to, far apart so that what is cut into pieces shows. */
const probes = [61, 251] as const;

/**
 * Writes a function as an ONNX model (opset 20, standard operators only).
 *
 * `examples` say the types and shapes of the inputs. Tensors and variables that the function uses from outside, such as the parameters
 * of a model, are stored in the file. Inputs are named `input0`, `input1`, …, results `output0`, `output1`, ….
 *
 * @example
 * ```ts
 * import { exportOnnx, importOnnx, tf } from "thalweg";
 * const w = tf.tensor2d([[1], [2]]);
 * const bytes = exportOnnx((x) => tf.matMul(x as tf.Tensor2D, w), [tf.zeros([1, 2])], { batch: "any" });
 * const [y] = importOnnx(bytes)(tf.tensor2d([[10, 100], [1, 1]]));
 * [...y!.dataSync()]; // [210, 3]
 * ```
 *
 * @throws TraceError when the function cannot be compiled, RangeError when it cannot take any batch size.
 */
export function exportOnnx(
  fn: (...inputs: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[],
  examples: readonly tf.Tensor[],
  { name = fn.name || "model", batch = "fixed", packing }: ExportOptions = {},
): Uint8Array {
  const written = (graph: GraphSpec): Uint8Array =>
    onnxBytes(packing === undefined ? graph : packedGraph(graph, packing));
  if (batch === "fixed") return written(recorded(fn, examples, name));
  const rows = examples[0]?.shape[0];
  if (rows === undefined)
    throw new RangeError(`exportOnnx: with batch "any" an example with a leading axis is required, got none`);
  const [a, b] = probes.map((size) => {
    const resized = examples.map(({ shape, dtype }) => ({
      dtype,
      shape: shape[0] === rows ? [size, ...shape.slice(1)] : shape,
    }));
    return recorded(fn, resized, name);
  });
  return written(openBatch(a!, b!, probes));
}

/** The graph of a function, with what it uses from outside stored in it. */
function recorded(
  fn: (...inputs: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[],
  examples: readonly Pick<tf.Tensor, "shape" | "dtype">[],
  name: string,
): GraphSpec {
  const trace = new Trace();
  const { provider } = target;
  // Operators of ONNX Runtime's own are for its processor only.
  target.provider = "webgpu";
  target.computing = provider;
  try {
    const inputs: Value[] = [];
    const wanted = trace.run(() => {
      let values: Value[] = [];
      tf.tidy(() => {
        const args = examples.map(({ shape, dtype }) => trace.argument(shape, dtype));
        for (const arg of args) inputs.push(backend.arr(arg).value);
        values = [fn(...args)].flat().map((out) => full(trace.graph, backend.arr(out as tf.Tensor)));
      });
      return values;
    });
    const { outputs, leaves } = rewrite(wanted, new Set(), true);
    const spec = lower(name, inputs, outputs);
    const stored = [...leaves.keys()].flatMap((leaf) => {
      const { source } = leaf.leaf as { source: Source };
      if (source.kind === "argument") return [];
      if (source.kind === "noise")
        throw new TraceError("the function draws noise", "export the function as it is used after training");
      const block = source.kind === "capture" ? source.block : backend.host(backend.entry(source.variable.dataId));
      return [{ name: `v${leaf.id}`, type: leaf.type, shape: leaf.shape, data: block.data }];
    });
    const names = new Map<string, string>();
    inputs.forEach((value, i) => {
      names.set(`v${value.id}`, `input${i}`);
    });
    spec.outputs.forEach((value, i) => {
      names.set(value.name, `output${i}`);
    });
    const named = (text: string): string => names.get(text) ?? text;
    // bodies of loops use values of the graph around them by name
    const renamed = (nodes: GraphSpec["nodes"]): GraphSpec["nodes"] =>
      nodes.map((n) => {
        const body = n.attributes?.body as { readonly graph: GraphSpec } | undefined;
        const inner = body && { ...body, graph: { ...body.graph, nodes: renamed(body.graph.nodes) } };
        return {
          ...n,
          inputs: n.inputs.map(named),
          outputs: n.outputs.map(named),
          ...(inner && { attributes: { ...n.attributes, body: inner } }),
        };
      });
    return {
      ...spec,
      nodes: renamed(spec.nodes),
      inputs: spec.inputs.map((value) => ({ ...value, name: named(value.name) })),
      outputs: spec.outputs.map((value) => ({ ...value, name: named(value.name) })),
      initializers: [...spec.initializers, ...stored],
    };
  } finally {
    target.provider = provider;
    target.computing = null;
  }
}

/**
 * Opens an ONNX model as a function from tensors to tensors, in the order of the model's inputs and outputs.
 *
 * Takes any model that ONNX Runtime runs, whoever wrote it, with inputs and outputs of type float32, int32 or bool.
 */
export function importOnnx(bytes: Uint8Array): (...inputs: tf.Tensor[]) => tf.Tensor[] {
  const session = opened(bytes);
  return (...inputs) => {
    if (inputs.length !== session.inputs.length) {
      const names = session.inputs.map(({ name }) => name).join(", ");
      throw new TypeError(`importOnnx: ${session.inputs.length} inputs (${names}) are required, got ${inputs.length}`);
    }
    const feeds = Object.fromEntries(
      inputs.map((x, i) => [
        requireInput(x, session.inputs[i]!).name,
        ortTensor(x.dtype as "float32", backend.host(backend.entry(x.dataId)).data, x.shape),
      ]),
    );
    const results = session.run(feeds, Object.fromEntries(session.outputs.map((name) => [name, null])));
    return session.outputs.map((name) => {
      const { data, type, dims } = results[name]!;
      return adoptTensor(new Block(data, type, "engine"), [...dims], type as tf.DataType, null);
    });
  };
}

type Opened = ReturnType<typeof openSession>;

function opened(bytes: Uint8Array): Opened {
  try {
    return openSession(bytes);
  } catch (error) {
    throw new Error(`importOnnx: an ONNX model is required, got ${bytes.length} bytes: ${(error as Error).message}`);
  }
}

const typeNames: { readonly [code: string]: string } = { 1: "float32", 6: "int32", 9: "bool" };

/** Throws when a tensor is not what an input of a model takes; a dimension that the model leaves open is negative or a name there. */
function requireInput(x: tf.Tensor, input: Opened["inputs"][number]): Opened["inputs"][number] {
  const { name, type, shape = [] } = input;
  const wanted = typeNames[String(type)];
  const fits =
    x.shape.length === shape.length &&
    shape.every((dim, i) => typeof dim !== "number" || dim < 0 || dim === x.shape[i]);
  if (fits && (wanted === undefined || wanted === x.dtype)) return input;
  const open = shape.map((dim) => (typeof dim === "number" && dim >= 0 ? dim : "any"));
  throw new TypeError(
    `importOnnx: ${name} of type ${wanted ?? type} and shape [${open}] is required, got ${x.dtype} and [${x.shape}]`,
  );
}
