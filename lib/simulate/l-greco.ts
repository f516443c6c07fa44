import { needOneOf, needWhole } from "../data/options.ts";
import { type Coded, codec } from "./codec.ts";
import { factored } from "./low-rank.ts";
import type { Layer } from "./parts/trainer.ts";
import { addTo, minus, squared } from "./parts/vectors.ts";
import { byLayer, levels } from "./quantised.ts";
import { largest } from "./top-k.ts";

/** One way to code a layer: what it costs and what it leaves out. */
export interface Choice {
  readonly bytes: number;
  readonly error: number;
}

/**
 * Each layer coded as strongly as it can bear: L-GreCo chooses among strengths for every layer, so that all bytes together are fewest while the
 * squared error stays that of one strength for all.
 *
 * The error of each choice is measured on the sum of the vectors since the last choice, and a dynamic programme over the layers finds the
 * fewest bytes for the error of `level` everywhere, in 10,000 steps of error. Strengths are `level` times 1/4, 1/2, … 8 for "topK" (a share),
 * 2 to 8 bits for "quantised", ranks 1, 2, 4, … for "lowRank".
 *
 * Markov, Alimohammadi, Frantar and Alistarh 2022, arXiv:2210.17357, section 3 and algorithm 1.
 *
 * Implements: P154 L-GreCo
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.lGreco({ method: "topK", level: 0.01 }).spec.name; // "lGreco"
 * ```
 */
export const lGreco = codec(
  "lGreco",
  {
    /** How a layer is coded: "topK", "quantised" or "lowRank". */
    method: "topK",
    /** The strength whose error is kept to: a share, bits or a rank. */
    level: 0.01,
    /** Vectors between two choices. */
    every: 20,
  },
  ({ method, level, every }) => {
    needOneOf("lGreco", "method", method, ["topK", "quantised", "lowRank"]);
    needWhole("lGreco", "every", every);
    return (layers, rng) => {
      const strengths = strengthsOf(method, level);
      const factors = factored(rng.at("factors"));
      const code = (part: Float32Array, layer: Layer, strength: number, draw: typeof rng): Coded => {
        if (method === "topK")
          return largest(part, Math.min(part.length, Math.max(1, Math.round(strength * part.length))));
        if (method === "quantised") return levels(part, strength, draw);
        return factors(part, layer, strength);
      };
      let chosen = layers.map(() => level);
      let sum: Float32Array | undefined;
      let seen = 0;
      return (vector) => {
        sum = sum === undefined ? vector.slice() : addTo(sum, vector);
        seen++;
        const whole = byLayer(layers, vector, (part, layer) =>
          code(part, layer, chosen[layers.indexOf(layer)] ?? level, rng),
        );
        if (seen % every === 0 && layers.length > 0) {
          const trial = rng.at("trial", seen);
          const gathered = sum;
          const choicesOf = (layer: Layer): Choice[] =>
            strengths.map((strength) => {
              const part = gathered.subarray(layer.from, layer.from + layer.size);
              const coded =
                method === "lowRank" ? factored(trial)(part, layer, strength) : code(part, layer, strength, trial);
              return { bytes: coded.bytes, error: squared(minus(part, coded.vector)) };
            });
          const choices = layers.map(choicesOf);
          const base = strengths.indexOf(level);
          const budget = choices.reduce((total, each) => total + each[base]!.error, 0);
          chosen = fewestBytes(choices, budget, base).map((pick) => strengths[pick]!);
          sum = undefined;
        }
        return whole;
      };
    };
  },
  ({ method }) => method === "quantised",
);

function strengthsOf(method: string, level: number): number[] {
  const all =
    method === "topK"
      ? [0.25, 0.5, 1, 2, 4, 8].map((factor) => Math.min(1, factor * level))
      : method === "quantised"
        ? [2, 3, 4, 5, 6, 7, 8, level]
        : [1, 2, 4, 8, 16, level];
  return [...new Set(all)].sort((a, b) => a - b);
}

/** Of each layer the choice by which all together have fewest bytes at no more than so much error; `base` where nothing else is found. */
export function fewestBytes(
  layers: readonly (readonly Choice[])[],
  budget: number,
  base: number,
  steps = 10_000,
): number[] {
  if (!(budget > 0)) return layers.map(() => base);
  // errors are rounded up, so that the sum is never over the budget; a layer's base choice may lose a step by that
  const room = steps + layers.length;
  let least = new Float64Array(room + 1).fill(Number.POSITIVE_INFINITY);
  least[0] = 0;
  const picks: Uint8Array[] = [];
  for (const choices of layers) {
    const next = new Float64Array(room + 1).fill(Number.POSITIVE_INFINITY);
    const pick = new Uint8Array(room + 1);
    for (const [c, { bytes, error }] of choices.entries()) {
      const cost = Math.ceil((error / budget) * steps);
      for (let at = cost; at <= room; at++) {
        const total = least[at - cost]! + bytes;
        if (total < next[at]!) {
          next[at] = total;
          pick[at] = c;
        }
      }
    }
    picks.push(pick);
    least = next;
  }
  let at = least.indexOf(Math.min(...least));
  const out: number[] = [];
  for (let l = layers.length - 1; l >= 0; l--) {
    const c = picks[l]![at]!;
    out.unshift(c);
    at -= Math.ceil((layers[l]![c]!.error / budget) * steps);
  }
  return out;
}
