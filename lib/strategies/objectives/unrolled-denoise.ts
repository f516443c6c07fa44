import { needWhole, withDefaults } from "../../data/options.ts";
import { type Rng, random, tf } from "../../engine/index.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { oneHots } from "../parts/contrast.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Trains a network to write all places of a sequence at once: tokens are disturbed, the network says the right ones at every place, and learns again from what it has just written itself.
 *
 * Of each sequence a beginning is given, up to a share `given` of it, drawn anew every time. Of the other places a share, drawn between 0 and 1, gets tokens that are drawn from all alike. The loss is the mean cross-entropy of
 * the right tokens at the places that are not given; then these places get tokens drawn from the network's own answer, no gradient flowing through them, and so on for `steps` passes. The loss is the mean over passes.
 *
 * It takes the place of the task's loss and asks for the tokens that came in, not for those that follow; the network's head says the token of its own place. The model must see all places, as `transformer(heads, { causal: false })`
 * does. `denoised` writes with such a network.
 *
 * Implements: P205 UT5 unrolled denoising
 * Salem, Ye, Lin and Liu 2023, "UT5: pretraining non autoregressive T5 with unrolled denoising", arXiv:2311.08552, whose loss is that of Savinov et al. 2021, "Step-unrolled denoising autoencoders for text generation", arXiv:2112.06749, equations 4 to 6.
 * Written from the abstract and from the second paper. Chosen here: how much is given; sequences have one length, so that no padding is learnt.
 *
 * @throws TypeError for a stream that does not ask for tokens.
 *
 * @example
 * ```ts
 * import { fromText, net, sequence, unrolledDenoise } from "thalweg";
 * const data = fromText("to be or not to be, that is the question", { length: 4 });
 * const model = net().embedding(data.classes.length, 8).transformer(2, { causal: false, positions: "rotary" });
 * sequence(data, 1).learn(model).by(unrolledDenoise({ steps: 2 }));
 * ```
 */
export const unrolledDenoise = strategy(
  "unrolledDenoise",
  {
    /** Passes in a step; 1 is denoising alone. */
    steps: 2,
    /** The largest share of a sequence that is given at its beginning. */
    given: 0.5,
    /** What logits are divided by before tokens are drawn; 0: the most probable ones. */
    temperature: 1,
  },
  ({ steps, given, temperature }) => {
    requireWhole("unrolledDenoise", "steps", steps, 1);
    requireNumber("unrolledDenoise", "given", given, 0, 0.999);
    requireNumber("unrolledDenoise", "temperature", temperature, 0);
    return {
      tokens: true,
      tokensAlone: true,
      taskLoss(_state, { x, rng, logits, forward }) {
        const [n, length] = x.shape as [number, number];
        const columns = logits.shape.at(-1)!;
        const noise = (rng ?? random(0)).at("unrolledDenoise");
        const begins = tf.floor(tf.mul(noise.at("given").uniforms([n, 1]), given * length));
        const open = tf.cast(tf.greaterEqual(tf.range(0, length), begins), "float32");
        const share = noise.at("share").uniforms([n, 1]);
        const hit = tf.mul(open, tf.cast(tf.less(noise.at("hit").uniforms([n, length]), share), "float32"));
        const other = tf.floor(tf.mul(noise.at("token").uniforms([n, length]), columns));
        let now = tf.where(tf.greater(hit, 0), other, x);
        const right = oneHots(x, columns);
        const losses = Array.from({ length: steps }, (_, k) => {
          const said = forward(now).logits;
          if (k < steps - 1) {
            const written = drawn(said, temperature, noise.at("drawn", k));
            now = tf.where(tf.greater(open, 0), written, x);
          }
          const each = tf.neg(tf.sum(tf.mul(right, tf.logSoftmax(said)), -1));
          return tf.div(tf.sum(tf.mul(each, open)), tf.maximum(tf.sum(open), 1));
        });
        return tf.div(tf.addN(losses), steps) as tf.Scalar;
      },
    };
  },
);

/** *Traced.* `[n, places]`: a token at each place, drawn by its logits over a temperature, through which no gradient flows. */
function drawn(logits: tf.Tensor, temperature: number, rng: Rng): tf.Tensor {
  const [n, places, columns] = logits.shape as [number, number, number];
  const noise = temperature === 0 ? null : gumbel(rng, [n, places, columns]);
  return tf.customGrad((given) => {
    const z = given as tf.Tensor;
    const value = noise === null ? z : tf.add(tf.div(z, temperature), noise);
    return { value: tf.cast(tf.argMax(value, -1), "float32"), gradFunc: () => tf.zeros([n, places, columns]) };
  })(logits);
}

/** Noise with which the largest sum is a draw by the logits. */
function gumbel(rng: Rng, shape: number[]): tf.Tensor {
  return tf.neg(tf.log(tf.add(tf.neg(tf.log(tf.add(rng.uniforms(shape), 1e-20))), 1e-20)));
}

/** What `denoised` can be told. */
export interface DenoisedOptions {
  /** How many of the first tokens are given; default 0. */
  readonly given?: number;
  /** How often all other places are written anew; default 4. */
  readonly rounds?: number;
  /** What the tokens that it begins with, and those of all rounds but the last, are drawn by; default 0. */
  readonly seed?: number;
}

/**
 * Writes sequences with a network that has learnt by `unrolledDenoise`: from random tokens behind those that are given, all places at once, several times.
 *
 * In all rounds but the last tokens are drawn from the network's answer, in the last they are the most probable ones. Gives `[n, length]` tokens as rows; what is given stays.
 *
 * @throws RangeError where more is given than there is.
 *
 * @example
 * ```ts
 * import { denoised, net, network, random, trained } from "thalweg";
 * const model = net().embedding(5, 4).transformer(2, { causal: false });
 * const made = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 5), target: "tokens" });
 * denoised(made, [[1, 2, 0, 0, 0, 0]], { given: 2 })[0]!.slice(0, 2); // [1, 2]
 * ```
 */
export function denoised(
  network: TrainedNetwork,
  sequences: readonly (readonly number[])[],
  options: DenoisedOptions = {},
): readonly (readonly number[])[] {
  const { given, rounds, seed } = withDefaults<Required<DenoisedOptions>>("denoised", options, {
    given: 0,
    rounds: 4,
    seed: 0,
  });
  needWhole("denoised", "given", given, 0);
  needWhole("denoised", "rounds", rounds);
  const [n, length] = [sequences.length, network.input[0]!];
  const wrong = sequences.find((row) => row.length !== length);
  if (wrong !== undefined || given > length)
    throw new RangeError(
      `denoised: sequences of ${length} tokens of which at most ${length} are given are required, got ${wrong?.length ?? length} with ${given} given`,
    );
  const rng = random(seed);
  const columns = network.classes.length;
  let now = sequences.map((row, i) => row.map((token, k) => (k < given ? token : rng.at("begin", i, k).int(columns))));
  for (let round = 0; round < rounds; round++)
    now = tf.tidy(() => {
      const logits = network.predict(tf.tensor2d(now)) as tf.Tensor3D;
      const noisy = round < rounds - 1 ? tf.add(logits, gumbel(rng.at("round", round), [n, length, columns])) : logits;
      const chosen = tf.argMax(noisy, -1).arraySync() as number[][];
      return now.map((row, i) => row.map((token, k) => (k < given ? token : chosen[i]![k]!)));
    });
  return now;
}
