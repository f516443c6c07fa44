import { type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import {
  type LayerPath,
  layerAt,
  layerPaths,
  leaving,
  overInputs,
  requireChain,
  stepInputs,
  unitsAt,
  withLayer,
} from "../parts/layers.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What steps change for one hidden layer: utility and age of each unit, `[units]`, and the share of a unit that is due. */
type Layer = { readonly utility: tf.Tensor; readonly age: tf.Tensor; readonly due: tf.Tensor };
type Layers = { readonly [path: LayerPath]: Layer };

interface Memory {
  readonly carried: Layers;
}

/**
 * Continual backpropagation: the least useful hidden units begin anew, a few at a time, so that the network stays able to learn.
 *
 * The utility of a unit is the running mean of `|h| · Σ |w_out|`. After every step each layer is due `rate` times the number of units older
 * than `maturity`; whenever a whole unit is due, the mature one of least utility gets new incoming weights (uniform in ±1/√inputs), no
 * outgoing weights, utility 0 and age 0.
 *
 * Dohare et al. 2024, "Loss of plasticity in deep continual learning", algorithm 1. Layers in a row only; units of a convolution are channels,
 * whose activity is that behind its pooling.
 * Differs from the paper: at most one unit of a layer begins anew per step; the optimizer's moments of its weights are kept; the mean
 * activation of the unit is not handed to the next layer's bias.
 *
 * @example
 * ```ts
 * import { continualBackprop } from "thalweg";
 * continualBackprop({ rate: 1e-4, maturity: 100 });
 * ```
 */
export const continualBackprop = strategy(
  "continualBackprop",
  {
    /** Share of the mature units that begin anew at each step. */
    rate: 1e-4,
    /** Steps before a unit may begin anew. */
    maturity: 100,
    /** Share of the running utility that is kept at each step, in [0, 1). */
    decay: 0.99,
  },
  ({ rate, maturity, decay }) => {
    requireNumber("continualBackprop", "rate", rate, 0, 1);
    requireWhole("continualBackprop", "maturity", maturity, 0);
    requireNumber("continualBackprop", "decay", decay, 0, 0.999999);
    /** The state of each layer after a step, and which unit begins anew (`[units]` of 0 and 1). */
    const judged = (
      carried: Layers,
      weights: Weights,
      inputs: { readonly [path: LayerPath]: tf.Tensor },
    ): { readonly path: LayerPath; readonly next: LayerPath; readonly layer: Layer; readonly anew: tf.Tensor }[] => {
      const paths = Object.keys(inputs);
      return paths.slice(0, -1).map((path, i) => {
        const next = paths[i + 1]!;
        const { utility, age, due } = carried[path]!;
        const activity = tf.mean(tf.reshape(tf.abs(inputs[next]!), [-1, utility.size]), 0);
        const use = tf.mul(activity, leaving(tf.abs(layerAt(weights, next).kernel), utility.size));
        const running = tf.add(tf.mul(utility, decay), tf.mul(use, 1 - decay));
        const older = tf.add(age, 1);
        const mature = tf.cast(tf.greater(older, maturity), "float32");
        const owed = tf.add(due, tf.mul(tf.sum(mature), rate));
        const ready = tf.cast(tf.greaterEqual(owed, 1), "float32");
        const judgedBy = tf.add(running, tf.mul(tf.sub(1, mature), 1e30));
        const least = tf.cast(tf.equal(tf.range(0, use.size), tf.cast(tf.argMin(judgedBy), "float32")), "float32");
        const anew = tf.mul(tf.mul(least, mature), ready);
        const keep = tf.sub(1, anew);
        const layer = { utility: tf.mul(running, keep), age: tf.mul(older, keep), due: tf.sub(owed, tf.sum(anew)) };
        return { path, next, layer, anew };
      });
    };
    return {
      tokens: "it needs layers that see an example once, not at each of its places",
      init(context): Memory {
        requireChain("continualBackprop", context);
        const fresh = (path: LayerPath): Layer => {
          const units = unitsAt(context.weights, path);
          return { utility: tf.zeros([units]), age: tf.zeros([units]), due: tf.scalar(0) };
        };
        const hidden = layerPaths(context).slice(0, -1);
        return { carried: Object.fromEntries(hidden.map((path) => [path, fresh(path)])) };
      },
      weights({ carried }, { before, after }, step) {
        let next = after;
        const rng = step.rng;
        for (const { path, next: following, anew } of judged(carried, before, stepInputs(step, before))) {
          const { kernel, bias } = layerAt(next, path);
          const bound = 1 / Math.sqrt(kernel.size / anew.size);
          const fresh =
            rng === null ? tf.zerosLike(kernel) : rng.at("anew", path).uniforms(kernel.shape, -bound, bound);
          const keep = tf.sub(1, anew);
          next = withLayer(next, path, {
            kernel: tf.add(tf.mul(kernel, keep), tf.mul(fresh, anew)),
            ...(bias !== undefined && { bias: tf.mul(bias, keep) }),
          });
          const out = layerAt(next, following);
          next = withLayer(next, following, { ...out, kernel: tf.mul(out.kernel, overInputs(keep, out.kernel)) });
        }
        return next;
      },
      update: ({ carried }, { before }, step): Tree =>
        Object.fromEntries(
          judged(carried, before, stepInputs(step, before)).map(({ path, layer }) => [path, layer]),
        ) as Tree,
    };
  },
);
