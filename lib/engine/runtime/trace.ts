/** Records one function as a graph of its own: arguments, noise, captured tensors and variables become inputs. */
import * as tf from "@tensorflow/tfjs-core";
import { type Arr, arr, permute } from "../graph/arr.ts";
import { Graph, type Value } from "../graph/graph.ts";
import type { Rng } from "../random.ts";
import { backend, TraceError, type Tracing } from "./backend.ts";
import { era } from "./era.ts";
import { type Draw, randomCaller, TracedRng } from "./noise.ts";
import { type Block, type Entry, elementType } from "./storage.ts";
import { callers } from "./where.ts";

/** What an input of a traced function is fed with. */
export type Source =
  | { readonly kind: "argument"; readonly index: number }
  | { readonly kind: "noise"; readonly index: number }
  | { readonly kind: "capture"; readonly block: Block }
  | { readonly kind: "variable"; readonly variable: tf.Variable };

/** Tensors with at most this many numbers that come up in a trace are stored in the program. */
const constantLimit = 1024;

type Engine = ReturnType<typeof tf.engine>;

export class Trace implements Tracing {
  readonly graph = new Graph();
  readonly draws: Draw[] = [];
  /** Variables that the function assigned, with their new values. */
  readonly assigned: { readonly variable: tf.Variable; readonly result: Arr }[] = [];
  readonly #variables = new Map<tf.DataId, tf.Variable>();
  #arguments = 0;

  /** A tensor that stands for an argument. */
  argument(shape: readonly number[], dtype: string): tf.Tensor {
    const source: Source = { kind: "argument", index: this.#arguments++ };
    return this.#placeholder(shape, dtype, source);
  }

  /** A generator that stands for an argument. */
  noise(rng: Rng, index: number): Rng {
    return new TracedRng(rng, { argument: index }, (draw) => {
      this.draws.push(draw);
      return this.#placeholder(draw.shape, "float32", { kind: "noise", index: this.draws.length - 1 });
    });
  }

  #placeholder(shape: readonly number[], dtype: string, source: Source): tf.Tensor {
    if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool")
      throw new TraceError(`a tensor of type ${dtype} is an argument`, "pass numbers or truth values");
    const info = backend.make(arr(this.graph.input(shape, elementType(dtype), source)));
    return tf.engine().makeTensorFromTensorInfo(info, backend);
  }

  leaf(entry: Entry, shape: readonly number[]): Arr {
    const { layout } = entry;
    const block = entry.block!;
    const variable = this.#variables.get(entry.id);
    if (!variable && !layout && block.size <= constantLimit) {
      return arr(this.graph.constant(block.data.slice(), shape, block.type));
    }
    const source: Source = variable ? { kind: "variable", variable } : { kind: "capture", block };
    if (variable) return arr(this.graph.input(variable.shape, block.type, source));
    block.recyclable = false;
    block.isOwn = false;
    if (!layout) return arr(this.graph.input(shape, block.type, source));
    return arr(this.graph.input(permute(layout.shape, layout.perm), block.type, source), layout.shape, layout.perm);
  }

  /** Runs `body` and gives what it returns, with variables put back as they were. Randomness of the host is an error. */
  run<R>(body: () => R): R {
    const { random } = Math;
    const outer = era.now;
    era.now = ++era.last;
    // What TensorFlow.js draws without a seed starts from here, too.
    Math.random = () => {
      const name = randomCaller(callers()) ?? "Math.random";
      throw new Error(
        `${name} draws on the host, which would give the same numbers at every call; take an Rng as an argument and draw with rng.uniforms or rng.normals`,
      );
    };
    try {
      return this.#run(body);
    } finally {
      Math.random = random;
      era.now = outer;
    }
  }

  #run<R>(body: () => R): R {
    const engine = tf.engine();
    const before = new Map<tf.Variable, tf.DataId>();
    const hold = (variable: tf.Variable): void => {
      before.set(variable, variable.dataId);
      backend.incRef(variable.dataId);
      this.#variables.set(variable.dataId, variable);
    };
    for (const variable of Object.values(engine.state.registeredVariables)) {
      unshare(variable);
      hold(variable);
    }
    const makeVariable = engine.makeVariable;
    return backend.trace(this, () => {
      engine.makeVariable = (initial, trainable, name, dtype) => {
        // A variable made by the function starts from numbers that do not depend on its arguments.
        const start = tf.tensor(initial.dataSync().slice(), initial.shape, dtype ?? initial.dtype);
        const variable = makeVariable.call(engine, start, trainable, name) as tf.Variable;
        start.dispose();
        hold(variable);
        return variable;
      };
      try {
        return body();
      } finally {
        engine.makeVariable = makeVariable;
        for (const [variable, id] of before) this.#restore(engine, variable, id);
      }
    });
  }

  #restore(engine: Engine, variable: tf.Variable, id: tf.DataId): void {
    if (variable.isDisposed || variable.dataId === id) {
      backend.disposeData(id);
      return;
    }
    this.assigned.push({ variable, result: backend.arr(variable) });
    engine.disposeTensor(variable);
    variable.dataId = id;
    engine.trackTensor(variable, backend);
  }
}

/** A variable whose numbers another tensor shares gets its own, so that the two are different inputs. */
function unshare(variable: tf.Variable): void {
  const entry = backend.entry(variable.dataId);
  if (entry.refCount === 1) return;
  const own = tf.tensor(backend.host(entry).data as Float32Array, variable.shape, variable.dtype);
  variable.assign(own);
  own.dispose();
}

/** The values that a traced result depends on for its numbers. */
export const inputsOf = (leaves: readonly Value[]): Value[] => leaves.filter((leaf) => leaf.leaf!.kind === "input");
