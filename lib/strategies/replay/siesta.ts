import { type Examples, sizeOf, table } from "../../data/dataset.ts";
import { disposeTree, jit, tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withExtra } from "../parts/buffer.ts";
import { balancedDraw, type CodeMemory, codesWithout, emptyCodes, keepCode } from "../parts/codes.ts";
import { begunAt, type Cut, changedAt, cutAfter, heldBefore, latentsIn, latentsOf, requireCut } from "../parts/cut.ts";
import { withColumns } from "../parts/head-kernel.ts";
import {
  codesOf,
  decoded,
  fittedQuantiser,
  type QuantiserTensors,
  quantiserTensors,
  requantised,
} from "../parts/product-quantiser.ts";
import { addedBy, cosines } from "../parts/prompts.ts";
import { between } from "../parts/rows.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import { type Context, type Pass, requireNumber, requireWhole, type State, strategy } from "../strategy.ts";

interface Memory {
  readonly codes: CodeMemory | null;
  /** The places that are rehearsed in the sleep under way, in its table's order. */
  readonly drawn: Uint32Array;
  /** Of each class the running mean of its features and how many they were. */
  readonly means: ReadonlyMap<number, { readonly mean: Float64Array; readonly count: number }>;
  /** Null until the first experience is over. */
  readonly tensors: { readonly quantiser: QuantiserTensors } | undefined;
}

/** A quantiser is fitted to at most so many vectors. */
const most = 2048;

/**
 * SIESTA: the first layers stay as they are after the first experience, and what they give is kept in few bytes. Awake, a new example only moves the
 * mean features of its class, which are that class's column of the head; asleep, what is kept is rehearsed for a fixed number of examples.
 *
 * The first experience is learnt in the ordinary way. Then the layers up to the `layers`-th with weights are frozen, and an optimised product
 * quantiser is fitted to what they give, at each place of an image the channels: a byte for each of `codebooks` parts. All later examples, in training
 * and in prediction, pass through it. In every later experience the examples are kept as codes, a random one of the largest class making room, and the
 * columns of their classes become their running mean features with a bias of 1; no gradient is taken. With every `sleepEvery`-th of them the network
 * sleeps: the layers behind are trained by the run's optimizer, begun anew, on `samples` examples from the memory, as many of each class. Logits are
 * cosines of the features with a 1 behind them and the head's column with its bias, times a trained number.
 *
 * Harun et al. 2023, "SIESTA: Efficient online continual learning with sleep", arXiv:2303.10725, and the authors' program (yousuf907/SIESTA), whose
 * rule of means is this one: they begin with a class's first example awake. Differs from the program: it brings lower layers that were trained on the first classes without
 * labels, and trains those above on codes mixed with one another, here the first experience trains both on examples as they are; the schedule is the
 * run's; statistics of normalisation in the frozen layers stay.
 *
 * Implements: P146 SIESTA
 *
 * @throws TypeError where the model is not layers in a row, or its head has no column for each class. RangeError where it has fewer layers.
 *
 * @example
 * ```ts
 * import { siesta } from "thalweg";
 * siesta({ layers: 1, sleepEvery: 2, samples: 2048 });
 * ```
 */
