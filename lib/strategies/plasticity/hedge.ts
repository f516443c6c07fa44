import { type Shape, sizeOf } from "../../data/dataset.ts";
import { type Tree, tf } from "../../engine/index.ts";
import { placed } from "../../models/heads/linear.ts";
import type { ModelParts, Params } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";
import { requireNumber, type Step, strategy } from "../strategy.ts";

/** A type, not an interface, so that it is a tree of tensors. */
type Shares = { readonly shares: tf.Tensor };

interface Memory {
  readonly carried: Shares;
}

/**
 * Online deep learning by hedge backpropagation: a classifier at every depth, and how much each counts follows how well it does.
 *
 * There is a linear classifier of the input, one of what each hidden layer gives, and the head. What is predicted is the mean of their probabilities by shares α; the
 * loss is `Σ α_l loss_l`, so a layer learns from every classifier that is as deep as it. After a step `α_l ← max(α_l β^loss_l, s / classifiers)`, and they sum to 1 again.
 * Shallow classifiers lead at first, since they learn quickest. No boundary has to be told; it is meant for streams that are seen once, in small batches.
 *
 * A hidden layer ends with an activation, or is a layer that contains others; of what has places the mean over these is read. The model must be layers in a row.
 *
 * Sahoo, Pham, Lu and Hoi 2018, "Online deep learning: learning deep neural networks on the fly", arXiv:1711.03705, section 3.2, algorithm 1.
 * Differs from the paper: the optimizer is the run's; where a mask says which classes compete, the classifiers' probabilities are mixed before it.
 *
 * Implements: P284 ODL Hedge Backpropagation
 *
 * @throws TypeError when the model is not layers in a row, or has no hidden layer; for streams whose head grows.
 *
 * @example
 * ```ts
 * import { hedge, hyperplane, mlp, sgd } from "thalweg";
 * hyperplane({ examples: 500 }).learn(mlp({ hidden: [32, 32, 32] })).with(sgd({ lr: 0.05 })).by(hedge({ discount: 0.99 })).train({ batch: 1 });
 * ```
 */
export const hedge = strategy(
  "hedge",
  {
    /** What a share is multiplied by for each unit of loss, in (0, 1). */
    discount: 0.99,
    /** The least share, as a share of that of all alike, in [0, 1). */
    smoothing: 0.2,
  },
  ({ discount, smoothing }) => {
    requireNumber("hedge", "discount", discount, 0.01, 0.9999999);
    requireNumber("hedge", "smoothing", smoothing, 0, 0.9999999);
    /** The mean loss of each classifier, `[classifiers]`. */
    const losses = (step: Step, aside: Readonly<Record<string, tf.Tensor>>): tf.Tensor =>
      tf.stack(
        Object.values(aside).map((logits) =>
          step.targetLoss({ logits, y: step.y, targets: step.targets, mask: step.mask, weight: step.weight }),
        ),
      );
    return {
      classes: true,
      tokens: "it reads one vector for each example at each depth, and a sequence has one at each place",
      rowwise: true,
      parameters({ network, rng, columns, stream }): Params {
        if (stream.head === "growing")
          throw new TypeError("hedge: a stream whose classes are known is required, got one whose head grows");
        const widths = [sizeOf(network.input), ...hidden(network).map(({ width }) => width)];
        return Object.fromEntries(
          widths.map((width, depth) => {
            const at = rng.at("classifier", depth);
            const bound = 1 / Math.sqrt(width);
            const kernel = at.at("kernel").uniforms([width, columns], -bound, bound);
            return [`depth${depth}`, { kernel, bias: at.at("bias").uniforms([columns], -bound, bound) }];
          }),
        );
      },
      init({ network }): Memory {
        const count = hidden(network).length + 2;
        return { carried: { shares: tf.fill([count], 1 / count) } };
      },
      forward(state: Memory | Partial<Memory>, pass) {
        const wanted = hidden(pass.network).map(({ path }) => path);
        const seen = new Map<string, tf.Tensor>();
        const { features, logits } = pass.plain({
          around(path, x, run) {
            const y = run(x);
            const at = path.slice(1).join("/");
            if (wanted.includes(at)) seen.set(at, pooled(y));
            return y;
          },
        });
        const added = pass.weights.added?.hedge as Params | undefined;
        if (added === undefined || state.carried === undefined) return { features, logits };
        const read = [pooled(tf.reshape(pass.x, [pass.x.shape[0]!, -1])), ...wanted.map((at) => seen.get(at)!)];
        const classifiers = Object.values(added) as { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor }[];
        const all = [...read.map((x, i) => placed(x, classifiers[i]!.kernel, classifiers[i]!.bias)), logits];
        const shares = tf.reshape(state.carried.shares, [all.length, 1, 1]);
        const mixed = tf.sum(tf.mul(tf.softmax(tf.stack(all)), shares), 0);
        const aside = Object.fromEntries(all.map((one, depth) => [`depth${depth}`, one]));
        return { features, logits: tf.log(tf.add(mixed, 1e-12)), aside };
      },
      taskLoss: ({ carried }: Memory, step) => tf.sum(tf.mul(losses(step, step.aside), carried.shares)) as tf.Scalar,
      update({ carried }: Memory, { before }, step): Tree {
        const { aside } = step.forward(step.x, { weights: before, task: step.task });
        const now = tf.mul(carried.shares, tf.pow(discount, losses(step, aside!)));
        const least = tf.maximum(now, smoothing / carried.shares.size);
        return { shares: tf.div(least, tf.sum(least)) };
      },
    };
  },
);

const activations = ["relu", "tanh", "sigmoid", "gelu", "silu", "leakyRelu"];

/** Where the hidden layers of a model end, but the one that the head reads, and how many numbers each gives an example. */
function hidden({
  model,
  input,
}: Pick<Network, "model" | "input">): readonly { readonly path: string; readonly width: number }[] {
  const known = depths.get(model);
  if (known !== undefined) return known;
  const { stack, names } = model;
  if (stack === undefined)
    throw new TypeError(
      `hedge: a model of layers in a row is required, got ${model.spec.name}; take mlp, cnn or net()`,
    );
  let shape: Shape = input;
  const remembered = new Map<string, Shape>();
  const all = stack.flatMap((layer, i) => {
    shape = layer.shape(shape, remembered);
    const isHidden = activations.includes(layer.name) || (layer.parts ?? []).length > 0;
    return isHidden
      ? [{ path: names?.[i] ?? `${i + 1}-${layer.name}`, width: shape.at(-1)!, isLast: i === stack.length - 1 }]
      : [];
  });
  const found = all.filter(({ isLast }) => !isLast);
  if (all.length === 0)
    throw new TypeError("hedge: a model with hidden layers is required, got none that ends with an activation");
  depths.set(model, found);
  return found;
}

const depths = new WeakMap<ModelParts, ReturnType<typeof hidden>>();

/** The mean over places, of what has such. */
function pooled(x: tf.Tensor): tf.Tensor {
  return x.rank === 2
    ? x
    : tf.mean(
        x,
        Array.from({ length: x.rank - 2 }, (_, i) => i + 1),
      );
}
