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

// Those of TensorFlow.js take one part for a list of parts.
for (const [kernelName, input, join] of [
  ["SplitV", "x", tf.concat],
  ["Unpack", "value", tf.stack],
] as const) {
  tf.unregisterGradient(kernelName);
  tf.registerGradient({
    kernelName,
    gradFunc(dy, _saved, { axis }: tf.NamedAttrMap) {
      return { [input]: () => join(Array.isArray(dy) ? dy : [dy], axis as number) };
    },
  });
}

// A comparison does not move with what it compares: TensorFlow.js says so of one alone, and `where` asks of all.
for (const [kernelName, inputs] of [
  ...["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr"].map(
    (name) => [name, ["a", "b"]] as const,
  ),
  ["LogicalNot", ["x"]] as const,
]) {
  if (tf.getGradient(kernelName) !== undefined) tf.unregisterGradient(kernelName);
  tf.registerGradient({
    kernelName,
    inputsToSave: [...inputs],
    gradFunc: (_dy, saved) => Object.fromEntries(inputs.map((name, i) => [name, () => tf.zeros(saved[i]!.shape)])),
  });
}
