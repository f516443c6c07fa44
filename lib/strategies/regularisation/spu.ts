import { disposeTree, mapTensors, paths, scoped, type Tree, tf } from "../../engine/index.ts";
import { type Filter, filterJson, selects } from "../../models/filter.ts";
import type { Weights } from "../../models/network.ts";
import { meanGradient } from "../parts/gradients.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** 1 where a weight may move, in the tree of the weights. */
  readonly tensors: { readonly mask: Weights } | undefined;
}

/**
 * SPU, selective parameter update: of a few layers only the weights that a new task's gradient asks for most are trained, all others stay as
 * they are.
 *
 * Before each experience the gradient of its loss is taken over up to `samples` of its examples; in each tensor that `on` selects the share
 * `rate` with the largest magnitudes may move in this experience. The head moves as a whole. The paper's memory of old examples is `replay()`
 * beside it.
 *
 * Zhang et al. 2024, "Overcoming generic knowledge loss with selective parameter update", arXiv:2308.12462, section 3; the defaults are those
 * of the program wx-zhang/spu: the first dense layer of each block, a tenth of it.
 * Differs from the paper: the score is the gradient of the task's loss, which is the paper's; the program takes that of the squared length of
 * the logits.
 *
 * Implements: P125 SPU
 *
 * @example
 * ```ts
 * import { spu } from "thalweg";
 * spu({ rate: 0.1, on: "*up" });
 * ```
 */
export const spu = strategy(
  "spu",
  {
    /** The share of each tensor that may move. */
    rate: 0.1,
    /** Which tensors of the model; the default is the first dense layer of each block of a transformer, or all kernels where there is none. */
    on: null as string | null,
    /** Examples of an experience that scores are taken over. */
    samples: 512,
  },
  ({ rate, on, samples }) => {
    requireNumber("spu", "rate", rate, 0, 1);
    requireWhole("spu", "samples", samples, 1);
    if (on !== null) filterJson("spu", on);
    const chosen = (path: string, among: readonly string[]): boolean => {
      if (path.startsWith("head/")) return true;
      if (!path.startsWith("model/")) return true;
      const fits = (filter: Filter, at: string): boolean => selects(filter, { path: at, kind: "weight", shape: [] });
      if (on !== null) return fits(on, path);
      return among.some((at) => fits("*/up", at)) ? fits("*/up", path) : path.endsWith("/kernel");
    };
    return {
      tokens: "its scores read one class of each example, and a sequence has one at each place",
      init: (): Memory => ({ tensors: undefined }),
      beforeExperience(_state: Memory, { train }, context): Memory {
        const all = paths(context.weights as unknown as Tree).map(([path]) => path);
        const gradient = meanGradient(train, samples, null, context);
        const mask = scoped(() => {
          let at = 0;
          return mapTensors((g: tf.Tensor) => {
            const path = all[at++]!;
            if (!chosen(path, all)) return tf.zerosLike(g);
            if (!path.startsWith("model/")) return tf.onesLike(g);
            return largestShare(g, rate);
          }, gradient);
        });
        disposeTree(gradient as unknown as Tree);
        return { tensors: { mask } };
      },
      gradient: ({ tensors }, gradient) =>
        tensors === undefined ? gradient : mapTensors((g, m) => tf.mul(g, m!), gradient, tensors.mask),
      weights({ tensors }, { before, after }) {
        if (tensors === undefined) return after;
        return mapTensors((was, now, m) => tf.where(tf.greater(m!, 0), now!, was), before, after, tensors.mask);
      },
    };
  },
  ["boundary"],
);

/** 1 for the share of a tensor's numbers that are largest in magnitude, rounded down but at least one of them. */
export function largestShare(of: tf.Tensor, share: number): tf.Tensor {
  const size = tf.reshape(tf.abs(of), [-1]);
  const count = Math.max(1, Math.floor(of.size * share));
  const least = tf.min(tf.topk(size, count).values);
  return tf.cast(tf.greaterEqual(tf.abs(of), least), "float32");
}
