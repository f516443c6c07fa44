import { disposeTree, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { tape } from "../../models/model.ts";
import { crossEntropies, masked } from "../../models/network.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import { descent } from "../parts/descent.ts";
import { beside, type Meta, metaOf, partsOf } from "../parts/meta-networks.ts";
import { still } from "../parts/still.ts";
import * as t from "../parts/test-time.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: { readonly meta: Meta; readonly optimizer: Tree };
}

/**
 * EcoTTA: the network stays frozen, and small networks beside its parts learn by the entropy of certain examples, held near what the frozen
 * parts give.
 *
 * A part gives `BN(f(x)) + relu(BN(conv(x)))`, f being its frozen layers; the loss is the mean entropy of examples below `margin` of the greatest,
 * plus `lambda` times the mean distance `|x̃ₖ − xₖ|` at the end of each part. So a gradient needs what comes into parts and what is normalised,
 * not what comes into every layer. At the end of each experience the small networks are trained anew on its examples, the network being frozen.
 *
 * Implements: P022 EcoTTA
 *
 * Song et al. 2023, arXiv:2303.01904, eq. 2–3 and algorithm 1; the authors' sample of a network.
 * Differs from the paper: the small networks warm up on the examples of the last experience alone, by Adam.
 *
 * @throws TypeError for a model that is no chain of layers.
 *
 * @example
 * ```ts
 * import { classes, digits, ecotta, net } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt(["fog", "contrast"], 5, { part: "test" }).learn(model).by(ecotta({ parts: 2, reset: "round" }));
 * ```
 */
export const ecotta = strategy(
  "ecotta",
  {
    /** Parts that have a small network beside them, at most. */
    parts: 4,
    /** How much the distance to the frozen parts counts. */
    lambda: 0.5,
    /** The entropy above which an example does not count, as a share of the greatest there can be. */
    margin: 0.4,
    /** Learning rate at test time, and the share of the running direction that is kept. */
    lr: 5e-3,
    momentum: 0.9,
    /** The share of a batch's own statistics that the frozen layers normalise by; below 1 running ones count too. */
    share: 1,
    /** How the small networks are trained before. */
    warmRate: 3e-3,
    warmEpochs: 5,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When the small networks become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ parts: count, lambda, margin, lr, momentum, share, warmRate, warmEpochs, batch, reset, shuffle }) => {
    for (const [name, value] of Object.entries({ lambda, margin, lr, warmRate }))
      requireNumber("ecotta", name, value, 0);
    requireNumber("ecotta", "momentum", momentum, 0, 1);
    requireNumber("ecotta", "share", share, 1e-6, 1);
    for (const [name, value] of Object.entries({ parts: count, warmEpochs, batch }))
      requireWhole("ecotta", name, value, 1);
    requireOneOf("ecotta", "reset", reset, resets);
    const optimizer = sgd({ lr, momentum });
    const begun = (meta: Meta): Memory => ({
      carried: { meta, optimizer: scoped(() => optimizer.init(meta as Tree)) },
    });
    const cut = ({ network, weights }: Pick<Context, "network" | "weights">) =>
      partsOf("ecotta", network, weights, count);
    return {
      tokens: t.onePrediction,
      classes: true,
      init: (context): Memory => begun(metaOf(cut(context), context.rng.at("meta"))),
      afterExperience(state: Memory, { train, index }, context): Memory {
        if (train.length === 0) return state;
        const { network, weights, statistics, rng } = context;
        const parts = cut(context);
        const fresh = metaOf(parts, rng.at("meta"));
        const how = { lr: warmRate, batch: context.batch, epochs: warmEpochs };
        const mask = context.mask(Int32Array.of(context.stream.taskOf(index)));
        const open = mask === null ? null : tf.tensor(mask.data, mask.shape as number[], "float32");
        const meta = descent("ecotta", fresh, train, how, rng.at("warm", index), (at, x, y) => {
          const { mode } = tape(false, null, statistics, beside(parts, at).within, share);
          const logits = network.logits(weights, network.features(weights, x, mode));
          return tf.mean(crossEntropies(masked(logits, open), y)) as tf.Scalar;
        });
        disposeTree(fresh);
        open?.dispose();
        return begun(meta);
      },
      adapting: { batch, reset, shuffle },
      adapt({ carried: { meta, optimizer: state } }: Memory, { network, weights, x, mask, forward }) {
        const parts = cut({ network, weights });
        const { grads, aux: logits } = valueAndGrad((at: Meta) => {
          const { within, pulls } = beside(parts, at);
          const z = masked(forward(x, { ...within, share }).logits, mask);
          const each = t.entropies(z);
          const certain = t.below(still(each), tf.mul(t.greatestEntropy(z, mask), margin));
          return [tf.add(t.weightedMean(each, certain), tf.mul(tf.addN(pulls), lambda)) as tf.Scalar, z] as const;
        }, meta);
        const [next, later] = t.moved(optimizer, grads, state, meta, lr);
        return { carried: { meta: next, optimizer: later }, logits };
      },
    };
  },
);
