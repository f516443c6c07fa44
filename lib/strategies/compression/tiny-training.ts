import { gather } from "../../data/dataset.ts";
import { scoped, tf, valueAndGrad } from "../../engine/index.ts";
import { type Params, tape, type Within } from "../../models/model.ts";
import { crossEntropies, masked, type Weights } from "../../models/network.ts";
import { type Kernels, kernelsIn, withKernels } from "../parts/kernels.ts";
import { straightThrough } from "../parts/quantile.ts";
import { bestPlan, channelsOf, type PlannedLayer, type UpdatePlan } from "../parts/update-plan.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What is fixed when the first experience arrives. A type, so that it is a tree of tensors. */
type Fixed = {
  /** What each kernel is a multiple of, by output channels. */
  readonly scales: Kernels;
  /** 1 where a kernel, and a bias, is trained. */
  readonly kernels: Kernels;
  readonly biases: Kernels;
  /** `[2]`: the least and the largest number that comes into each layer. */
  readonly ranges: { readonly [path: string]: tf.Tensor };
};

interface Memory {
  readonly tensors: { readonly fixed?: Fixed };
  readonly notes?: readonly string[];
}

const shares = [0.125, 0.25, 0.5, 1];

/**
 * Training on a device with little memory: a network of whole numbers of 8 bits, whose gradients are scaled to what they would be without rounding, of which only the layers and channels are
 * trained that are worth most and whose training fits.
 *
 * When the first experience arrives, kernels and what comes into each layer get scales: a kernel `w` is passed as `s · round(w / s)`, s being the largest size of an output channel over
 * `2^(bits − 1) − 1`; inputs are rounded to `2^bits` steps between the least and the largest of `samples` examples, and cut off beyond. Gradients go through rounding, and not through what is cut off. Biases and head
 * are not rounded. The whole numbers w / s are what is trained: descent on them moves w by s² times its gradient, which is far too little. With `scaling` the gradient is divided by s² (that of a bias by (s · its
 * input's scale)²), which makes it the gradient of w again.
 *
 * The head is always trained; besides it the biases of the last layers and, in some of these, the kernel's input channels of the largest norms, an eighth, a quarter, half or all of them. A layer's worth is the squared length of its
 * gradient over the samples, what a small step takes off the loss to first order. The choice of the most worth is exact within `kilobytes`: a bit for each output of a layer that is trained, or behind which one is, four bytes for each
 * number of a bias, and for kernels `bits` for each input and weight of the trained channels. A note says what was chosen. It stays for the run.
 *
 * Implements: P379 On-Device Training under 256KB
 * Lin et al. 2022, "On-device training under 256KB memory", arXiv:2206.15472, sections 2.1 (quantisation-aware scaling) and 2.2 (sparse update); memory, rounding and channels are those of the authors' program.
 * Differs from the paper: worth is to first order, where there each layer is fine-tuned by itself; the search is exact rather than evolutionary; whole numbers are simulated, and what is not trained is
 * multiplied by 0, so that neither memory nor time is saved here; scaling is that of plain descent, and optimizers that divide by the size of gradients do not need it.
 *
 * @throws TypeError for a model without kernels.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, sgd, tinyTraining } from "thalweg";
 * classes(digits()).split(5).learn(mlp({ hidden: [32, 32] })).by(tinyTraining({ kilobytes: 1 })).with(sgd({ lr: 0.1 }));
 * ```
 */
