/**
 * Gradients of smooth operations that can be differentiated again.
 *
 * TensorFlow.js keeps their results for the gradient in copies that its tape does not lead through: a second gradient would take them for
 * constants. Here the result is computed again from the input; a program records the same operation once.
 */
import * as tf from "@tensorflow/tfjs-core";

type Attributes = { readonly dim?: number };
type Gradient = (dy: tf.Tensor, x: tf.Tensor, attributes: Attributes) => tf.Tensor;

const axisOf = ({ dim }: Attributes): number => dim ?? -1;

const smooth: { readonly [kernel: string]: { readonly input: "x" | "logits"; readonly gradient: Gradient } } = {
  Exp: { input: "x", gradient: (dy, x) => tf.mul(dy, tf.exp(x)) },
  Tanh: { input: "x", gradient: (dy, x) => tf.mul(tf.sub(1, tf.square(tf.tanh(x))), dy) },
  Sigmoid: {
    input: "x",
    gradient(dy, x) {
      const y = tf.sigmoid(x);
      return tf.mul(dy, tf.mul(y, tf.sub(1, y)));
    },
  },
  Softmax: {
    input: "logits",
    gradient(dy, x, attributes) {
      const y = tf.softmax(x, axisOf(attributes));
      const share = tf.mul(dy, y);
      return tf.sub(share, tf.mul(tf.sum(share, [axisOf(attributes)], true), y));
    },
  },
};

for (const [kernelName, { input, gradient }] of Object.entries(smooth)) {
  tf.unregisterGradient(kernelName);
  tf.registerGradient({
    kernelName,
    inputsToSave: [input],
    gradFunc: (dy, [x], attributes) => ({
      [input]: () => gradient(dy as tf.Tensor, x!, (attributes ?? {}) as Attributes),
    }),
  });
}

// That of TensorFlow.js leaves the axes of the gradient in another order unless the sums go along the last one.
tf.unregisterGradient("Cumsum");
tf.registerGradient({
  kernelName: "Cumsum",
  gradFunc(dy, _saved, attributes) {
    const { axis, exclusive, reverse } = attributes as unknown as tf.CumsumAttrs;
    return { x: () => tf.cumsum(dy as tf.Tensor, axis, exclusive, !reverse) };
  },
});
