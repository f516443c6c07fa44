import { mapTensors, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { alignedHead, type ClassGaussian, gaussiansOf } from "../parts/alignment.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly classes: ReadonlyMap<number, ClassGaussian>;
  readonly tensors: {
    readonly open?: tf.Tensor;
    /** The aligned head, which predicts; the network's own goes on being trained as it was left. */
    readonly head?: Params;
  };
}

/**
 * SLCA, slow learner with classifier alignment: the model moves a hundredth as fast as the head, and after each experience the classifier is
 * fitted to features drawn from a Gaussian of each class.
 *
 * In training the classes of the experience compete alone. Of each class the mean and covariance of its features are kept, as they were at
 * the end of its experience. From the second experience on a copy of the head descends on `perClass` draws of each class in `rounds` rounds,
 * each logit vector divided by `temperature ·` the mean length of the logits of each experience; it predicts, and the head itself is trained
 * on as it was. Means of class c are shrunk by `0.9 + 0.1 t_c / t`. Memory: a square matrix for each class, so it grows with classes.
 *
 * Zhang et al. 2023, arXiv:2303.05118, eq. 2–5; the defaults are those of the program for split CIFAR-100, GengDavid/SLCA. It is for trained
 * networks: `stream.learn(from(big)).by(slca())`.
 * Differs from the paper: none known. The step is scaled after the optimizer, so that it is slow under any.
 *
 * Implements: P004 SLCA
 *
 * @example
 * ```ts
 * import { slca } from "thalweg";
 * slca({ slow: 0.01, rounds: 5 });
 * ```
 */
export const slca = strategy(
  "slca",
  {
    /** What steps of the model are multiplied by; those of the head are whole. */
    slow: 0.01,
    /** Rounds of alignment after each experience but the first; 0 aligns nothing. */
    rounds: 3,
    /** Features drawn of each class in a round. */
    perClass: 256,
    /** Learning rate and weight decay of the alignment. */
    rate: 0.01,
    decay: 5e-4,
    /** Divides the evened logits; 0 leaves logits as they are. */
    temperature: 0.1,
  },
  ({ slow, rounds, perClass, rate, decay, temperature }) => {
    requireNumber("slca", "slow", slow, 0, 1);
    requireWhole("slca", "rounds", rounds, 0);
    requireWhole("slca", "perClass", perClass, 1);
    requireNumber("slca", "rate", rate, 0);
    requireNumber("slca", "decay", decay, 0);
    requireNumber("slca", "temperature", temperature, 0);
    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      init: (): Memory => ({ classes: new Map(), tensors: {} }),
      beforeExperience: ({ classes, tensors }: Memory, experience, context): Memory => ({
        classes,
        tensors: { ...tensors, open: openColumns(experience, context) },
      }),
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      weights(_state, { before, after }) {
        const slowly = (was: tf.Tensor, now: tf.Tensor): tf.Tensor => tf.add(was, tf.mul(tf.sub(now, was), slow));
        return { ...after, model: mapTensors((was, now) => slowly(was, now!), before.model, after.model) };
      },
      afterExperience({ classes, tensors }: Memory, { index }, context): Memory {
        const { train } = context.stream.experience(index);
        if (train.length === 0) return { classes, tensors };
        const own = gaussiansOf(context.outputs(train).features, train.labels, index);
        const next = new Map([...classes, ...own]);
        if (index === 0 || rounds === 0) return { classes: next, tensors };
        const { network, weights, columns, rng } = context;
        const options = { rounds, perClass, rate, decay, temperature, keeps: 0.9 };
        const head = alignedHead(network, weights, next, columns, options, rng.at("alignment", index));
        return { classes: next, tensors: { ...tensors, head } };
      },
      rowwise: true,
      predict({ tensors }, { network, weights, features, logits }) {
        if (tensors?.head === undefined) return logits;
        const own = network.logits({ ...weights, head: tensors.head }, features);
        const missing = logits.shape[1]! - own.shape[1]!;
        if (missing === 0) return own;
        return tf.concat([own, tf.slice(logits, [0, own.shape[1]!], [logits.shape[0]!, missing])], 1);
      },
    };
  },
  ["boundary", "labels"],
);
