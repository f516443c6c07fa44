import type { Examples } from "../../data/dataset.ts";
import { disposeTree, mapTensors, scoped, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { heldStill } from "../../models/parts/held-still.ts";
import { fisher } from "../parts/fisher.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Selective synaptic dampening: when the learner is asked to forget, weights that matter much more for what is to be forgotten than for the
 * whole become smaller, and nothing is trained again.
 *
 * With the mean squared gradients of the log-likelihood of single examples, `F_f` of those to be forgotten and `F` of all that came so
 * far: where `F_f > alpha · F` a weight becomes `min(lambda · F / F_f, 1)` times itself. The request has the examples to forget; the others
 * are read from the stream again. A penalty that holds weights where they were, as `ewc`, works against it.
 *
 * Implements: P290 SSD selective synaptic dampening
 *
 * Foster, Schoepf and Brintrup 2024, arXiv:2308.07707, eq. 3–5 and algorithm 1.
 * Differs from the paper: the squared gradients are those of single examples, as its text has them; the authors' code squares those of
 * batches.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, ssd } from "thalweg";
 * classes(digits()).split(5).forget(["0"], { at: 2 }).learn(mlp()).by(ssd({ alpha: 10, lambda: 1 }));
 * ```
 */
export const ssd = strategy(
  "ssd",
  {
    /** How many times as much as for all examples a weight must matter for those to be forgotten. */
    alpha: 10,
    /** How much is left of the weights that are dampened. */
    lambda: 1,
    /** Examples of each experience that gradients are measured on, at most; 0 measures them on all. */
    samples: 0,
  },
  ({ alpha, lambda, samples }) => {
    requireNumber("ssd", "alpha", alpha, 0);
    requireNumber("ssd", "lambda", lambda, 0);
    requireWhole("ssd", "samples", samples, 0);

    /** `Σ F` over the examples of some experiences, and how many there are. */
    function measured(parts: Iterable<{ readonly task: number; readonly examples: Examples }>, context: Context) {
      let sum: Weights | undefined;
      let count = 0;
      for (const { task, examples } of parts) {
        if (examples.length === 0) continue;
        const mean = fisher(examples, { labels: "true", samples: samples || examples.length, task }, context);
        const n = examples.length;
        const next = scoped(() =>
          mapTensors((f, s) => tf.add(tf.mul(f, n), s ?? 0), mean, sum ?? mapTensors((f) => tf.zerosLike(f), mean)),
        );
        disposeTree(sum === undefined ? mean : [mean, sum]);
        [sum, count] = [next, count + n];
      }
      return { sum, count };
    }

    function* kept({ stream, experience }: Context) {
      for (let i = 0; i < experience; i++) yield { task: stream.taskOf(i), examples: stream.experience(i).train };
    }

    return {
      tokens: "no stream of tokens asks to forget a class",
      forget(state, { experiences }, context) {
        const gone = measured(experiences, context);
        if (gone.sum === undefined) return state;
        const rest = measured(kept(context), context);
        const dampened = (w: tf.Tensor, f?: tf.Tensor, r?: tf.Tensor): tf.Tensor => {
          const own = tf.div(f!, gone.count);
          const all = tf.div(tf.add(f!, r!), gone.count + rest.count);
          const less = tf.minimum(tf.div(tf.mul(all, lambda), tf.maximum(own, 1e-30)), 1);
          return tf.where(tf.greater(own, tf.mul(all, alpha)), tf.mul(w, less), w);
        };
        const before = context.weights;
        const weights = scoped(() => {
          const left = rest.sum ?? mapTensors((f) => tf.zerosLike(f), gone.sum!);
          return heldStill(mapTensors(dampened, before, gone.sum!, left), before, context.network.frozen);
        });
        disposeTree([gone.sum, rest.sum ?? null]);
        return { ...state, weights };
      },
    };
  },
);
