import { cloneTree, scoped, tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { kernelsIn } from "../parts/kernels.ts";
import { layerAt } from "../parts/layers.ts";
import { straightThrough } from "../parts/quantile.ts";
import { countingNow, type Decision, type Sites, sitesFor, undecided } from "../parts/sites.ts";
import { still } from "../parts/still.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What a layer has besides its kernel. A type, so that it is a tree of tensors. */
type Own = { readonly threshold: tf.Tensor; readonly first?: tf.Tensor2D; readonly second?: tf.Tensor2D };

/**
 * Prunes units from the beginning of training, each layer by a threshold that it learns, until the network costs what it may.
 *
 * A unit's score is the sum of sizes in its kernel over the mean of its layer; it counts where its score is above the layer's threshold, and the best of a layer always. The gradient of that step is that of σ((score − threshold) / softness). Beside the
 * task's loss stands `weight · max(0, cost − flops)²`, cost being the multiplications of the inner layers that are left over those of all of them; thresholds begin at 0 and rise by what it asks and the task allows, `rate` times as fast as
 * other parameters. Beside every inner layer lies a bypass of rank `rank`, a linear map of the vector at each place (a convolution of one pixel), which begins as 0 and writes to all units, so that a narrow layer does not stop what passes; it counts in the cost. Convolutions
 * that change the image's size have none. At the end of the first experience the units that count stay as they are decided, and no threshold is asked any more. A note says how many stay of each layer.
 *
 * Implements: P229 LAPP
 * Zhai et al. 2023, "LAPP: layer adaptive progressive pruning for compressing CNNs from scratch", arXiv:2309.14157.
 * Written from the abstract: learnable thresholds of layers, scores that change, a constraint on FLOPs that pulls gradually, and bypasses are from there; the scores, the form of the constraint and of the bypass are ours. Units that are left out are multiplied by 0.
 *
 * @throws TypeError for a model without inner layers whose units can be left out.
 *
 * @example
 * ```ts
 * import { classes, digits, layerThresholds, mlp } from "thalweg";
 * classes(digits()).split(1).learn(mlp({ hidden: [64, 64] })).by(layerThresholds({ flops: 0.4 }));
 * ```
 */
export const layerThresholds = strategy(
  "layerThresholds",
  {
    /** The share of the inner layers' multiplications that may be left, in (0, 1]. */
    flops: 0.5,
    /** Strength of what keeps to it. */
    weight: 20,
    /** How far from its threshold a score is still felt by it. */
    softness: 0.5,
    /** How much faster thresholds are learnt than other parameters. */
    rate: 5,
    /** The rank of bypasses; 0: none. */
    rank: 2,
  },
  ({ flops, weight, softness, rate, rank }) => {
    requireNumber("layerThresholds", "flops", flops, 1e-3, 1);
    requireNumber("layerThresholds", "weight", weight, 0);
    requireNumber("layerThresholds", "softness", softness, 1e-6);
    requireNumber("layerThresholds", "rate", rate, 1e-6);
    requireWhole("layerThresholds", "rank", rank, 0);
    const of = sitesFor("layerThresholds");
    /** *Traced.* Which units count, layer by layer, by thresholds or once it is decided. */
    const opened = ({ network, weights }: Pick<Context, "network" | "weights">, tensors: Decision["tensors"]) => {
      const kernels = kernelsIn(network, weights, "*");
      const own = weights.added!.layerThresholds as unknown as Record<string, Own>;
      return new Map(
        [...of(network).places].map(([path, place]) => {
          const score = scoresOf(kernels[`${path.replace(/^model\//, "")}/kernel`]!);
          const over = tf.div(tf.sub(score, tf.mul(own[place.i]!.threshold, rate)), softness);
          const best = tf.cast(tf.greaterEqual(score, tf.max(score)), "float32");
          const open = straightThrough(tf.sigmoid(over), (p) => tf.cast(tf.greater(p, 0.5), "float32"));
          const now = tf.add(tf.mul(open, tf.sub(1, still(best))), still(best));
          return [path, countingNow(now, tensors, place)] as const;
        }),
      );
    };
    return {
      tokens: true,
      rowwise: true,
      parameters({ network, weights, rng }: Context): Params {
        const kernels = kernelsIn(network, weights, "*");
        const layers = [...of(network).places].map(([path, { i, units }]) => {
          const inputs = kernels[`${path.replace(/^model\//, "")}/kernel`]!.shape.at(-2)!;
          const bypass = {
            first: rng.at(i).normals([inputs, rank], 0, 1 / Math.sqrt(inputs)),
            second: tf.zeros([rank, units]),
          };
          return [`${i}`, { threshold: tf.zeros([1]), ...(rank > 0 && bypass) }];
        });
        return Object.fromEntries(layers);
      },
      init: ({ network }): Decision => undecided(of(network)),
      forward({ tensors }: Decision, { network, weights, plain }) {
        const open = opened({ network, weights }, tensors);
        const { within, costs } = narrowed(of(network), weights, open);
        const passed = plain(within);
        const all = costs.reduce((sum, { whole }) => sum + whole, 0);
        const left = tf.addN(costs.map(({ whole, bypass, share }) => tf.add(tf.mul(share, whole), bypass)));
        return { ...passed, aside: { cost: tf.div(left, all) } };
      },
      taskLoss({ tensors }: Decision, step) {
        const over = tf.square(tf.relu(tf.sub(step.aside.cost!, flops)));
        return tf.add(step.targetLoss(), tf.mul(tf.mul(over, weight), tf.sub(1, tensors.done))) as tf.Scalar;
      },
      afterExperience({ tensors }: Decision, { index }, { network, weights }): Decision {
        if (index > 0) return { tensors: cloneTree(tensors) };
        const mask = scoped(() => tf.concat([...opened({ network, weights }, tensors).values()]));
        const stays = [...of(network).places].map(([path, { from, units }]) => {
          const own = mask.dataSync().slice(from, from + units) as Float32Array;
          return `${own.reduce((a, b) => a + b, 0)} of ${units} in ${path.replace(/^model\//, "")}`;
        });
        return {
          tensors: { mask, done: tf.scalar(1) },
          notes: [`layerThresholds: units that stay: ${stays.join(", ")}`],
        };
      },
    };
  },
  ["boundary"],
);

/** *Traced.* For each unit the sum of sizes in its kernel over the mean of the layer's. */
function scoresOf(kernel: tf.Tensor): tf.Tensor {
  const sums = tf.sum(
    tf.abs(kernel),
    kernel.shape.slice(0, -1).map((_, axis) => axis),
  );
  return tf.div(sums, tf.add(tf.mean(sums), 1e-12));
}

/** *Traced.* A pass through the units that count and the bypasses, and what each layer costs: whole, its bypass, and the share of units that count. */
function narrowed({ places }: Sites, weights: Weights, open: ReadonlyMap<string, tf.Tensor>) {
  const own = weights.added!.layerThresholds as unknown as Record<string, Own>;
  const costs: { readonly whole: number; readonly bypass: number; readonly share: tf.Tensor }[] = [];
  const within: Within = {
    tap(path, input, output) {
      const place = places.get(path.join("/"));
      if (place === undefined) return output;
      const counts = open.get(path.join("/"))!;
      const { first, second } = own[place.i]!;
      const { kernel } = layerAt(weights, path.join("/"));
      const rows = output.size / place.units;
      const inputs = kernel.shape.at(-2)!;
      const whole = rows * kernel.size;
      const kept = tf.mul(output, counts);
      if (first === undefined || second === undefined || input.size / inputs !== rows) {
        costs.push({ whole, bypass: 0, share: tf.mean(counts) });
        return kept;
      }
      costs.push({ whole, bypass: rows * (first.size + second.size), share: tf.mean(counts) });
      const beside = tf.matMul(tf.matMul(tf.reshape(input, [rows, inputs]) as tf.Tensor2D, first), second);
      return tf.add(kept, tf.reshape(beside, output.shape));
    },
  };
  return { within, costs };
}
