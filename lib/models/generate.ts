/** Sequences that a trained network goes on with. */
import { needWhole, withDefaults } from "../data/options.ts";
import { type Rng, random } from "../engine/index.ts";
import { stepping } from "./stepping.ts";
import type { TrainedNetwork } from "./trained.ts";

/** Settings of `generate`. */
export interface GenerateOptions {
  /** How many tokens follow. Default 32. */
  readonly length?: number;
  /** What logits are divided by before the softmax that tokens are drawn from; 0 takes the likeliest. Default 1. */
  readonly temperature?: number;
  /** Of the likeliest tokens so many can be drawn; 0: all. Default 0. */
  readonly top?: number;
  /** The seed that they are drawn with. Default 0. */
  readonly seed?: number;
  /** How many places attention looks back on. Default: the length the network was made for. */
  readonly context?: number;
}

/**
 * The tokens with which a trained network goes on after those of a prompt: each is drawn from what it gives at the last place, and is then the next place.
 *
 * The network goes place by place, as `stepping` has it: attention remembers keys and values, recurrent layers their state, so that a token costs
 * the layers' work at one place. Column j of its head is token j, as networks of `fromText` data have it.
 *
 * @throws what `stepping` throws; RangeError for an empty prompt, or one with other than whole numbers below the head's columns.
 *
 * @example
 * ```ts
 * import { generate, gpt, network, random, trained } from "thalweg";
 * const model = gpt({ tokens: 9, width: 8, depth: 1, heads: 2, positions: "rotary" });
 * const made = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 9) });
 * generate(made, [1, 2, 3], { length: 4, temperature: 0 }).length; // 4
 * ```
 */
export function generate(network: TrainedNetwork, prompt: ArrayLike<number>, options: GenerateOptions = {}): number[] {
  const { length, temperature, top, seed, context } = withDefaults<Required<GenerateOptions>>("generate", options, {
    length: 32,
    temperature: 1,
    top: 0,
    seed: 0,
    context: Math.max(2, network.input[0]!),
  });
  needWhole("generate", "length", length);
  needWhole("generate", "top", top, 0);
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw new RangeError(`generate: a temperature of at least 0 is required, got ${temperature}`);
  const given = Array.from(prompt);
  const stepper = stepping(network, { context });
  try {
    if (given.length === 0) throw new RangeError("generate: a prompt of at least one token is required, got none");
    const read = stepper.read(given);
    const columns = read.shape.at(-1)!;
    let logits = read.dataSync().slice(-columns) as Float32Array;
    read.dispose();
    const wrong = given.find((token) => !Number.isInteger(token) || token < 0 || token >= columns);
    if (wrong !== undefined)
      throw new RangeError(`generate: tokens from 0 to ${columns - 1} are required, got ${wrong}`);
    const rng = random(seed).at("generate");
    const tokens: number[] = [];
    for (;;) {
      tokens.push(drawn(logits, temperature, top, rng));
      if (tokens.length === length) return tokens;
      const next = stepper.step([tokens.at(-1)!]);
      logits = next.dataSync() as Float32Array;
      next.dispose();
    }
  } finally {
    stepper.dispose();
  }
}

/** A column by the softmax of logits over a temperature, among the likeliest. */
function drawn(logits: Float32Array, temperature: number, top: number, rng: Rng): number {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
  if (temperature === 0) return order[0]!;
  const allowed = top === 0 ? order : order.slice(0, top);
  const shares = allowed.map((column) => Math.exp((logits[column]! - logits[order[0]!]!) / temperature));
  let left = rng.uniform() * shares.reduce((sum, share) => sum + share, 0);
  return allowed.find((_, i) => (left -= shares[i]!) < 0) ?? allowed.at(-1)!;
}
