/** How well the network does on examples it did not train on. */
import { type Examples, gather, sizeOf } from "../data/dataset.ts";
import { disposeTree, jit, type Tree, tf } from "../engine/index.ts";
import type { Params } from "../models/model.ts";
import { crossEntropies, masked, type Network, type Weights } from "../models/network.ts";
import type { Stem } from "../models/parts/stem.ts";
import type { HostTensor, Passed, PassOptions, State, Strategy } from "../strategies/strategy.ts";
import { type Asking, ask } from "./parts/asking.ts";
import type { Known } from "./parts/known.ts";
import { type Given, passed } from "./pass.ts";

/** The outcome of an evaluation. */
export interface Score {
  readonly examples: number;
  readonly taskAware: number;
  readonly taskAgnostic: number;
  /** Mean cross-entropy under the stream's own rule. */
  readonly loss: number;
}

/** The network with what the strategies add to it, for evaluation. */
export interface Frozen {
  readonly weights: Weights;
  readonly statistics: Params;
  /** `tensors` and `carried` of the strategies that predict or make the pass, by name. */
  readonly states: {
    readonly [strategy: string]: { readonly tensors?: Tree | undefined; readonly carried?: Tree | undefined };
  };
}

/** A network in evaluation, and what is known of its frozen beginning where its weights are the run's own. */
export type Judged = Frozen & { readonly known?: Known | null };

/** Compiled evaluation of one network. */
export interface Evaluator {
  /**
   * Evaluates a table. `aware` and `agnostic` are masks `[1, columns]` of the columns that compete with and without knowledge of the
   * task; `ruled` says which of them is the stream's own rule; `task` is told to the strategies unless it is null. Throws on an empty
   * table.
   */
  score(
    frozen: Judged,
    examples: Examples,
    aware: HostTensor,
    agnostic: HostTensor | null,
    ruled: "aware" | "agnostic",
    task: number | null,
  ): Asking<Score>;
  /** A pass in evaluation mode, with the running statistics that were written; not compiled. */
  pass(
    frozen: Frozen,
    task: number | null,
    x: tf.Tensor,
    options?: PassOptions & { readonly share?: number },
  ): Passed & { readonly written: Params };
  /** The logits of a batch, as the strategies predict; not compiled, so that it can be part of another program. */
  predict(frozen: Frozen, x: tf.Tensor, task: number | null): tf.Tensor;
  /** The logits of a table, row after row, as the strategies predict. */
  predictions(frozen: Judged, examples: Examples, task: number | null): Asking<Float32Array>;
  /** Features and logits of a table, row after row, as the network gives them: no strategy predicts. */
  outputs(frozen: Judged, examples: Examples, task: number | null): { features: Float32Array; logits: Float32Array };
}

/** Rows per run: few sizes, so that few programs are compiled. */
const sizes = [32, 64, 128, 256];

