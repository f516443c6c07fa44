import { select } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { amongSeen } from "../parts/closed-form.ts";
import { softmaxRegression } from "../parts/softmax-regression.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** The mean feature of each class met. */
  readonly means: ReadonlyMap<number, Float64Array>;
  readonly tensors: { readonly kernel: tf.Tensor; readonly bias: tf.Tensor; readonly seen: tf.Tensor } | undefined;
}

/**
 * FeTrIL: after the first experience features are frozen, and old classes are stood in for by new examples moved to their place.
 *
 * For each old class c the features of the new class whose mean is nearest are translated by `μ_c − μ_new`; a linear classifier is
 * trained on them and on the new features. Keeps one vector for each class.
 *
 * Petit et al. 2023, arXiv:2211.13131, eq. 1 and section 3.
 * Differs from the paper: the classifier is a softmax regression by full-batch accelerated descent rather than a linear support vector
 * machine.
 *
 * Implements: P421 FeTrIL
 *
 * @example
 * ```ts
 * import { fetril } from "thalweg";
 * fetril({ rounds: 200 });
 * ```
 */
export const fetril = strategy(
  "fetril",
  {
    /** Rounds of descent of the classifier. */
    rounds: 200,
    /** Pull of the classifier's weights towards 0. */
    decay: 1e-4,
    /** Features of each class that the classifier is trained on, at most. */
    perClass: 500,
  },
  ({ rounds, decay, perClass }) => {
    requireWhole("fetril", "rounds", rounds, 1);
    requireNumber("fetril", "decay", decay, 0);
    requireWhole("fetril", "perClass", perClass, 1);
    return {
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      init: (): Memory => ({ means: new Map(), tensors: undefined }),
      data: (_state, { train, index }) => (index === 0 ? train : { ...train, length: 0, labels: new Int32Array(0) }),
      afterExperience({ means, tensors }: Memory, { index }, context): Memory {
        const { train } = context.stream.experience(index);
        const width = context.network.width[0]!;
        const fresh = new Map<number, Float32Array>();
        const next = new Map(means);
        for (const label of [...new Set(train.labels)].sort((a, b) => a - b)) {
          const all = [...train.labels.keys()].filter((i) => train.labels[i] === label);
          const kept = context.rng.at("rows", index, label).sample(all.length, Math.min(perClass, all.length));
          const rows = context.outputs(
            select(
              train,
              Uint32Array.from(kept, (k) => all[k]!),
            ),
          ).features;
          const mean = new Float64Array(width);
          for (let i = 0; i < rows.length; i++) mean[i % width]! += rows[i]! / (rows.length / width);
          fresh.set(label, rows);
          next.set(label, mean);
        }
        if (fresh.size === 0) return { means, tensors };
        const parts: { label: number; rows: Float32Array }[] = [...fresh].map(([label, rows]) => ({ label, rows }));
        for (const [label, mean] of next) {
          if (fresh.has(label)) continue;
          const [nearest] = [...fresh.keys()].sort((a, b) => apart(next.get(a)!, mean) - apart(next.get(b)!, mean));
          const from = next.get(nearest!)!;
          parts.push({ label, rows: fresh.get(nearest!)!.map((v, i) => v + mean[i % width]! - from[i % width]!) });
        }
        const { columns } = context;
        const seen = Float32Array.from({ length: columns }, (_, c) => (next.has(c) ? 1 : 0));
        return {
          means: next,
          tensors: { ...softmaxRegression(parts, width, columns, { rounds, decay }), seen: tf.tensor1d(seen) },
        };
      },
      rowwise: true,
      predict({ tensors }: Partial<Memory>, { features, logits }) {
        if (tensors === undefined) return logits;
        const scores = tf.add(tf.matMul(features as tf.Tensor2D, tensors.kernel as tf.Tensor2D), tensors.bias);
        return amongSeen(scores, tensors.seen, logits.shape[1]!);
      },
    };
  },
  ["boundary", "labels"],
);

function apart(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0);
}
