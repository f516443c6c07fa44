import { tf } from "../../engine/index.ts";
import type { Tap } from "../../models/model.ts";
import { requireLayers } from "../parts/layers.ts";
import { strategy } from "../strategy.ts";

/**
 * Backpropagation that updates a layer as soon as its gradient is there: the error goes on to the layer before through the weights as they are after the update,
 * not through those that made the prediction.
 *
 * With descent at the run's rate, `Δ = ∂L/∂y`, `W′ = W − lr · xᵀΔ` and `∂L/∂x = Δ W′ᵀ`, from the head down. Use it with plain `sgd`, whose steps are these
 * updates. Convolutions pass their errors as usual.
 *
 * Implements: P087 Instant parameter update
 * "A novel method for improving accuracy in neural network by reinstating traditional back propagation technique", arXiv:2308.05059. Written from the abstract and the title's method, for it has no program.
 *
 * @throws TypeError for a model of other layers than dense ones and convolutions.
 *
 * @example
 * ```ts
 * import { classes, digits, instantUpdate, mlp, sgd } from "thalweg";
 * classes(digits()).split(1).learn(mlp({ hidden: [64] })).with(sgd({ lr: 0.1 })).by(instantUpdate());
 * ```
 */
export const instantUpdate = strategy("instantUpdate", {}, () => ({
  tokens: "it goes through dense layers of one vector for each example, and a sequence has one at each place",
  init(context) {
    requireLayers("instantUpdate", context);
    return {};
  },
  taskLoss(_state: object, step) {
    const tap: Tap = (path, input, output) => {
      const layer = path.reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], step.weights);
      const { kernel, bias } = layer as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
      if (kernel.rank !== 2 || input.rank !== 2) return output;
      const y = updating(input as tf.Tensor2D, kernel as tf.Tensor2D, step.rate);
      return bias === undefined ? y : tf.add(y, bias);
    };
    return step.targetLoss({ ...step, logits: step.forward(step.x, { tap }).logits });
  },
}));

/** A product whose error goes back through the kernel after a step of descent. */
function updating(x: tf.Tensor2D, kernel: tf.Tensor2D, rate: tf.Tensor): tf.Tensor {
  return tf.customGrad((...args) => {
    const [x, kernel] = args as unknown as [tf.Tensor2D, tf.Tensor2D];
    (args.at(-1) as unknown as tf.GradSaveFunc)([x, kernel, rate]);
    return {
      value: tf.matMul(x, kernel),
      gradFunc: ((dy: tf.Tensor2D, [x, kernel, rate]: [tf.Tensor2D, tf.Tensor2D, tf.Tensor]) => {
        const slope = tf.matMul(x, dy, true, false);
        const after = tf.sub(kernel, tf.mul(slope, rate)) as tf.Tensor2D;
        return [tf.matMul(dy, after, false, true), slope];
      }) as never,
    };
  })(x, kernel);
}