/** Compiles the evaluation of a network under the strategies of an experiment. */
export function evaluator(network: Network, strategies: readonly Strategy[], stem: Stem | null = null): Evaluator {
  const givenOf = (values: tf.Tensor | null): Given | undefined =>
    stem === null || values === null ? undefined : { stem, values };
  const predicting = strategies.find((s) => s.hooks.predict !== undefined);
  const passing = strategies.find((s) => s.hooks.forward !== undefined);
  const filled = {
    score: [predicting, passing].every((s) => s === undefined || s.hooks.rowwise === true),
    outputs: passing === undefined || passing.hooks.rowwise === true,
  };
  const through =
    ({ weights, statistics, states }: Frozen, task: tf.Tensor | null, own?: tf.Tensor, given?: Given) =>
    (x: tf.Tensor, options: PassOptions & { readonly share?: number } = {}): Passed & { readonly written: Params } =>
      passed(network, passing, ({ spec: { name } }) => (states[name] ?? {}) as State, {
        weights: options.weights ?? weights,
        statistics: options.frozen ?? statistics,
        x,
        task: options.task === undefined ? task : options.task,
        training: false,
        rng: null,
        within: options,
        share: options.share,
        ...(x === own && (options.weights ?? weights) === weights && options.frozen === undefined && { known: given }),
      });
  const predicted = (frozen: Frozen, x: tf.Tensor, task: tf.Tensor | null, values: tf.Tensor | null): tf.Tensor => {
    const forward = through(frozen, task, x, givenOf(values));
    const { features, logits } = forward(x);
    if (predicting === undefined) return logits;
    const state = (frozen.states[predicting.spec.name] ?? {}) as State;
    return predicting.hooks.predict!(state, { network, weights: frozen.weights, x, features, logits, forward });
  };
  const scores = jit(
    (
      frozen: Frozen,
      x: tf.Tensor,
      y: tf.Tensor,
      aware: tf.Tensor,
      agnostic: tf.Tensor | null,
      ruled: string,
      task: tf.Tensor | null,
      values: tf.Tensor | null,
    ) => {
      const logits = predicted(frozen, x, task, values);
      const [known, open] = [masked(logits, aware), masked(logits, agnostic)];
      return {
        aware: tf.argMax(known, -1),
        agnostic: tf.argMax(open, -1),
        loss: crossEntropies(ruled === "aware" ? known : open, y),
      };
    },
    { name: "evaluate" },
  );
  const outputs = jit(
    (frozen: Frozen, x: tf.Tensor, task: tf.Tensor | null, values: tf.Tensor | null): Passed => {
      const { features, logits } = through(frozen, task, x, givenOf(values))(x);
      return { features, logits };
    },
    { name: "outputs" },
  );
  const predictions = jit(predicted, { name: "predictions" });
  const rowsOf = (task: number | null, n: number): tf.Tensor | null =>
    task === null || passing === undefined ? null : tf.fill([n], task, "int32");

  const judge: Evaluator = {
    *score({ known: own, ...frozen }, examples, aware, agnostic, ruled, task) {
      if (examples.length === 0)
        throw new RangeError("evaluate: at least one test example is required, got an empty table");
      const masks = [toTensor(aware), agnostic === null ? null : toTensor(agnostic)] as const;
      let [right, free, loss] = [0, 0, 0];
      for (const { x, y, labels } of chunks(examples, filled.score)) {
        const told = rowsOf(task, x.shape[0]!);
        const values = valuesOf(own, frozen, x);
        const out = yield* ask(scores, frozen, x, y, masks[0], masks[1], ruled, told, values);
        const [known, open, losses] = [out.aware.dataSync(), out.agnostic.dataSync(), out.loss.dataSync()];
        for (let i = 0; i < labels.length; i++) {
          if (known[i] === labels[i]) right++;
          if (open[i] === labels[i]) free++;
          loss += losses[i]!;
        }
        disposeTree([out.aware, out.agnostic, out.loss, x, y, told, values]);
      }
      disposeTree(masks.filter((m) => m !== null));
      const n = examples.length;
      return { examples: n, taskAware: right / n, taskAgnostic: free / n, loss: loss / n };
    },
    pass: (frozen, task, x, options) => through(frozen, rowsOf(task, x.shape[0]!))(x, options),
    predict: (frozen, x, task) => predicted(frozen, x, rowsOf(task, x.shape[0]!), null),
    *predictions(given, examples, task) {
      if (predicting === undefined) return judge.outputs(given, examples, task).logits;
      const { known, ...frozen } = given;
      const all: Float32Array[] = [];
      for (const { x, y, labels } of chunks(examples, filled.score)) {
        const told = rowsOf(task, x.shape[0]!);
        const values = valuesOf(known, frozen, x);
        const out = yield* ask(predictions, frozen, x, told, values);
        all.push((out.dataSync() as Float32Array).slice(0, (out.size / x.shape[0]!) * labels.length));
        disposeTree([out, x, y, told, values]);
      }
      return concat(all);
    },
    outputs({ known, ...frozen }, examples, task) {
      const features: Float32Array[] = [];
      const logits: Float32Array[] = [];
      for (const { x, y, labels } of chunks(examples, filled.outputs)) {
        const told = rowsOf(task, x.shape[0]!);
        const values = valuesOf(known, frozen, x);
        const out = outputs(frozen, x, told, values);
        const rows = x.shape[0]!;
        features.push((out.features.dataSync() as Float32Array).slice(0, (out.features.size / rows) * labels.length));
        logits.push((out.logits.dataSync() as Float32Array).slice(0, (out.logits.size / rows) * labels.length));
        disposeTree([out.features, out.logits, x, y, told, values]);
      }
      return { features: concat(features), logits: concat(logits) };
    },
  };
  return judge;
}

/** Rows of a table as tensors, and a label for each that is an example. */
export interface Chunk {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  readonly labels: Int32Array;
}

/**
 * A table in chunks of up to 256 rows; the tensors are the caller's. With `filled` the last chunk is filled up with zeros to one of four
 * sizes, so that few programs are compiled; without, it has as many rows as there are examples left: for what looks at a batch as a whole.
 */
export function* chunks(examples: Examples, filled: boolean): Generator<Chunk> {
  const size = sizeOf(examples.shape);
  for (let start = 0; start < examples.length; ) {
    const left = examples.length - start;
    const most = sizes.find((n) => n >= left) ?? sizes.at(-1)!;
    const count = Math.min(most, left);
    const rows = filled ? most : count;
    const at = Uint32Array.from({ length: count }, (_, i) => start + i);
    const x = new Float32Array(rows * size);
    gather(examples, at, x.subarray(0, count * size));
    const labels = examples.labels.slice(start, start + count);
    const y = new Int32Array(rows);
    y.set(labels);
    start += count;
    yield { x: tf.tensor(x, [rows, ...examples.shape]), y: tf.tensor1d(y, "int32"), labels };
  }
}

/** What the frozen beginning gives for the rows of a chunk, where that is known. */
function valuesOf(known: Known | null | undefined, { weights, statistics }: Frozen, x: tf.Tensor): tf.Tensor | null {
  if (known === null || known === undefined) return null;
  const rows = known.rows(x.dataSync() as Float32Array, weights, statistics);
  return tf.tensor(rows, [x.shape[0]!, ...known.stem.shape]);
}

function toTensor({ data, shape }: HostTensor): tf.Tensor {
  return tf.tensor(data, shape as number[], "float32");
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
