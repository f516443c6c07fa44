import { tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import { conditionIn } from "../parts/conditioned.ts";
import { largest } from "../parts/gradients.ts";
import { adapter } from "./adapter.ts";

/**
 * Patches a frozen denoiser: a prompt for each place is added to what comes into each block, by as much as a gate says that knows the time, the class and
 * the block.
 *
 * With c what `conditions` remembered and b the number of the block from 0, the logits are `[c, b] G + g`. In training noise is added, normal with the deviation
 * `softplus(c N) + 0.01`. The largest `share` of them go through a softmax, the others become 0; the prompt of place i counts by the i-th of these gates.
 * All begins as zeros, so that the network begins as it was; `blocks · places · width` numbers of prompts and `places · (2 · told + 2)` of the gate are trained,
 * `told` numbers being in c. In training `balance` times two squared coefficients of variation is added to the loss, the term "layers" of a run's events: that of all
 * gates of a batch, summed over the blocks, and where some are left out that of how often each is expected among the chosen (Shazeer et al. 2017, arXiv:1701.06538, equations 8 to 11).
 *
 * Implements: P230 DMP mixture-of-prompts
 *
 * Ham et al. 2025, "Diffusion model patching via mixture-of-prompts", arXiv:2405.17825, as the authors' program has it. Differs from the program: it adds the
 * sum of the expected numbers of choices, not their variation; it trains the gate at ten times the rate of the prompts, which is a matter of the optimizer here.
 * Written from the program and the abstract; what the paper measures, FID on photographs, was not tried.
 *
 * @throws RangeError, when a study is made, on layers that are not blocks of a denoiser over sequences of one shape.
 *
 * @example
 * ```ts
 * import { dit, parameters, promptMixture } from "thalweg";
 * const patched = dit({ width: 16, depth: 2 }).adapt(promptMixture({ share: 0.5 }));
 * parameters(patched, [8, 8, 1]).filter(({ kind }) => kind === "prompt").map(({ shape }) => shape); // [[2, 16, 16]]
 * ```
 */
export const promptMixture = adapter(
  "promptMixture",
  {
    /** The share of the prompts that are added at a time, in (0, 1]. */
    share: 1,
    /** Weight of the loss of unequal use. */
    balance: 1,
  },
  ["*-ditBlock", "block*"],
  ({ share, balance }) => {
    if (!(share > 0 && share <= 1))
      throw new RangeError(`promptMixture: a share in (0, 1] is required, got ${share}; it is of the prompts`);
    if (!(balance >= 0 && Number.isFinite(balance)))
      throw new RangeError(`promptMixture: a balance of at least 0 is required, got ${balance}`);
    return {
      shared(_rng, sites): Params {
        for (const { path, input, layer } of sites)
          if (layer.modulation === undefined || input.length !== 3 || String(input) !== String(sites[0]!.input))
            throw new RangeError(
              `promptMixture: blocks of a denoiser over sequences of one shape are required, got ${path} on [${input.slice(1)}]; learn dit(), or name blocks with { on }`,
            );
        const { input, layer } = sites[0]!;
        const [places, width] = input.slice(1) as [number, number];
        const told = ((layer.modulation as Params).kernel as tf.Tensor).shape[0]!;
        return {
          prompt: tf.zeros([sites.length, places, width]),
          gate: tf.zeros([told + 1, places]),
          bias: tf.zeros([places]),
          noise: tf.zeros([told, places]),
        };
      },
      init: () => ({}),
      around(own, x, run, memory, { mode, remembered }) {
        const [blocks, places, width] = (own.prompt as tf.Tensor).shape as [number, number, number];
        const block = memory.size;
        const condition = conditionIn("promptMixture", "condition", remembered) as tf.Tensor2D;
        const rng = mode.training ? (mode.rng?.at("promptMixture") ?? null) : null;
        const noise = rng?.normals([condition.shape[0], places]) as tf.Tensor2D | undefined;
        const use = gates(own, condition, block, Math.max(1, Math.floor(share * places)), noise);
        memory.set(String(block), tf.stack(use));
        if (memory.size === blocks) {
          if (mode.training && balance > 0)
            mode.cost(tf.mul(unequal(tf.addN([...memory.values()]) as tf.Tensor3D), balance));
          // blocks that examples pass a second time begin anew
          memory.clear();
        }
        const prompt = tf.slice(own.prompt as tf.Tensor3D, [block, 0, 0], [1, places, width]);
        return run(tf.add(x, tf.mul(tf.expandDims(use[0], 2), prompt)));
      },
    };
  },
);

/** *Traced.* The gates of `k` prompts, `[n, places]`; and where there is noise and some are left out, the chance of each to be among them. */
function gates(
  { gate, bias, noise: spread }: Params,
  condition: tf.Tensor2D,
  block: number,
  k: number,
  noise: tf.Tensor2D | undefined,
): [tf.Tensor2D] | [gates: tf.Tensor2D, chances: tf.Tensor2D] {
  const [n, places] = [condition.shape[0], (bias as tf.Tensor).shape[0]!];
  const seen = tf.concat([condition, tf.fill([n, 1], block)], 1);
  const clean = tf.add(tf.matMul(seen, gate as tf.Tensor2D), bias as tf.Tensor) as tf.Tensor2D;
  const deviation = (): tf.Tensor => tf.add(tf.softplus(tf.matMul(condition, spread as tf.Tensor2D)), 0.01);
  const wide = noise && deviation();
  const logits = noise ? (tf.add(clean, tf.mul(noise, wide!)) as tf.Tensor2D) : clean;
  if (k >= places) return [tf.softmax(logits) as tf.Tensor2D];
  const hits = tf.oneHot(largest(logits, k + 1), places, 1, 0, "float32");
  const chosen = tf.sum(tf.slice(hits, [0, 0, 0], [n, k, places]), 1);
  const open = tf.softmax(tf.add(logits, tf.mul(tf.sub(chosen, 1), 1e9))) as tf.Tensor2D;
  if (wide === undefined) return [open];
  // what is chosen must stay above the largest that is not; what is not, come above the least that is
  const [least, next] = [k - 1, k].map((at) =>
    tf.sum(tf.mul(tf.slice(hits, [0, at, 0], [n, 1, places]), tf.expandDims(logits, 1)), 2),
  ) as [tf.Tensor, tf.Tensor];
  const threshold = tf.add(tf.mul(chosen, next), tf.mul(tf.sub(1, chosen), least));
  const above = tf.div(tf.sub(clean, threshold), wide);
  return [open, tf.mul(tf.add(tf.erf(tf.mul(above, Math.SQRT1_2)), 1), 0.5) as tf.Tensor2D];
}

/** *Traced.* How unequally prompts are used: of gates `[1 or 2, n, places]`, and below them the chances. */
function unequal(use: tf.Tensor3D): tf.Tensor {
  const [kinds, n, places] = use.shape;
  const [importance, load] = Array.from({ length: kinds }, (_, i) => tf.slice(use, [i, 0, 0], [1, n, places]));
  const open = variation(importance!);
  return load === undefined ? open : tf.add(open, variation(tf.sum(load, [0, 1])));
}

/** *Traced.* The squared coefficient of variation of some numbers. */
function variation(x: tf.Tensor): tf.Tensor {
  const mean = tf.mean(x);
  const variance = tf.div(tf.sum(tf.square(tf.sub(x, mean))), Math.max(1, x.size - 1));
  return tf.div(variance, tf.add(tf.square(mean), 1e-10));
}
