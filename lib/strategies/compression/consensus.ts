import { gather } from "../../data/dataset.ts";
import { cloneTree, scoped, tf } from "../../engine/index.ts";
import { type Params, tape, type Within } from "../../models/model.ts";
import { kernelsIn } from "../parts/kernels.ts";
import { straightThrough } from "../parts/quantile.ts";
import { countingNow, type Decision, type Sites, sitesFor, undecided } from "../parts/sites.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What says, from what comes into a layer, which of its units count. A type, so that it is a tree of tensors. */
type Gate = { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor };

/**
 * Finds a smaller network while it trains: gates switch units on and off for each example, and are led to agree, until one set of units serves all.
 *
 * In front of every inner layer (of dense layers and convolutions that a rectifier follows, and within transformer blocks) a linear map of what comes in, of an image its mean over the pixels, gives a number a for each unit: the unit counts where
 * σ(a) > ½, else it gives 0; the gradient of that step is that of σ. Beside the task's loss stand `polarise` times the mean over units of `4 p̄ (1 − p̄)`, p̄ being the mean of σ(a) over the batch, which is 0 where all examples
 * are of one mind, and `sparse` times `(open − 1 + sparsity)²`, open being the share of open gates. At the end of the first experience the units that stay are those which count for more than half of `samples` training examples, the
 * most frequent one of a layer at least; from then on they count for all, the others for none, and gates are not asked any more. A note says how many stay.
 *
 * Implements: P006 Consensus sub-network
 * Zhi et al. 2023, "Learning a consensus sub-network with polarization regularization and one pass training", arXiv:2302.10798.
 * Written from the abstract: binary gates with straight-through gradients, a polarising loss and a sparsity that is asked for are from there; the forms of the gates and of both terms are ours. Units that are left out are multiplied by 0.
 *
 * @throws TypeError for a model without inner layers whose units can be left out.
 *
 * @example
 * ```ts
 * import { classes, consensus, digits, mlp } from "thalweg";
 * classes(digits()).split(1).learn(mlp({ hidden: [64] })).by(consensus({ sparsity: 0.5 }));
 * ```
 */
export const consensus = strategy(
  "consensus",
  {
    /** The share of units that are to be left out, in [0, 1). */
    sparsity: 0.5,
    /** Strength of what makes examples agree. */
    polarise: 0.1,
    /** Strength of what keeps to the sparsity. */
    sparse: 5,
    /** Training examples that the decision is made by. */
    samples: 256,
  },
  ({ sparsity, polarise, sparse, samples }) => {
    requireNumber("consensus", "sparsity", sparsity, 0, 0.999);
    requireNumber("consensus", "polarise", polarise, 0);
    requireNumber("consensus", "sparse", sparse, 0);
    requireWhole("consensus", "samples", samples, 1);
    const of = sitesFor("consensus");
    return {
      tokens: true,
      rowwise: true,
      parameters({ network, weights, rng }: Context): Params {
        const kernels = kernelsIn(network, weights, "*");
        const gates = [...of(network).places].map(([path, { i, units }]) => {
          const inputs = kernels[`${path.replace(/^model\//, "")}/kernel`]!.shape.at(-2)!;
          const kernel = rng.at(i).normals([inputs, units], 0, 0.5 / Math.sqrt(inputs));
          // open at first, some more than others
          return [`${i}`, { kernel, bias: rng.at("bias", i).normals([units], 0.5, 0.3) }];
        });
        return Object.fromEntries(gates);
      },
      init: ({ network }): Decision => undecided(of(network)),
      forward({ tensors }: Decision, { network, weights, plain }) {
        const { within, soft, hard } = gated(
          of(network),
          weights.added!.consensus as unknown as Record<string, Gate>,
          tensors,
        );
        const passed = plain(within);
        return { ...passed, aside: { soft: tf.concat(soft), hard: tf.concat(hard) } };
      },
      taskLoss({ tensors }: Decision, step) {
        const { soft, hard } = step.aside as { readonly soft: tf.Tensor; readonly hard: tf.Tensor };
        const split = tf.mean(tf.mul(tf.mul(soft, tf.sub(1, soft)), 4));
        const apart = tf.square(tf.sub(tf.mean(hard), 1 - sparsity));
        const both = tf.add(tf.mul(split, polarise), tf.mul(apart, sparse));
        return tf.add(step.targetLoss(), tf.mul(both, tf.sub(1, tensors.done))) as tf.Scalar;
      },
      afterExperience({ tensors }: Decision, { train, index }, { network, weights, statistics, rng }): Decision {
        if (index > 0) return { tensors: cloneTree(tensors) };
        const sites = of(network);
        const at = rng.at("samples").sample(train.length, Math.min(samples, train.length));
        const shares = scoped(() => {
          const gates = weights.added!.consensus as unknown as Record<string, Gate>;
          const { within, hard } = gated(sites, gates, tensors);
          const x = tf.tensor(gather(train, at), [at.length, ...train.shape]);
          network.features(weights, x, tape(false, null, statistics, within).mode);
          return hard.map((own) => own.dataSync() as Float32Array);
        });
        const mask = shares.flatMap((own) => {
          const most = Math.max(...own);
          return [...own].map((share) => +(share > 0.5 || (most <= 0.5 && share === most)));
        });
        const stay = mask.reduce((sum, one) => sum + one, 0);
        return {
          tensors: { mask: tf.tensor1d(mask), done: tf.scalar(1) },
          notes: [`consensus: ${stay} of ${mask.length} units stay`],
        };
      },
    };
  },
  ["boundary"],
);

/** *Traced.* A pass whose units are gated, by examples or once it is decided for all; the means of σ and of open gates over the rows, layer by layer, as they come. */
function gated({ places }: Sites, gates: Readonly<Record<string, Gate>>, tensors: Decision["tensors"]) {
  const soft: tf.Tensor[] = [];
  const hard: tf.Tensor[] = [];
  const within: Within = {
    tap(path, input, output) {
      const place = places.get(path.join("/"));
      if (place === undefined) return output;
      const { kernel, bias } = gates[place.i]!;
      const rows = input.rank === 4 ? tf.mean(input, [1, 2]) : tf.reshape(input, [-1, kernel.shape[0]]);
      const sure = tf.sigmoid(tf.add(tf.matMul(rows as tf.Tensor2D, kernel), bias));
      const open = straightThrough(sure, (p) => tf.cast(tf.greater(p, 0.5), "float32"));
      soft.push(tf.mean(sure, 0));
      hard.push(tf.mean(open, 0));
      const counts = countingNow(open, tensors, place);
      if (input.rank === 4) return tf.mul(output, tf.reshape(counts, [-1, 1, 1, place.units]));
      return tf.mul(output, tf.reshape(counts, output.shape));
    },
  };
  return { within, soft, hard };
}
