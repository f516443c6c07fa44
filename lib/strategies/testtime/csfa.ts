import { select } from "../../data/dataset.ts";
import { mapTensors, scoped, sumTree, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import { classMeans } from "../parts/closed-form.ts";
import { type Norms, normsOf, withNorms } from "../parts/norms.ts";
import { cosines } from "../parts/prompts.ts";
import { still } from "../parts/still.ts";
import * as t from "../parts/test-time.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  readonly sums: Float64Array;
  readonly counts: Float64Array;
  /** Columns that came while the network was trained. */
  readonly base: ReadonlySet<number>;
  readonly tensors: { readonly means: tf.Tensor; readonly seen: tf.Tensor };
  readonly carried: { readonly optimizer: Tree };
}

/**
 * CSFA: new classes come as the mean features of a few examples, calibrated by those of the classes that the network was trained on, and at
 * test time scales and shifts learn from certain examples by sharpness-aware steps that also close the gap to the sharpened loss.
 *
 * A new class's prototype is `fuse · p + (1 − fuse) · Σ_b softmax_b(sharp · cos(p, p_b)) p_b` over the base classes. An example gets the class
 * with the largest cosine. At test time, with `L` the mean entropy of certain examples and `L_p` the same a distance `radius` up its slope, the
 * step goes along `∇L_p − gap · ∇L_⊥`, the part of `∇L` that is orthogonal to `∇L_p`. The first `trained` experiences are trained as ever.
 *
 * Implements: P423 GILCD / CSFA
 *
 * Yu, Lu and Zhang 2025, arXiv:2506.05736. Written from the abstract and from what it builds on: prototype calibration as Wang et al. 2023 (TEEN),
 * arXiv:2312.05229, eq. 4–6; the surrogate gap as Zhuang et al. 2022 (GSAM), arXiv:2203.08065, algorithm 1; certain examples as in SAR.
 *
 * @example
 * ```ts
 * import { classes, csfa, digits, net } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).split(5).corrupt("fog", 3, { part: "test" }).learn(model).by(csfa({ trained: 3 }));
 * ```
 */
