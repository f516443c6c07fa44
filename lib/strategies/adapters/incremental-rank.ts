import { mapTensors, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { requireWhole } from "../parts/checks.ts";
import { kernelsIn, withKernels } from "../parts/kernels.ts";
import { movedColumns, ownColumns } from "../parts/own-head.ts";
import { strategy } from "../strategy.ts";

/** The factors of one kernel: `[ranks, inputs]`, `[ranks, units]`, and how much of each rank each task takes, `[tasks, ranks]`. */
type Factors = { readonly left: tf.Tensor2D; readonly right: tf.Tensor2D; readonly selector: tf.Tensor2D };

interface Memory {
  /** The number of each task, from 1 in the order in which they came, 0 if not met. */
  readonly numbers: readonly number[];
  /** The same; this task's number, its rows of the selectors and its ranks, the head's columns of this task, and 1 in the first experience. */
  readonly tensors: {
    readonly numbers: tf.Tensor;
    readonly task: tf.Tensor;
    readonly row: tf.Tensor;
    readonly ranks: tf.Tensor;
    readonly met: tf.Tensor;
    readonly open: tf.Tensor;
    readonly first: tf.Tensor;
  };
}

/**
 * Every kernel is a sum of products of two vectors, `Σ sᵢ uᵢ vᵢᵀ`, to which each task adds `rank` of its own: it trains these, and how much it
 * takes of those before, which stay as they are.
 *
 * The first task has `first` of them. Other tensors of the model, as biases, are trained in the first experience alone. The head's columns are
 * each task's own. A test example passes through the sum of its task.
 *
 * Implements: P063 Incremental rank updates
 *
 * Hyder et al. 2022, "Incremental task learning with incremental rank updates", arXiv:2207.09074, section 3, equations 2 to 5. Differs from the
 * paper: the ranks do not depend on a layer, a convolution's kernel is one matrix, and all tasks' factors are drawn when the run begins.
 *
 * @example
 * ```ts
 * import { incrementalRank } from "thalweg";
 * incrementalRank({ first: 11, rank: 2 });
 * ```
 */
export const incrementalRank = strategy(
  "incrementalRank",
  {
    /** Products of the first task. */
    first: 8,
    /** Products that each further task adds. */
    rank: 2,
  },
  ({ first, rank }) => {
    requireWhole("incrementalRank", "first", first, 1);
    requireWhole("incrementalRank", "rank", rank, 1);
    /** The kernels of one task, by where they lie. */
    const kernelsOf = (added: Params, row: tf.Tensor, shapes: Readonly<Record<string, tf.Tensor>>) =>
      Object.fromEntries(
        Object.entries(added).map(([path, own]) => {
          const { left, right, selector } = own as unknown as Factors;
          const taken = tf.reshape(tf.matMul(row as tf.Tensor2D, selector), [selector.shape[1], 1]);
          return [path, tf.reshape(tf.matMul(tf.mul(left, taken), right, true), shapes[path]!.shape)] as const;
        }),
      );
    return {
      tokens: true,
      trains: (path) => !path.startsWith("model/") || !path.endsWith("/kernel"),
      parameters({ network, weights, stream, rng }): Params {
        const ranks = first + (stream.tasks - 1) * rank;
        return Object.fromEntries(
          Object.entries(kernelsIn(network, weights, "*/kernel")).map(([path, { size, shape }]) => {
            const units = shape.at(-1)!;
            const inputs = size / units;
            // products whose sums of `first` vary as numbers of a new kernel do
            const wide = (3 / (inputs * first)) ** 0.25;
            const drawn = (name: string, width: number): tf.Tensor =>
              rng.at(name, path).uniforms([ranks, width], -wide, wide);
            const own = Float32Array.from({ length: stream.tasks * ranks }, (_, at) =>
              ownRanks(Math.floor(at / ranks), first, rank)(at % ranks) ? 1 : 0,
            );
            const selector = tf.tensor2d(own, [stream.tasks, ranks]);
            return [path, { left: drawn("left", inputs), right: drawn("right", units), selector }];
          }),
        );
      },
      init: ({ stream, columns }): Memory => ({
        numbers: Array.from({ length: stream.tasks }, () => 0),
        tensors: tensorsOf(
          Array.from({ length: stream.tasks }, () => 0),
          1,
          tf.ones([1, columns]),
          first,
          rank,
        ),
      }),
      beforeExperience({ numbers }: Memory, { task }, context): Memory {
        const count = numbers.filter((n) => n > 0).length;
        const now = numbers[task] || count + 1;
        const next = numbers.map((n, i) => (i === task ? now : n));
        return { numbers: next, tensors: tensorsOf(next, now, ownColumns(task, context), first, rank) };
      },
      rowwise: true,
      forward({ tensors }: Memory, { network, weights, task, training, plain }) {
        const tasks = tensors.numbers.shape[0]!;
        const known = training || task === null ? null : tf.gather(tensors.numbers, tf.slice(task, [0], [1]));
        const number = known === null ? tensors.task : tf.where(tf.greater(known, 0), known, tensors.task);
        const row = tf.reshape(tf.cast(tf.equal(tf.range(1, tasks + 1), number), "float32"), [1, tasks]);
        const shapes = kernelsIn(network, weights, "*/kernel");
        return plain(withKernels(weights, kernelsOf(weights.added!.incrementalRank as Params, row, shapes)));
      },
      gradient({ tensors }: Memory, gradient) {
        const own = masked(gradient.added!.incrementalRank as Params, tensors);
        const model = mapTensors((g) => tf.mul(g, tensors.first), gradient.model);
        return { ...gradient, model, added: { ...gradient.added, incrementalRank: own } };
      },
      weights({ tensors }: Memory, { before, after }) {
        const [old, now] = [before, after].map(({ added }) => added!.incrementalRank as Params);
        const moves = masked(
          mapTensors((t) => tf.onesLike(t), now!),
          tensors,
        );
        const own = mapTensors(
          (a: tf.Tensor, b?: tf.Tensor, m?: tf.Tensor) => tf.where(tf.greater(m!, 0), b!, a),
          old!,
          now!,
          moves,
        );
        const isFirst = tf.greater(tensors.first, 0);
        return {
          ...after,
          model: mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.where(isFirst, b!, a), before.model, after.model),
          head: movedColumns(before.head, after.head, tensors.open),
          added: { ...after.added, incrementalRank: own },
        };
      },
    };
  },
  ["task", "boundary", "length"],
);