export const tinyTraining = strategy(
  "tinyTraining",
  {
    /** What training may take besides the network, in units of 1024 bytes. */
    kilobytes: 256,
    /** Bits of a number of a kernel, and of an input. */
    bits: 8,
    /** Whether gradients are scaled to those of numbers that are not rounded. */
    scaling: true,
    /** Examples that ranges and worth are measured on. */
    samples: 64,
  },
  ({ kilobytes, bits, scaling, samples }) => {
    requireNumber("tinyTraining", "kilobytes", kilobytes, 0);
    requireWhole("tinyTraining", "bits", bits, 2);
    requireWhole("tinyTraining", "samples", samples, 1);
    const decided = (context: Context, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null) => {
      const { network, weights, statistics } = context;
      const { ranges, layers } = measured(context, x);
      const kernels = kernelsIn(network, weights, "*");
      const known = layers.filter(({ path }) => `${path}/kernel` in kernels);
      if (known.length === 0)
        throw new TypeError(`tinyTraining: a model with kernels is required, got ${network.model.spec.name}`);
      const { grads } = valueAndGrad((w: Weights) => {
        const { mode } = tape(false, null, statistics);
        const logits = network.logits(w, network.features(w, x, mode));
        return tf.mean(crossEntropies(masked(logits, mask), y));
      }, weights);
      const slopes = kernelsIn(network, grads as Weights, "*");
      const order = known.map(({ path }) => ranked(kernels[`${path}/kernel`]!));
      const gains = known.map(({ path }) => byChannel(slopes[`${path}/kernel`]!));
      const plan = bestPlan(
        known,
        {
          biases: known.map(({ path }) => squared(biasAt((grads as Weights).model, path))),
          kernels: known.map((layer, i) =>
            shares.map((share) =>
              order[i]!.slice(0, channelsOf(layer, share)).reduce((sum, c) => sum + gains[i]![c]!, 0),
            ),
          ),
        },
        shares,
        kilobytes * 1024,
        bits,
      );
      const most = 2 ** (bits - 1) - 1;
      const scales = Object.fromEntries(
        known.map(({ path }) => {
          const kernel = kernels[`${path}/kernel`]!;
          const axes = kernel.shape.slice(0, -1).map((_, axis) => axis);
          return [`${path}/kernel`, tf.div(tf.maximum(tf.max(tf.abs(kernel), axes, true), 1e-8), most)];
        }),
      );
      const trained = known.map(({ path }, i) => {
        const { shape } = kernels[`${path}/kernel`]!;
        const row = new Float32Array(shape.at(-2)!);
        for (const c of order[i]!.slice(0, plan.channels[i]!)) row[c] = 1;
        return [
          `${path}/kernel`,
          tf.tensor(
            row,
            shape.map((_, axis) => (axis === shape.length - 2 ? row.length : 1)),
          ),
        ];
      });
      const biases = known.map(({ path }, i) => [path, tf.scalar(+(i >= known.length - plan.last))]);
      const fixed: Fixed = {
        scales,
        kernels: Object.fromEntries(trained),
        biases: Object.fromEntries(biases),
        ranges: Object.fromEntries(known.map(({ path }) => [path, tf.tensor1d(ranges.get(path)!)])),
      };
      return { fixed, note: said(known, plan, kilobytes) };
    };
    return {
      tokens: "its layers are chosen by the class of an example, and a sequence has many",
      classes: true,
      rowwise: true,
      init: (): Memory => ({ tensors: {} }),
      beforeExperience(memory: Memory, { train, task, index }, context): Memory {
        if (memory.tensors.fixed !== undefined) return memory;
        const at = context.rng.at("samples", index).sample(train.length, Math.min(samples, train.length));
        const known = at.filter((i) => train.labels[i]! >= 0);
        const from = known.length === 0 ? at : known;
        const { fixed, note } = scoped(() => {
          const x = tf.tensor(gather(train, from), [from.length, ...train.shape]);
          const y = tf.tensor1d(
            Int32Array.from(from, (i) => Math.max(0, train.labels[i]!)),
            "int32",
          );
          const row = context.mask(Int32Array.of(task));
          const mask = row === null ? null : tf.tensor(row.data, row.shape as number[], "float32");
          return decided(context, x, y, mask);
        });
        return { tensors: { fixed }, notes: [note] };
      },
      forward({ tensors }: Memory, { plain, weights, network }) {
        const { fixed } = tensors;
        if (fixed === undefined) return plain();
        const levels = 2 ** bits - 1;
        const own = Object.entries(fixed.scales).map(([path, scale]) => {
          const kernel = kernelsIn(network, weights, "*")[path]!;
          return [path, straightThrough(kernel, (w) => tf.mul(tf.round(tf.div(w, scale)), scale))];
        });
        const into: Within["into"] = (path, x) => {
          const range = fixed.ranges[path.slice(1).join("/")];
          return range === undefined ? x : rounded(x, range, levels);
        };
        return plain({ weights: withKernels(weights, Object.fromEntries(own)), into });
      },
      gradient({ tensors }: Memory, gradient, { network }) {
        const { fixed } = tensors;
        if (fixed === undefined) return gradient;
        const slopes = kernelsIn(network, gradient, "*");
        const kernels = Object.entries(fixed.kernels).map(([path, trained]) => {
          const own = tf.mul(slopes[path]!, trained);
          return [path, scaling ? own : tf.mul(own, tf.square(fixed.scales[path]!))];
        });
        const levels = 2 ** bits - 1;
        return withBiases(withKernels(gradient, Object.fromEntries(kernels)), (bias, path) => {
          const trained = fixed.biases[path];
          if (trained === undefined) return bias;
          const step = tf.div(
            tf.sub(...(tf.split(fixed.ranges[path]!, 2).reverse() as [tf.Tensor, tf.Tensor])),
            levels,
          );
          const size = tf.mul(tf.reshape(fixed.scales[`${path}/kernel`]!, bias.shape), step);
          return tf.mul(bias, scaling ? trained : tf.mul(trained, tf.square(size)));
        });
      },
      weights({ tensors }: Memory, { before, after }, { network }) {
        const { fixed } = tensors;
        if (fixed === undefined) return after;
        const [was, now] = [kernelsIn(network, before, "*"), kernelsIn(network, after, "*")];
        const kernels = Object.entries(fixed.kernels).map(([path, trained]) => [
          path,
          tf.add(tf.mul(now[path]!, trained), tf.mul(was[path]!, tf.sub(1, trained))),
        ]);
        return withBiases(withKernels(after, Object.fromEntries(kernels)), (bias, path) => {
          const trained = fixed.biases[path];
          return trained === undefined ? bias : tf.where(tf.greater(trained, 0), bias, biasAt(before.model, path)!);
        });
      },
    };
  },
  ["boundary"],
);

