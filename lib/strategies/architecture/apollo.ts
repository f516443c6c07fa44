import { tf } from "../../engine/index.ts";
import type { Layer } from "../../models/layer.ts";
import { type Params, tape } from "../../models/model.ts";
import { rowsOf } from "../parts/block-weights.ts";
import { blocksOf } from "../parts/blocks.ts";
import { withExtra } from "../parts/buffer.ts";
import { type Context, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/**
 * Trains a shallow transformer to become a deep one: in each step a depth is drawn, from its own up to `depth`, and the network learns at that depth, its blocks standing in for
 * those that are not there yet.
 *
 * Of D blocks, block i has the weights of block ⌊i · own / D⌋. For most steps to be shallow a depth is `⌊own · m / (x + n)⌋` with x uniform in (0, 1): a hyperbola from
 * `depth / own + 0.4` to 0.6, cut to what lies between the network's own depth and `depth`. `expand.interpolate` makes the next stage of it, which trains on with a larger depth of
 * its own. What is evaluated is the network as deep as it is.
 *
 * Implements: P159 Apollo (progressive depth)
 * Pan et al. 2024, "Preparing lessons for progressive training on language models", arXiv:2401.09192, section 3: low-value-prioritised sampling, shared weights, interpolation.
 * The hyperbola and its ends are those of the authors' program. Differs from the paper: blocks beyond the drawn depth are multiplied by 0 rather than left out, so that a shallow
 * step is no cheaper here.
 *
 * @throws TypeError for a model without blocks of attention in a row that are alike; RangeError for a depth that is not above its own.
 *
 * @example
 * ```ts
 * import { apollo, classes, digits, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 2, heads: 2 })).by(apollo({ depth: 6 }));
 * ```
 */
export const apollo = strategy(
  "apollo",
  {
    /** The depth that the network is to have at the end. */
    depth: 8,
    /** "lvps": shallow depths more often; "uniform": all alike. */
    sampling: "lvps" as "lvps" | "uniform",
  },
  ({ depth, sampling }) => {
    requireWhole("apollo", "depth", depth, 2);
    requireOneOf("apollo", "sampling", sampling, ["lvps", "uniform"]);
    const partsOf = ({ model, input }: Context["network"]) => {
      const names = blocksOf({ model, input }).paths.map((path) => path.replace(/^model\//, ""));
      const all = model.names ?? [];
      const first = all.indexOf(names[0] ?? "");
      return { names, first, stack: model.stack ?? [], all };
    };
    return {
      tokens: true,
      attention: true,
      init({ network }) {
        const { names, first, all } = partsOf(network);
        if (first < 0 || names.some((name, i) => all[first + i] !== name))
          throw new TypeError(
            `apollo: a model with blocks of attention in a row is required, got ${network.model.spec.name}`,
          );
        if (names.length >= depth)
          throw new RangeError(`apollo: a depth above the network's ${names.length} is required, got ${depth}`);
        return {};
      },
      batch(_: object, batch, { network, rng, step }) {
        const own = partsOf(network).names.length;
        const x = rng.at("depth", step).uniform();
        const drawn = sampling === "uniform" ? own + Math.floor(x * (depth - own + 1)) : drawnDepth(x, own, depth);
        const map = new Float32Array(depth * own);
        for (let i = 0; i < drawn; i++) map[i * own + Math.floor((i * own) / drawn)] = 1;
        // blocks beyond the depth that was drawn need some weights: what they give counts for nothing
        for (let i = drawn; i < depth; i++) map[i * own + own - 1] = 1;
        const gates = Float32Array.from({ length: depth }, (_, i) => +(i < drawn));
        return withExtra(batch, "apollo", {
          map: { data: map, shape: [depth, own] },
          gates: { data: gates, shape: [depth] },
        });
      },
      taskLoss(_, step) {
        const { names, first, stack, all } = partsOf(step.network);
        const { mode } = tape(true, step.rng, step.statistics);
        const row = (from: number, to: number, x: tf.Tensor): tf.Tensor =>
          stack.slice(from, to).reduce((now: tf.Tensor, layer: Layer, i) => {
            const name = all[from + i]!;
            return layer.apply(now, (step.weights.model[name] ?? {}) as Params, mode.at(name));
          }, x);
        const blocks = rowsOf(step.weights, names, step.extra.map!);
        let x = row(0, first, step.x);
        for (const [i, params] of blocks.entries()) {
          const y = stack[first]!.apply(x, params, mode.at(names[0]!));
          const gate = tf.reshape(tf.slice(step.extra.gates!, [i], [1]), []);
          x = tf.add(x, tf.mul(gate, tf.sub(y, x)));
        }
        const logits = step.network.logits(step.weights, row(first + names.length, stack.length, x));
        return step.targetLoss({ logits, y: step.y, targets: step.targets, mask: step.mask, weight: step.weight });
      },
    };
  },
);

/** The depth of low-value-prioritised sampling for a number x in (0, 1): the smaller x, the deeper. */
export function drawnDepth(x: number, own: number, depth: number): number {
  const [least, end, begin] = [1e-6, 0.6, depth / own + 0.4];
  const n = (begin * least - end) / (end - begin);
  const share = (end * (n + 1)) / (x + n);
  const times = Math.min(Math.max(share, 1), depth / own);
  return Math.floor(own * times + 1e-9);
}