export const siesta = strategy(
  "siesta",
  {
    /** Layers with weights that are frozen after the first experience. */
    layers: 1,
    /** Experiences from one sleep to the next; 0 never sleeps. */
    sleepEvery: 1,
    /** Examples rehearsed in a sleep, all its epochs together. */
    samples: 2048,
    /** Examples kept. */
    capacity: 5000,
    /** Parts of the quantiser, a byte for each, and the codes of each, at most 256. */
    codebooks: 32,
    size: 64,
    /** Rounds in which the quantiser's rotation is fitted. */
    rounds: 10,
    /** What cosines are multiplied by in the beginning. */
    scale: 10,
  },
  ({ layers, sleepEvery, samples, capacity, codebooks, size, rounds, scale }) => {
    for (const [what, value] of Object.entries({ layers, samples, capacity, codebooks, size }))
      requireWhole("siesta", what, value, 1);
    requireWhole("siesta", "sleepEvery", sleepEvery, 0);
    requireWhole("siesta", "rounds", rounds, 0);
    requireNumber("siesta", "scale", scale, 1e-6);
    if (size > 256)
      throw new RangeError(`siesta: "size" of at most 256 codes, which fit in a byte, is required, got ${size}`);
    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      parameters: (): Params => ({ scale: tf.scalar(scale) }),
      init(context): Memory {
        requireColumns(context.weights.head);
        requireCut("siesta", layers, context);
        return { codes: null, drawn: new Uint32Array(0), means: new Map(), tensors: undefined };
      },
      beforeExperience(memory: Memory, { index, train }, context): Memory & State {
        if (memory.tensors === undefined) return memory;
        const sleeps = sleepEvery > 0 && index % sleepEvery === 0;
        const codes = withExamples(memory.codes, memory.tensors.quantiser, train, { layers, capacity }, context);
        const means = new Map(memory.means);
        const { features } = context.outputs(train);
        const width = features.length / Math.max(1, train.length);
        for (const [i, label] of train.labels.entries())
          if (label >= 0) means.set(label, moved(means.get(label), features.subarray(i * width, (i + 1) * width)));
        const drawn = balancedDraw(
          codes,
          sleeps ? Math.ceil(samples / context.epochs) : 0,
          context.rng.at("sleep", index),
        );
        const awake = [...new Set(train.labels.filter((label) => label >= 0))];
        const columns = new Map(awake.map((label) => [label, means.get(label)!.mean]));
        const weights = withColumns(context.weights, columns, { bias: 1 });
        return { ...memory, codes, means, drawn, weights, restart: sleeps };
      },
      data({ codes, drawn, tensors }: Memory, { train }) {
        if (tensors === undefined) return train;
        const labels = Int32Array.from(drawn, (place) => codes!.labels[place]!);
        return table(new Uint8Array(drawn.length * sizeOf(train.shape)), labels, train.shape, 1);
      },
      batch(memory: Memory, batch, context) {
        if (memory.tensors === undefined) return batch;
        const { rows, width } = memory.codes!;
        const data = new Int32Array(batch.current * width);
        for (let i = 0; i < batch.current; i++) {
          const place = memory.drawn[batch.at[i % batch.at.length]!]!;
          data.set(rows.subarray(place * width, (place + 1) * width), i * width);
        }
        return withExtra(tasksByColumn(memory, batch, context), "siesta", {
          codes: { data, shape: [batch.current, width] },
        });
      },
      rowwise: true,
      forward({ tensors }: Memory, pass) {
        const cut = cutAfter(layers, pass.network, pass.weights);
        const { features } = pass.plain(tensors === undefined ? {} : behind(cut, tensors.quantiser, pass));
        return { features, logits: cosineLogits(features, pass.weights) };
      },
      weights: ({ tensors }: Memory, { before, after }, { network }) =>
        tensors === undefined ? after : heldBefore(cutAfter(layers, network, before), before, after),
      afterExperience(memory: Memory, { train }, context): Memory {
        if (memory.tensors !== undefined) return { ...memory, drawn: new Uint32Array(0) };
        if (train.length === 0) return memory;
        const { rows, shape } = latentsOf(cutAfter(layers, context.network, context.weights), train, context);
        const width = shape.at(-1)!;
        const n = rows.length / width;
        const at = context.rng.at("fitted to").sample(n, Math.min(n, most));
        const some = new Float32Array(at.length * width);
        for (const [i, row] of at.entries()) some.set(rows.subarray(row * width, (row + 1) * width), i * width);
        const how = { codebooks, size, rounds };
        const quantiser = quantiserTensors(fittedQuantiser(some, width, how, context.rng.at("quantiser")));
        const codes = withExamples(null, quantiser, train, { layers, capacity }, context);
        return { ...memory, codes, tensors: { quantiser } };
      },
      forget: (memory: Memory, request): Memory => ({
        ...memory,
        codes: memory.codes && codesWithout(memory.codes, request),
        means: new Map([...memory.means].filter(([label]) => !request.has(label))),
      }),
    };
  },
  ["boundary", "labels"],
);