export const csfa = strategy(
  "csfa",
  {
    /** Experiences that the network is trained on. */
    trained: 1,
    /** How much of its own mean a new class keeps. */
    fuse: 0.5,
    /** How sharply base classes weigh by their cosine to a new one. */
    sharp: 16,
    /** What cosines are multiplied by to be logits. */
    scale: 16,
    /** Learning rate at test time, and the share of the running direction that is kept. */
    lr: 1e-3,
    momentum: 0.9,
    /** The entropy above which an example does not count, as a share of the greatest there can be. */
    margin: 0.4,
    /** How far up the slope the sharpened loss is. */
    radius: 0.05,
    /** How much the gap to the sharpened loss counts. */
    gap: 0.2,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When scales and shifts become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ trained, fuse, sharp, scale, lr, momentum, margin, radius, gap, batch, reset, shuffle }) => {
    for (const [name, value] of Object.entries({ sharp, scale, lr, margin, radius, gap }))
      requireNumber("csfa", name, value, 0);
    for (const [name, value] of Object.entries({ fuse, momentum })) requireNumber("csfa", name, value, 0, 1);
    for (const [name, value] of Object.entries({ trained, batch })) requireWhole("csfa", name, value, 1);
    requireOneOf("csfa", "reset", reset, resets);
    const optimizer = sgd({ lr, momentum });

    const made = ({ sums, counts, base }: Pick<Memory, "sums" | "counts" | "base">, { weights }: Context): Memory => {
      const width = sums.length / counts.length;
      const means = calibrated(classMeans({ sums, counts, width }), counts, base, width, { fuse, sharp });
      return {
        sums,
        counts,
        base,
        tensors: {
          means: tf.tensor2d(Float32Array.from(means), [counts.length, width]),
          seen: tf.tensor1d(Float32Array.from(counts)),
        },
        carried: { optimizer: scoped(() => optimizer.init(t.requireNorms("csfa", weights) as Tree)) },
      };
    };
    const empty = (context: Context) => {
      const width = context.network.width.reduce((a, b) => a * b, 1);
      return { sums: new Float64Array(context.columns * width), counts: new Float64Array(context.columns) };
    };
    /** Sums with the features of an experience's examples. */
    const plus = (
      { sums, counts }: Pick<Memory, "sums" | "counts">,
      index: number,
      context: Context,
    ): Pick<Memory, "sums" | "counts"> => {
      const { train } = context.stream.experience(index);
      const own = empty(context);
      own.sums.set(sums);
      own.counts.set(counts);
      if (train.length === 0) return own;
      const { features } = context.outputs(train);
      const width = features.length / train.length;
      for (let i = 0; i < train.length; i++) {
        const label = train.labels[i]!;
        own.counts[label]!++;
        for (let j = 0; j < width; j++) own.sums[label * width + j]! += features[i * width + j]!;
      }
      return own;
    };

    return {
      tokens: t.onePrediction,
      classes: true,
      init: (context): Memory => made({ ...empty(context), base: new Set() }, context),
      data: (_state: Memory, { index, train }) => (index < trained ? train : select(train, new Uint32Array(0))),
      afterExperience(state: Memory, { index }, context): Memory {
        if (index >= trained) return made({ ...plus(state, index, context), base: state.base }, context);
        let own: Pick<Memory, "sums" | "counts"> = empty(context); // the network has changed, and the features of all
        for (let i = 0; i <= index; i++) own = plus(own, i, context);
        return made({ ...own, base: new Set([...own.counts.keys()].filter((c) => own.counts[c]! > 0)) }, context);
      },
      forget(state: Memory, columns, context): Memory {
        const width = state.sums.length / state.counts.length;
        return made(
          {
            sums: state.sums.map((sum, i) => (columns.has(Math.floor(i / width)) ? 0 : sum)),
            counts: state.counts.map((count, column) => (columns.has(column) ? 0 : count)),
            base: new Set([...state.base].filter((column) => !columns.has(column))),
          },
          context,
        );
      },
      adapting: { batch, reset, shuffle },
      adapt({ tensors, carried: { optimizer: state } }: Memory, { weights, x, mask, forward }) {
        const norms = normsOf(weights);
        const passOf = (at: Norms): readonly [logits: tf.Tensor, each: tf.Tensor, certain: tf.Tensor] => {
          const { features, logits: of } = forward(x, { weights: withNorms(weights, at), share: 1 });
          const rows = tf.reshape(features, [x.shape[0]!, -1]);
          const open = competing(tensors.seen, of.shape[1]!, mask);
          const missing = of.shape[1]! - tensors.means.shape[0]!;
          const scores = tf.mul(cosines(rows, tensors.means), scale);
          const logits = masked(
            missing === 0
              ? scores
              : tf.pad(scores, [
                  [0, 0],
                  [0, missing],
                ]),
            open,
          );
          const each = t.entropies(logits);
          return [logits, each, t.below(still(each), tf.mul(t.greatestEntropy(logits, open), margin))];
        };
        const plain = valueAndGrad((at: Norms) => {
          const [logits, each, certain] = passOf(at);
          return [t.weightedMean(each, certain), { logits, certain }] as const;
        }, norms);
        const up = mapTensors(
          (w, g) => tf.add(w, tf.mul(g!, tf.div(radius, tf.add(lengthOf(plain.grads), 1e-12)))),
          norms,
          plain.grads,
        );
        const sharpened = valueAndGrad((at: Norms) => t.weightedMean(passOf(at)[1], plain.aux.certain), up);
        const along = tf.div(
          dot(plain.grads, sharpened.grads),
          tf.maximum(tf.square(lengthOf(sharpened.grads)), 1e-12),
        );
        const direction = mapTensors(
          (p, g) => tf.sub(p, tf.mul(tf.sub(g!, tf.mul(p, along)), gap)),
          sharpened.grads,
          plain.grads,
        );
        const [next, later] = t.moved(optimizer, direction, state, norms, lr);
        const any = t.as01(tf.greater(tf.sum(plain.aux.certain), 0));
        return {
          weights: withNorms(weights, t.chosen(any, next, norms)),
          carried: { optimizer: t.chosen(any, later, state) },
          logits: plain.aux.logits,
        };
      },
    };
  },
);

/** The prototypes of all classes: those of new ones fused with the base classes that are near them. */
function calibrated(
  means: Float64Array,
  counts: Float64Array,
  base: ReadonlySet<number>,
  width: number,
  { fuse, sharp }: { readonly fuse: number; readonly sharp: number },
): Float64Array {
  const row = (column: number): Float64Array => means.subarray(column * width, (column + 1) * width);
  const out = means.slice();
  const known = [...base];
  for (const [column, count] of counts.entries()) {
    if (count === 0 || base.has(column) || known.length === 0) continue;
    const own = row(column);
    const cosines = known.map((b) => inner(own, row(b)) / Math.max(1e-12, Math.hypot(...own) * Math.hypot(...row(b))));
    const most = Math.max(...cosines);
    const shares = cosines.map((cosine) => Math.exp(sharp * (cosine - most)));
    const total = shares.reduce((a, b) => a + b, 0);
    for (let j = 0; j < width; j++) {
      const fused = known.reduce((sum, b, k) => sum + (shares[k]! / total) * row(b)[j]!, 0);
      out[column * width + j] = fuse * own[j]! + (1 - fuse) * fused;
    }
  }
  return out;
}

function inner(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0);
}

/** `[1, columns]`: 1 where a column has a prototype, and competes by the stream's own rule. */
function competing(seen: tf.Tensor, columns: number, mask: tf.Tensor | null): tf.Tensor {
  const own = tf.pad(t.as01(tf.greater(seen, 0)), [[0, columns - seen.size]]);
  const row = tf.reshape(own, [1, columns]);
  return mask === null ? row : tf.mul(row, mask);
}

function dot(a: Norms, b: Norms): tf.Scalar {
  return sumTree((x, y) => tf.sum(tf.mul(x, y!)) as tf.Scalar, a, b);
}

function lengthOf(tree: Norms): tf.Tensor {
  return tf.sqrt(dot(tree, tree));
}
