import { mapTensors, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { sgd } from "../../optim/optimizers/sgd.ts";
import { type Norms, normsOf, withNorms } from "../parts/norms.ts";
import { entropies } from "../parts/test-time.ts";
import { type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

/**
 * Tent: at test time the scales and shifts of the normalising layers are trained to make the predictions of each batch certain.
 *
 * The batch is normalised by its own statistics; the mean entropy of its predictions, over the columns that compete, goes down by a step
 * on all scales and shifts. A batch is predicted by the same pass that its gradient comes from, so what it teaches shows from the
 * next batch on; with several steps the last pass predicts.
 *
 * Wang et al. 2021, arXiv:2006.10726, section 3 and algorithm 1. Their settings for CIFAR-10-C are Adam at 0.001 and batches of 200.
 * Differs from the paper: layers that normalise each example by itself are trained too.
 *
 * @example
 * ```ts
 * import { classes, digits, net, tent } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt("fog", 3, { part: "test" }).learn(model).by(tent({ lr: 0.001, reset: "round" }));
 * ```
 */
export const tent = strategy(
  "tent",
  {
    /** Learning rate at test time. */
    lr: 1e-3,
    /** How scales and shifts move. */
    by: "adam" as "adam" | "sgd",
    /** Share of the running direction that is kept, with "sgd". */
    momentum: 0.9,
    /** Steps on each batch. */
    steps: 1,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When scales and shifts become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, by, momentum, steps, batch, reset, shuffle }) => {
    requireNumber("tent", "lr", lr, 0);
    requireOneOf("tent", "by", by, ["adam", "sgd"]);
    requireNumber("tent", "momentum", momentum, 0, 1);
    requireWhole("tent", "steps", steps, 1);
    requireWhole("tent", "batch", batch, 1);
    requireOneOf("tent", "reset", reset, resets);
    const optimizer = by === "adam" ? adam({ lr }) : sgd({ lr, momentum });
    return {
      tokens: true,
      init({ weights }): { carried: Tree } {
        const norms = normsOf(weights);
        if (Object.keys(norms).length === 0)
          throw new TypeError(
            "tent: a model with layers that normalise is required, got one without; use net().batchNorm()",
          );
        return { carried: scoped(() => optimizer.init(norms as Tree)) };
      },
      adapting: { batch, reset, shuffle },
      adapt({ carried }, { weights, x, mask, forward }) {
        let norms = normsOf(weights);
        let state = carried;
        let logits: tf.Tensor | undefined;
        for (let step = 0; step < steps; step++) {
          const { grads, aux } = valueAndGrad((at: Norms) => {
            const passed = forward(x, { weights: withNorms(weights, at), share: 1 });
            return [tf.mean(entropies(masked(passed.logits, mask))) as tf.Scalar, passed.logits] as const;
          }, norms);
          const [updates, next] = optimizer.update(grads as Tree, state, norms as Tree, tf.scalar(lr));
          norms = mapTensors((old, move) => tf.add(old, move!), norms, updates as unknown as Norms);
          [state, logits] = [next, aux];
        }
        return { weights: withNorms(weights, norms), carried: state, logits: logits! };
      },
    };
  },
);
