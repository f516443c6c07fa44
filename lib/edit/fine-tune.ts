import { disposeTree, jit, scoped, type Tree, tf, valueAndGrad } from "../engine/index.ts";
import { crossEntropies } from "../models/network.ts";
import { adam } from "../optim/optimizers/adam.ts";
import { editing } from "./editing.ts";
import { asked, logitsOf, withKernel } from "./parts/facts.ts";

/**
 * Fine-tuning: the kernel of one layer learns the facts by gradient descent, each of its numbers at most `most` away from where it
 * was, if that is above 0.
 *
 * Zhu et al. 2020, "Modifying memories in transformer models", arXiv:2012.00363, section 4 (the constraint of the largest change).
 *
 * @example
 * ```ts
 * import { edit } from "thalweg";
 * edit.fineTune({ steps: 50 }).options; // { layer: "", steps: 50, lr: 0.01, most: 0 }
 * ```
 */
export const fineTune = editing(
  "fineTune",
  {
    layer: "",
    steps: 25,
    lr: 0.01,
    /** How far a number may move; 0 sets no limit. */
    most: 0,
  },
  ({ kernel, site, facts, subject }, { steps, lr, most }) => {
    const { x, y } = asked(facts);
    const optimizer = adam({ lr });
    type Now = { kernel: tf.Tensor; state: Tree };
    const step = jit(
      (now: Now, before: tf.Tensor, rows: tf.Tensor, labels: tf.Tensor): Now => {
        const { grads } = valueAndGrad(
          ({ own }: { own: tf.Tensor }) =>
            tf.mean(
              crossEntropies(logitsOf(subject, withKernel(subject.weights, site, own), rows), labels),
            ) as tf.Scalar,
          { own: now.kernel },
        );
        const [moves, state] = optimizer.update(grads as Tree, now.state, { own: now.kernel }, tf.scalar(lr));
        const next = tf.add(now.kernel, (moves as { own: tf.Tensor }).own);
        if (most === 0) return { kernel: next, state };
        return { kernel: tf.minimum(tf.maximum(next, tf.sub(before, most)), tf.add(before, most)), state };
      },
      { name: "fineTune" },
    );
    const before = tf.tensor2d(Float32Array.from(kernel), [site.inputs, site.units]);
    let now: Now = { kernel: before.clone(), state: [] };
    now.state = scoped(() => optimizer.init({ own: now.kernel }));
    for (let i = 0; i < steps; i++) {
      const next = step(now, before, x, y);
      disposeTree(now as unknown as Tree);
      now = next;
    }
    const found = Float64Array.from(now.kernel.dataSync());
    disposeTree([now, before, x, y] as unknown as Tree);
    return found;
  },
);
