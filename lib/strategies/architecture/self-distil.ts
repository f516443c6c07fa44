import { tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { masked } from "../../models/network.ts";
import { softCrossEntropies } from "../parts/distillation.ts";
import { exitsOf } from "../parts/exits.ts";
import { still } from "../parts/still.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Trains a transformer with a head of its own behind some of its blocks, where deeper exits teach those before them: one run, networks of several depths.
 *
 * The loss is `Σ_e (depth of e / L) · CE_e + weight · T² · Σ_e KL(p_next(e) ‖ p_e)` over the exits e, the last of which is the network's own head; an exit
 * learns from the next deeper one at the temperature T, which does not feel it. `exits` are numbers of blocks, from 0, after which there is a head; empty, it is after
 * every second one. `expand.exit(network, block)` takes one of the networks out.
 *
 * Implements: P355 ModularStarEncoder self-distillation
 * Gurioli et al. 2025, "One model to train them all: hierarchical self-distillation for enhanced early layer embeddings", arXiv:2503.03008, section 3.
 * Written from the abstract: that an exit learns from the next deeper one, by logits, and what exits weigh, is ours.
 *
 * @throws TypeError for a model with fewer than two blocks of attention in a row, or a stream whose head grows; RangeError for an exit that there is not.
 *
 * @example
 * ```ts
 * import { classes, digits, selfDistil, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 3, heads: 2 })).by(selfDistil({ exits: [0, 1] }));
 * ```
 */
export const selfDistil = strategy(
  "selfDistil",
  {
    /** The blocks after which there is a head. */
    exits: [] as readonly number[],
    /** Strength of what deeper exits teach. */
    weight: 1,
    /** What logits are divided by. */
    temperature: 2,
  },
  ({ exits: wanted, weight, temperature }) => {
    requireNumber("selfDistil", "weight", weight, 0);
    requireNumber("selfDistil", "temperature", temperature, 1e-6);
    for (const exit of wanted) requireWhole("selfDistil", "an exit", exit, 0);
    const chosen = (count: number): readonly number[] => {
      const exits =
        wanted.length > 0
          ? [...new Set(wanted)].sort((a, b) => a - b)
          : Array.from({ length: count - 1 }, (_, i) => i).filter((i) => (count - 1 - i) % 2 === 0);
      const over = exits.find((exit) => exit >= count - 1);
      if (over !== undefined)
        throw new RangeError(`selfDistil: exits before the last of ${count} blocks are required, got ${over}`);
      return exits;
    };
    return {
      tokens: true,
      attention: true,
      parameters({ network, stream, columns, rng }): Params {
        if (stream.head === "growing")
          throw new TypeError("selfDistil: a stream whose classes are known is required, got one whose head grows");
        if (stream.target === "labels" || stream.target === "numbers")
          throw new TypeError(`selfDistil: a stream that asks for classes or tokens is required, got ${stream.target}`);
        const features = network.width.slice(-1);
        return Object.fromEntries(
          chosen(exitsOf("selfDistil", network).count).map((exit) => [
            `${exit}`,
            network.head.init(rng.at(exit), features, columns),
          ]),
        );
      },
      taskLoss(_, step) {
        const exits = exitsOf("selfDistil", step.network);
        const given = exits.pass(step);
        const heads = step.weights.added!.selfDistil as { readonly [exit: string]: Params };
        const early = chosen(exits.count).map((exit) => ({
          depth: exit + 1,
          logits: step.network.head.apply(heads[exit]!, exits.features(step, given[exit]!), step.weights.model),
        }));
        const last = step.network.logits(step.weights, exits.features(step, given.at(-1)!));
        const all = [...early, { depth: exits.count, logits: last }];
        const { y, targets, mask, weight: rows } = step;
        const terms = all.map(({ depth, logits }, i) => {
          const own = tf.mul(step.targetLoss({ logits, y, targets, mask, weight: rows }), depth / exits.count);
          const next = all[i + 1];
          if (next === undefined) return own;
          const [student, teacher] = [masked(logits, mask), still(masked(next.logits, mask))];
          // less its own entropy, so that two that agree cost nothing
          const apart = tf.sub(
            tf.mean(softCrossEntropies(student, teacher, temperature)),
            tf.mean(softCrossEntropies(teacher, teacher, temperature)),
          );
          return tf.add(own, tf.mul(apart, weight * temperature ** 2));
        });
        return tf.addN(terms) as tf.Scalar;
      },
    };
  },
);