/** Whether a rank is one that a task brought; tasks by number from 0. */
const ownRanks =
  (task: number, first: number, rank: number) =>
  (at: number): boolean =>
    task === 0 ? at < first : at >= first + (task - 1) * rank && at < first + task * rank;

function tensorsOf(
  numbers: readonly number[],
  now: number,
  open: tf.Tensor,
  first: number,
  rank: number,
): Memory["tensors"] {
  const tasks = numbers.length;
  const ranks = first + (tasks - 1) * rank;
  const is = ownRanks(now - 1, first, rank);
  const column = (of: (at: number) => boolean): Float32Array =>
    Float32Array.from({ length: ranks }, (_, at) => (of(at) ? 1 : 0));
  const until = first + (now - 1) * rank;
  return {
    numbers: tf.tensor1d([...numbers], "float32"),
    task: tf.scalar(now),
    row: tf.tensor2d(
      Float32Array.from({ length: tasks }, (_, t) => (t === now - 1 ? 1 : 0)),
      [tasks, 1],
    ),
    ranks: tf.tensor2d(column(is), [ranks, 1]),
    met: tf.tensor2d(
      column((at) => at < until),
      [1, ranks],
    ),
    open,
    first: tf.scalar(now === 1 ? 1 : 0),
  };
}

/** *Traced.* Factors, or their gradients, with zeros where this task does not train them: its own ranks, and its selector of those so far. */
function masked(added: Params, { row, ranks, met }: Memory["tensors"]): Params {
  return Object.fromEntries(
    Object.entries(added).map(([path, own]) => {
      const { left, right, selector } = own as unknown as Factors;
      return [
        path,
        { left: tf.mul(left, ranks), right: tf.mul(right, ranks), selector: tf.mul(selector, tf.mul(row, met)) },
      ];
    }),
  );
}
