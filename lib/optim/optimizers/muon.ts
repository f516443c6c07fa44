import { needShare, needWhole } from "../../data/options.ts";
import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { kindOf as byName } from "../../models/parameters.ts";
import { type KindOf, type OptimizerParts, optimizer, zeros } from "../optimizer.ts";
import { type Flat, subset, withSubset } from "../parts/subset.ts";
import { adam } from "./adam.ts";

/**
 * Muon: the momentum of each matrix is made orthogonal before it is stepped along, so that all its directions count alike; everything else,
 * and the head and embeddings, moves by adam.
 *
 * `B ← momentum · B + (1 − momentum) · g`, `O` is the nearest orthogonal matrix to `(1 − momentum) · g + momentum · B` by five rounds of
 * `X ← aX + (b XXᵀ + c (XXᵀ)²) X` with (a, b, c) = (3.4445, −4.7750, 2.0315), and `w ← w − lr · √max(1, outputs/inputs) · O`. Kernels of
 * convolutions are matrices from a window's numbers to filters.
 *
 * Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the numbers are those of torch.optim.Muon, but that it
 * computes them in bfloat16.
 *
 * @example
 * ```ts
 * import { mlp, muon } from "thalweg";
 * muon({ lr: 0.02, others: 0.05 }).rate; // 0.02
 * ```
 */
export const muon = optimizer(
  "muon",
  {
    /** Learning rate. */
    lr: 0.02,
    /** Share of the last momentum that is kept, in [0, 1). */
    momentum: 0.95,
    /** Whether the step looks ahead. */
    nesterov: true,
    /** Rounds in which the momentum is made orthogonal. */
    rounds: 5,
    /** Pull of the matrices towards 0, decoupled: `w ← w · (1 − lr · weightDecay)`. */
    weightDecay: 0,
    /** The rate of adam for everything else, as a share of `lr`. */
    others: 0.15,
  },
  ({ lr, momentum, nesterov, rounds, weightDecay, others }) => {
    needShare("muon", "momentum", momentum);
    needWhole("muon", "rounds", rounds);
    if (!(others > 0)) throw new RangeError(`muon: others must be a number above 0, got ${others}`);
    const rest = adam({ lr: lr * others });
    const parts = (kindOf: KindOf): OptimizerParts => {
      const isMatrix = (path: string, { rank }: tf.Tensor): boolean =>
        rank >= 2 && !path.startsWith("head/") && ["weight", "adapter"].includes(kindOf(path));
      const split = (tree: Tree, like: Tree): readonly [Flat, Flat] => {
        const all = subset(like, () => true);
        const matrix = (path: string): boolean => isMatrix(path, all[path]!);
        return [subset(tree, matrix), subset(tree, (path) => !matrix(path))];
      };
      return {
        init(params): Tree {
          const [matrices, more] = split(params, params);
          return { momentum: zeros(matrices), rest: rest.init(more) };
        },
        update(grads, state, params, rate) {
          const had = state as { readonly momentum: Flat; readonly rest: Tree };
          const [[g, otherG], [w, otherW]] = [split(grads, params), split(params, params)];
          const blend = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(tf.mul(a, momentum), tf.mul(b, 1 - momentum));
          const kept = mapTensors((b, now) => blend(b, now!), had.momentum, g);
          const ahead = nesterov ? mapTensors((b, now) => blend(b, now!), kept, g) : kept;
          const moved = mapTensors(
            (u, own) => tf.mul(tf.add(orthogonal(u, rounds), tf.mul(own!, weightDecay)), tf.neg(rate)),
            ahead,
            w,
          );
          const [more, next] = rest.update(otherG, had.rest, otherW, tf.mul(rate, others));
          const all = { ...moved, ...(more as Flat) };
          return [withSubset(params, all, (leaf) => leaf), { momentum: kept, rest: next }];
        },
      };
    };
    return { ...parts((path) => byName({}, path)), over: parts };
  },
);

/** The nearest orthogonal matrix, times the root of how many outputs there are for an input, where these are more. */
function orthogonal(of: tf.Tensor, rounds: number): tf.Tensor {
  const outputs = of.shape.at(-1)!;
  const inputs = of.size / outputs;
  const flat = tf.reshape(of, [inputs, outputs]) as tf.Tensor2D;
  const tall = inputs > outputs;
  let x = tf.div(flat, tf.maximum(tf.norm(flat), 1e-7)) as tf.Tensor2D;
  for (let round = 0; round < rounds; round++) {
    const square = tf.matMul(x, x, tall, !tall);
    const by = tf.add(tf.mul(square, -4.775), tf.mul(tf.matMul(square, square), 2.0315)) as tf.Tensor2D;
    x = tf.add(tf.mul(x, 3.4445), tall ? tf.matMul(x, by) : tf.matMul(by, x));
  }
  return tf.mul(tf.reshape(x, of.shape), Math.sqrt(Math.max(1, outputs / inputs)));
}
