import { tf } from "../../engine/index.ts";
import { withExtra } from "../parts/buffer.ts";
import { type Exits, exitsOf } from "../parts/exits.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** Steps that an experience takes at most, for the curriculum that opens exits one after the other. */
  readonly steps: number;
  readonly start: number;
}

/**
 * Trains a transformer that can be left early: blocks are dropped at random, later ones more often, and what each block gives is asked for the answer
 * through the network's own last layers.
 *
 * Of L blocks, block l (from 0) is dropped for each example with probability `dropout · (2^(l / (L − 1)) − 1)`. The loss is the mean of the losses at the exits that are
 * open in a step, exit l weighing `scale · (0 + … + l)` and the last one `L − 1 + scale · (0 + … + L − 2)`. "rotational": of `every` exits in a row one is open, the
 * next one in the next step; "gradual": from the last one backwards they open during the first half of an experience; "all".
 *
 * What ends after block k is `expand.reorder(network, [0, …, k])`; `speculate` writes with it and lets the whole network check.
 *
 * Implements: P247 LayerSkip
 * Elhoushi et al. 2024, "LayerSkip: enabling early exit inference and self-speculative decoding", arXiv:2404.16710, section 4.1, equations 1 to 6.
 * Differs from the paper: the rate of dropping does not grow with time, which it does for pretraining alone.
 *
 * @throws TypeError for a model with fewer than two blocks of attention in a row.
 *
 * @example
 * ```ts
 * import { classes, digits, layerSkip, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 3, heads: 2 })).by(layerSkip({ dropout: 0.2 }));
 * ```
 */
export const layerSkip = strategy(
  "layerSkip",
  {
    /** The share of examples for which the last block is dropped. */
    dropout: 0.1,
    /** How much exits before the last one weigh. */
    scale: 0.2,
    /** Which exits are open in a step. */
    curriculum: "rotational" as "rotational" | "gradual" | "all",
    /** Of so many exits in a row one is open, where they rotate. */
    every: 2,
  },
  ({ dropout, scale, curriculum, every }) => {
    requireNumber("layerSkip", "dropout", dropout, 0, 1);
    requireNumber("layerSkip", "scale", scale, 0);
    requireOneOf("layerSkip", "curriculum", curriculum, ["rotational", "gradual", "all"]);
    requireWhole("layerSkip", "every", every, 1);
    const known = new WeakMap<object, Exits>();
    const of = (network: Parameters<typeof exitsOf>[1]): Exits => {
      const found = known.get(network.model) ?? exitsOf("layerSkip", network);
      known.set(network.model, found);
      return found;
    };
    return {
      tokens: true,
      attention: true,
      init({ network }): Memory {
        of(network);
        return { steps: 1, start: 0 };
      },
      beforeExperience: (_: Memory, { train }, { step, epochs, batch }): Memory => ({
        start: step,
        steps: Math.max(1, epochs * Math.ceil(train.length / batch)),
      }),
      batch({ start, steps }, batch, { network, step }) {
        const { count } = of(network);
        const open = Float32Array.from({ length: count }, (_, l) => {
          if (l === count - 1 || curriculum === "all") return 1;
          if (curriculum === "rotational") return +((l + step) % every === 0);
          return +(count - 1 - l <= ((step - start) / steps) * 2 * count);
        });
        const weights = exitWeights(count, scale).map((w, l) => w * open[l]!);
        const total = weights.reduce((a, b) => a + b, 0);
        const data = Float32Array.from(weights, (w) => w / total);
        return withExtra(batch, "layerSkip", { weights: { data, shape: [count] } });
      },
      taskLoss(_, step) {
        const exits = of(step.network);
        const n = step.x.shape[0]!;
        const given = exits.pass(step, (l, x, y) => {
          const share = dropout * (2 ** (l / (exits.count - 1)) - 1);
          if (share === 0 || step.rng === null) return y;
          const kept = tf.cast(
            tf.greaterEqual(step.rng.at("dropped", l).uniforms([n, ...x.shape.slice(1).map(() => 1)]), share),
            "float32",
          );
          return tf.add(x, tf.mul(kept, tf.sub(y, x)));
        });
        const losses = given.map((each) => {
          const logits = step.network.logits(step.weights, exits.features(step, each));
          return step.targetLoss({ logits, y: step.y, targets: step.targets, mask: step.mask, weight: step.weight });
        });
        return tf.sum(tf.mul(tf.stack(losses), step.extra.weights!)) as tf.Scalar;
      },
    };
  },
);

/** What each exit weighs: `scale` times the sum of the numbers up to its own, the last one as many as there are before it besides. */
export function exitWeights(count: number, scale: number): number[] {
  const sum = (l: number): number => (l * (l + 1)) / 2;
  return Array.from({ length: count }, (_, l) => (l < count - 1 ? scale * sum(l) : count - 1 + scale * sum(count - 2)));
}
