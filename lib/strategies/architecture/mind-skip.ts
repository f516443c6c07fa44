import { tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import { blocksOf } from "../parts/blocks.ts";
import { straightThrough } from "../parts/quantile.ts";
import { type Context, requireNumber, strategy } from "../strategy.ts";

/** What a router is: one number from the mean of what comes into a block. */
type Router = { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor };

/**
 * Trains when to skip attention: the network stays as it is, and a router in front of each block says, for each example, whether its attention is passed or left out.
 *
 * The router is a linear map of the mean over places of what comes in; attention counts where `σ(r) ≥ threshold`, with 1, and else with 0. The gradient of that step is that of σ. Beside the loss
 * of the task stands `penalty` times the mean over the blocks of how far their open shares are above `share`, so that at most about that share of examples passes each. Routers
 * and the head are trained.
 *
 * Implements: P112 Router-Tuning / MindSkip
 * He et al. 2024, "Router-tuning: a simple and effective approach for enabling dynamic depth in transformers", arXiv:2410.13184, and the authors' program
 * (CASE-Lab-UMD/Router-Tuning-Mixture-of-Depths), whose step and penalty these are. Differs from the program: routers have a bias, begin open by it, and see what comes into a block
 * before its normalisation; penalties are averaged over blocks, not added up; the head is trained with them.
 *
 * @throws TypeError for a model without blocks of attention.
 *
 * @example
 * ```ts
 * import { classes, digits, mindSkip, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 2, heads: 2 })).by(mindSkip({ share: 0.5 }));
 * ```
 */
export const mindSkip = strategy(
  "mindSkip",
  {
    /** The share of examples that is to pass each attention. */
    share: 0.5,
    /** Strength of what keeps to it. */
    penalty: 1,
    /** How sure a router must be. */
    threshold: 0.5,
  },
  ({ share, penalty, threshold }) => {
    requireNumber("mindSkip", "share", share, 0, 1);
    requireNumber("mindSkip", "penalty", penalty, 0);
    requireNumber("mindSkip", "threshold", threshold, 1e-3, 0.999);
    /** *Traced.* What is done within blocks, and the shares of examples that passed, block by block, as they come. */
    const routed = (routers: Record<string, Router>, paths: readonly string[]) => {
      const open: tf.Tensor[] = [];
      const gates = new Map<string, tf.Tensor>();
      const within: Within = {
        around(path, x, run) {
          const i = paths.indexOf(path.join("/"));
          if (i < 0) return run(x);
          const { kernel, bias } = routers[i]!;
          const sure = tf.sigmoid(tf.add(tf.matMul(tf.mean(x, 1) as tf.Tensor2D, kernel), bias));
          const gate = straightThrough(sure, (of) => tf.cast(tf.greaterEqual(of, threshold), "float32"));
          open.push(tf.mean(gate));
          gates.set(path.join("/"), gate);
          return run(x);
        },
        tap(path, _input, output) {
          if (path.at(-1) !== "out") return output;
          const gate = gates.get(path.slice(0, -1).join("/"));
          if (gate === undefined) return output;
          const [n, width] = [gate.shape[0]!, output.shape[1]!];
          return tf.reshape(tf.mul(tf.reshape(output, [n, -1, width]), tf.reshape(gate, [n, 1, 1])), output.shape);
        },
      };
      return { within, open };
    };
    return {
      tokens: true,
      attention: true,
      rowwise: true,
      trains: (path) => path.startsWith("added/mindSkip/") || path.startsWith("head/"),
      parameters({ network, rng }: Context): Params {
        const { paths, width } = blocksOf(network);
        if (paths.length === 0)
          throw new TypeError(`mindSkip: a model with blocks of attention is required, got ${network.model.spec.name}`);
        return Object.fromEntries(
          paths.map((_, i) => [`${i}`, { kernel: rng.at(i).normals([width, 1], 0, 0.02), bias: tf.ones([1]) }]),
        );
      },
      forward(_, pass) {
        const routers = pass.weights.added!.mindSkip as unknown as Record<string, Router>;
        const { within, open } = routed(routers, blocksOf(pass.network).paths);
        const passed = pass.plain(within);
        return { ...passed, aside: { open: tf.stack(open) } };
      },
      loss: (_, step) => tf.mul(tf.mean(tf.relu(tf.sub(step.aside.open!, share))), penalty) as tf.Scalar,
    };
  },
);
