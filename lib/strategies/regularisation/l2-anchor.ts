import { cloneTree, mapTensors, paths, scoped, type Tree, tf } from "../../engine/index.ts";
import { described, type Filter, filterJson, selects } from "../../models/filter.ts";
import type { Weights } from "../../models/network.ts";
import { type Anchor, pull } from "../parts/anchor.ts";
import { requireNumber, strategy } from "../strategy.ts";

/**
 * Pulls all weights alike back to where the last experience left them.
 *
 * Adds `lambda · ‖θ − θ*‖²`, without a ½: elastic weight consolidation with every importance 1, the usual control for it.
 *
 * With `on` only some weights are pulled: `on: ["*query", "*key", "*value", "*out"]` are those of the attention of a pretrained transformer,
 * where this alone holds more than Fisher's information or distillation do (Smith et al. 2023, "A closer look at rehearsal-free continual
 * learning", arXiv:2203.17269, section 4).
 *
 * Hsu et al. 2018, arXiv:1810.12488 ("L2").
 *
 * Implements: P052 Rehearsal-free closer look
 *
 * @example
 * ```ts
 * import { l2Anchor } from "thalweg";
 * l2Anchor({ lambda: 0.1 });
 * ```
 */
export const l2Anchor = strategy(
  "l2Anchor",
  {
    /** Strength of the pull. */
    lambda: 0.1,
    /** Which weights are pulled, by path; null pulls all. */
    on: null as string | readonly string[] | null,
  },
  ({ lambda, on }) => {
    requireNumber("l2Anchor", "lambda", lambda, 0);
    if (on !== null) filterJson("l2Anchor", on);
    return {
      tokens: true,
      role: "importance",
      init: () => ({ tensors: undefined }),
      beforeExperience: (_state, { index }, { weights }) => ({
        tensors: index === 0 ? undefined : { importance: importanceOf(weights, on), center: cloneTree(weights) },
      }),
      loss: ({ tensors }: { tensors: Anchor | undefined }, { weights }) =>
        tensors === undefined ? tf.scalar(0) : pull(tensors, weights, 2 * lambda),
    };
  },
  ["boundary"],
);

/** 1 for the weights that a filter selects, or all. */
function importanceOf(weights: Weights, on: Filter | null): Weights {
  if (on === null) return mapTensors((w) => tf.onesLike(w), weights);
  const all = paths(weights as unknown as Tree).map(([path]) => selects(on, { path, kind: "weight", shape: [] }));
  if (!all.includes(true))
    throw new RangeError(`l2Anchor: a filter that selects a weight is required, got ${described(on)}`);
  let at = 0;
  return scoped(() => mapTensors((w: tf.Tensor) => (all[at++] ? tf.onesLike(w) : tf.zerosLike(w)), weights));
}