function requireColumns({ kernel, bias }: Params): void {
  if ((kernel as tf.Tensor | undefined)?.rank === 2 && bias !== undefined) return;
  throw new TypeError(
    "siesta: a head with a kernel and a bias for each class is required, got another; leave the model's own head out",
  );
}

/** *Traced.* What a pass does at the cut: rows that have codes begin with what these stand for, others pass through the quantiser. */
function behind(
  cut: Cut,
  quantiser: QuantiserTensors,
  { network, x, weights, statistics, extra }: Pass,
): Pick<Within, "around"> {
  const { codes } = extra;
  if (codes === undefined) return changedAt(cut, (latents) => requantised(quantiser, latents));
  const shape = latentsIn(cut, network, weights, statistics, x).shape.slice(1);
  const known = tf.reshape(decoded(quantiser, tf.reshape(codes, [-1, Object.keys(quantiser.centres).length])), [
    -1,
    ...shape,
  ]);
  const [rows, all] = [known.shape[0]!, x.shape[0]!];
  if (rows === all) return begunAt(cut, known);
  return changedAt(cut, (latents) => tf.concat([known, requantised(quantiser, between(latents, rows, all))], 0));
}

/** *Traced.* `scale · cos([features, 1], [column, bias])`. */
function cosineLogits(features: tf.Tensor, weights: Weights): tf.Tensor {
  const { kernel, bias } = weights.head as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  const rows = tf.concat([features, tf.onesLike(tf.slice(features, [0, 0], [features.shape[0]!, 1]))], 1);
  const columns = tf.transpose(tf.concat([kernel, tf.expandDims(bias, 0)], 0));
  return tf.mul(cosines(rows, columns), addedBy<{ readonly scale: tf.Tensor }>({ weights }, "siesta").scale);
}

/** A running mean with one more vector. */
function moved(
  { mean, count }: { readonly mean: Float64Array; readonly count: number } = { mean: new Float64Array(0), count: 0 },
  vector: Float32Array,
): { readonly mean: Float64Array; readonly count: number } {
  return {
    mean: Float64Array.from(vector, (v, j) => (mean[j] ?? 0) + (v - (mean[j] ?? 0)) / (count + 1)),
    count: count + 1,
  };
}

/** The memory with the codes of more examples. */
function withExamples(
  codes: CodeMemory | null,
  quantiser: QuantiserTensors,
  train: Examples,
  { layers, capacity }: { readonly layers: number; readonly capacity: number },
  context: Context,
): CodeMemory {
  const { network, weights, rng, experience } = context;
  const { rows, shape } = latentsOf(cutAfter(layers, network, weights), train, context);
  const vectors = tf.tensor(rows, [train.length, ...shape]);
  const read = jit((of: QuantiserTensors, x: tf.Tensor) => codesOf(of, x), { name: "codes" });
  const found = train.length === 0 ? tf.zeros([0, 1]) : read(quantiser, vectors);
  const bytes = Uint8Array.from(found.dataSync());
  disposeTree([vectors, found]);
  const width = train.length === 0 ? (codes?.width ?? 0) : bytes.length / train.length;
  const next =
    codes === null ? emptyCodes(capacity, width) : { ...codes, rows: codes.rows.slice(), labels: codes.labels.slice() };
  for (const [i, label] of train.labels.entries())
    if (label >= 0) keepCode(next, bytes.subarray(i * width, (i + 1) * width), label, rng.at("keep", experience).at(i));
  return next;
}
