import { paths, type Tree, tf } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";
import { pulled } from "../parts/moments.ts";
import { type Flat, subset, withSubset } from "../parts/subset.ts";

/** Of a matrix the mean squares of its rows and of its columns, of a vector those of its numbers. */
type Squares = { readonly rows: tf.Tensor; readonly columns: tf.Tensor } | { readonly all: tf.Tensor };

/**
 * Adafactor: Adam without momentum that keeps of a matrix of squared gradients the means of its rows and columns alone, so that its state is
 * as small as they are. Steps are cut by their root mean square, and are in shares of the weights'.
 *
 * The rate is `min(lr, 1/√t)` times the root mean square of the tensor, at least `least`; the mean squares forget as `1 − t^−0.8`.
 *
 * Shazeer and Stern 2018, "Adafactor: adaptive learning rates with sublinear memory cost", arXiv:1804.04235, algorithms 4 and 5. Differs from
 * the paper: tensors of more axes than two are factored over the last two; squares are bounded from below rather than added to, as in PyTorch.
 *
 * Implements: P181 Adafactor
 *
 * @example
 * ```ts
 * import { adafactor, leaves, tf } from "thalweg";
 * leaves(adafactor().init({ kernel: tf.zeros([300, 200]) })).reduce((sum, { size }) => sum + size, 0); // 501
 * ```
 */
export const adafactor = optimizer(
  "adafactor",
  {
    /** The greatest relative step. */
    lr: 0.01,
    /** How fast the mean squares forget: step t keeps `1 − t^power`. */
    power: -0.8,
    /** The least root of a mean square. */
    epsilon: 1.1920929e-7,
    /** The least size of a tensor that steps are shares of. */
    least: 1e-3,
    /** The greatest root mean square of a step, in relative steps. */
    cut: 1,
    /** Pull of the weights towards 0, decoupled. */
    weightDecay: 0,
  },
  ({ power, epsilon, least, cut, weightDecay }) => ({
    last: true,
    init(params): Tree {
      const squares = paths(params).map(([path, { shape, rank }]): [string, Squares] => [
        path,
        rank < 2
          ? { all: tf.zeros(shape) }
          : {
              rows: tf.zeros([...shape.slice(0, -1), 1]),
              columns: tf.zeros([...shape.slice(0, -2), 1, shape.at(-1)!]),
            },
      ]);
      return { taken: tf.scalar(0), squares: Object.fromEntries(squares) };
    },
    update(grads, state, params, rate) {
      const had = state as { readonly taken: tf.Tensor; readonly squares: { readonly [path: string]: Squares } };
      const taken = tf.add(had.taken, 1);
      const fresh = tf.pow(taken, power);
      const blend = (old: tf.Tensor, now: tf.Tensor): tf.Tensor => tf.add(old, tf.mul(tf.sub(now, old), fresh));
      const relative = tf.minimum(rate, tf.rsqrt(taken));
      const size = (of: tf.Tensor): tf.Tensor => tf.sqrt(tf.mean(tf.square(of)));
      const flat = subset(grads, () => true);
      const [squares, moved]: [Record<string, Squares>, Record<string, tf.Tensor>] = [{}, {}];
      for (const [path, w] of Object.entries(subset(params, () => true))) {
        const [g, old] = [flat[path]!, had.squares[path]!];
        const square = tf.square(g);
        let estimate: tf.Tensor;
        if ("all" in old) {
          estimate = blend(old.all, square);
          squares[path] = { all: estimate };
        } else {
          const rows = blend(old.rows, tf.mean(square, -1, true));
          const columns = blend(old.columns, tf.mean(square, -2, true));
          squares[path] = { rows, columns };
          estimate = tf.div(tf.mul(rows, columns), tf.maximum(tf.mean(rows, -2, true), epsilon));
        }
        const u = tf.mul(g, tf.rsqrt(tf.maximum(estimate, epsilon * epsilon)));
        const step = tf.mul(tf.maximum(size(w), least), relative);
        moved[path] = tf.mul(u, tf.neg(tf.div(step, tf.maximum(tf.div(size(u), cut), 1))));
      }
      const updates = withSubset(params, moved as Flat, (leaf) => leaf);
      return [pulled(updates, params, rate, weightDecay), { taken, squares }];
    },
  }),
);