/** *Traced.* Numbers rounded to steps between two bounds of which 0 is one, cut off beyond; no gradient goes through what is cut off. */
function rounded(x: tf.Tensor, range: tf.Tensor, levels: number): tf.Tensor {
  const [low, high] = tf.split(range, 2) as [tf.Tensor, tf.Tensor];
  const inside = tf.minimum(tf.maximum(x, low), high);
  return straightThrough(inside, (of) => {
    const step = tf.div(tf.sub(high, low), levels);
    return tf.mul(tf.round(tf.div(of, step)), step);
  });
}

/** The bias of a layer, where it has one. */
function biasAt(model: Params, path: string): tf.Tensor | undefined {
  const layer = path.split("/").reduce((node: Params | undefined, name) => node?.[name] as Params | undefined, model);
  return layer?.bias as tf.Tensor | undefined;
}

/** Weights whose layers have other biases. */
function withBiases(weights: Weights, change: (bias: tf.Tensor, path: string) => tf.Tensor): Weights {
  const visit = (node: Params, at: readonly string[]): Params =>
    Object.fromEntries(
      Object.entries(node).map(([name, child]) => [
        name,
        child instanceof tf.Tensor
          ? name === "bias"
            ? change(child, at.join("/"))
            : child
          : visit(child as Params, [...at, name]),
      ]),
    ) as Params;
  return { ...weights, model: visit(weights.model, []) };
}

/** What a pass of examples shows of each layer: its sizes, and the range of what comes in, 0 within. */
function measured({ network, weights, statistics }: Context, x: tf.Tensor) {
  const n = x.shape[0]!;
  const ranges = new Map<string, [number, number]>();
  const layers: PlannedLayer[] = [];
  const { mode } = tape(false, null, statistics, {
    into(path, given) {
      const [low, high] = [tf.min(given).dataSync()[0]!, tf.max(given).dataSync()[0]!];
      ranges.set(path.slice(1).join("/"), [Math.min(0, low), Math.max(low + 1e-6, high, 1e-6)]);
      return given;
    },
    tap(path, input, output) {
      const at = path.slice(1).join("/");
      const kernel = kernelsIn(network, weights, "*")[`${at}/kernel`];
      if (kernel !== undefined && ranges.has(at)) {
        const channels = kernel.shape.at(-2)!;
        layers.push({
          path: at,
          inputs: input.size / n,
          outputs: output.size / n,
          channels,
          perChannel: kernel.size / channels,
          biases: biasAt(weights.model, at)?.size ?? 0,
        });
      }
      return output;
    },
  });
  network.features(weights, x, mode);
  return { ranges, layers };
}

/** The sum of squares; 0 of nothing. */
function squared(x: tf.Tensor | undefined): number {
  return x === undefined ? 0 : tf.sum(tf.square(x)).dataSync()[0]!;
}

/** For each input channel of a kernel: the sum of squares. */
function byChannel(kernel: tf.Tensor): readonly number[] {
  const axes = kernel.shape.map((_, axis) => axis).filter((axis) => axis !== kernel.rank - 2);
  return [...tf.sum(tf.square(kernel), axes).dataSync()];
}

/** The input channels of a kernel from the largest norm to the smallest. */
function ranked(kernel: tf.Tensor): readonly number[] {
  const norms = byChannel(kernel);
  return [...norms.keys()].sort((a, b) => norms[b]! - norms[a]! || a - b);
}

/** What was chosen, in words. */
function said(layers: readonly PlannedLayer[], { last, channels, bytes }: UpdatePlan, kilobytes: number): string {
  const kernels = layers.flatMap(({ path, channels: all }, i) =>
    channels[i] === 0 ? [] : [`${path} ${channels[i]}/${all}`],
  );
  return `tinyTraining: trains the head, the biases of the last ${last} layers and ${kernels.length === 0 ? "no kernel" : `channels of ${kernels.join(", ")}`}: ${(bytes / 1024).toFixed(2)} of ${kilobytes} kB`;
}
