import { paths, type Tree, tf } from "../../engine/index.ts";
import { type Params, tape, type Within } from "../../models/model.ts";
import { factorsIn } from "../../models/parts/factors.ts";
import { networkOf, piecesOf, tidied } from "../../models/parts/pieces.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { meanSquares } from "../parts/distillation.ts";
import { snapshot } from "../parts/snapshot.ts";
import { still } from "../parts/still.ts";
import { firstColumns, type TeacherTensors, teacherOf } from "../parts/teacher.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: TeacherTensors;
}

/**
 * PELA: a network of low rank becomes like the one it was made of before it learns anything new: its layers give what those gave, and its factors stay near the kernels.
 *
 * To the loss of the task, times `labels`, come
 * - `features` times the mean, over the layers in question, of the mean squared difference between what a layer gives and what the same layer of the original gives;
 * - `logits` times the mean squared difference of logits;
 * - `perturbation` times the mean, over the kernels that have become two factors, of `(max |A B − W| − bound)²`: no number of a kernel may be further than about `bound` from what it was.
 *
 * The layers in question are the transformer blocks, where there are none the layers that have two factors, and else those with a kernel. Only the small network is trained; the original stays as it is. The small one comes
 * from `prune.lowRank`, so that its layers are those of the original, one by one; further tasks are studies that begin from it. Without an original the network stays near what it was as the run began.
 *
 * Implements: P455 PELA
 *
 * Guo, Wang and Kankanhalli 2023, "PELA: learning parameter-efficient models with low-rank approximation", arXiv:2310.10700, with the losses of its program for images (there features count
 * a tenth for images with text).
 *
 * @throws TypeError where the network has not as many layers as the original.
 *
 * @example
 * ```ts
 * import { classes, digits, from, mlp, pela, phases, prune } from "thalweg";
 * const stream = classes(digits()).split(1);
 * phases({
 *   big: stream.learn(mlp({ hidden: [64, 64] })),
 *   small: (big) => stream.learn(from(prune.lowRank(big, { times: 3 }).network)).by(pela({ original: big })),
 * });
 * ```
 */
export const pela = strategy(
  "pela",
  {
    /** The network that the small one was made of; null stands for the network itself as the run begins. */
    original: null as TrainedNetwork | null,
    /** Strength of the loss of the task, of features and of logits. */
    labels: 1,
    features: 1,
    logits: 0,
    /** Strength of the bound on the change of a kernel, and the bound. */
    perturbation: 1,
    bound: 1e-3,
  },
  ({ original, labels, features, logits, perturbation, bound }) => {
    for (const [what, value] of Object.entries({ labels, features, logits, perturbation, bound }))
      requireNumber("pela", what, value, 0);
    // the layers of the original in one row, as the small network has them
    const flat = original === null ? null : tidied(() => networkOf(original, piecesOf("pela", original)));
    const teacher = flat === null ? null : teacherOf("pela", flat);
    return {
      tokens: true,
      init(context): Memory {
        if (flat === null || teacher === null)
          return { tensors: { ...snapshot(context), open: tf.ones([1, context.columns]) } };
        const { model } = context.network;
        const [own, had] = [model.names ?? [], flat.model.names ?? []];
        if (own.length !== had.length)
          throw new TypeError(
            `pela: a network of low rank with the ${had.length} layers of the original is required, got ${model.spec.name} with ${own.length}; make it: from(prune.lowRank(original).network)`,
          );
        return { tensors: teacher.tensors(context) };
      },
      taskLoss: (_, step) => tf.mul(step.targetLoss(), labels) as tf.Scalar,
      loss({ tensors }: Memory, step) {
        const asked = layersIn(step.weights.model, step.network.model.names ?? []);
        const [mine, keep] = gathering(asked);
        const own = step.forward(step.x, { around: keep, task: step.task });
        const [theirs, keepTheirs] = gathering(asked);
        const whole = flat?.structure ?? step.network;
        const wanted = whole.features(
          tensors.weights,
          step.x,
          tape(false, null, tensors.statistics ?? {}, { around: keepTheirs }).mode,
        );
        const pairs = [...mine].map(([at, x]) => meanSquares(x, still(theirs.get(at)!)));
        const terms: tf.Tensor[] = [tf.mul(tf.div(tf.addN(pairs), pairs.length), features)];
        if (logits > 0) {
          const said = still(whole.logits(tensors.weights, wanted));
          const count = Math.min(said.shape.at(-1)!, own.logits.shape.at(-1)!);
          terms.push(tf.mul(meanSquares(firstColumns(own.logits, count), firstColumns(said, count)), logits));
        }
        if (perturbation > 0)
          terms.push(tf.mul(perturbed(step.weights.model, tensors.weights.model, bound), perturbation));
        return tf.addN(terms) as tf.Scalar;
      },
    };
  },
);

/** Where in a row of layers the blocks are, or else the layers with two factors, or with a kernel. */
function layersIn(tree: Params, names: readonly string[]): ReadonlySet<number> {
  const blocks = names.filter((name) => name.endsWith("-transformer"));
  const factored = factorsIn(tree).map(({ path }) => path.split("/")[0]!);
  const kernels = names.filter((name) => "kernel" in ((tree[name] ?? {}) as Params));
  const chosen = new Set([blocks, factored, kernels].find((some) => some.length > 0) ?? names);
  return new Set(names.flatMap((name, i) => (chosen.has(name) ? [i] : [])));
}

/** What layers at some places give, by their places, and what keeps it. */
function gathering(at: ReadonlySet<number>): readonly [Map<number, tf.Tensor>, NonNullable<Within["around"]>] {
  const found = new Map<number, tf.Tensor>();
  return [
    found,
    (path, x, run) => {
      const out = run(x);
      const place = Number.parseInt(path[1] ?? "", 10) - 1;
      if (path.length === 2 && at.has(place)) found.set(place, out);
      return out;
    },
  ];
}

/** *Traced.* The mean of `(max |A B − W| − bound)²` over the kernels of the original that have become two factors A and B; over all kernels where none has. */
export function perturbed(own: Params, original: Params, bound: number): tf.Tensor {
  // the layers have the same numbers in their row, and names of their own
  const place = (path: string): string => path.replace(/^(\d+)-[^/]+/, "$1");
  const factors = factorsIn(own);
  const now = new Map<string, tf.Tensor>(
    factors.length === 0
      ? paths(own as Tree).map(([path, kernel]) => [place(path), kernel])
      : factors.map(({ path, first, second }) => [`${place(path)}/kernel`, tf.matMul(first, second)]),
  );
  const terms = paths(original as Tree).flatMap(([path, kernel]) => {
    const mine = path.endsWith("/kernel") ? now.get(place(path)) : undefined;
    if (mine === undefined || String(mine.shape) !== String(kernel.shape)) return [];
    return [tf.square(tf.sub(tf.max(tf.abs(tf.sub(mine, kernel))), bound))];
  });
  return terms.length === 0 ? tf.scalar(0) : tf.div(tf.addN(terms), terms.length);
}
