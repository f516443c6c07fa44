import { needWhole } from "../data/options.ts";
import type { Process } from "./clock.ts";
import { concatenated, product } from "./parts/arrays.ts";
import { onRanks, type Rank, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";
import { attention } from "./parts/softmax.ts";

/** An image in rows of tokens, and the layers of attention that clean it. */
export interface DiffusionInputs {
  readonly rows: number;
  readonly width: number;
  /** `[rows, width]`. */
  readonly x: Float32Array;
  /** Queries, keys and values of each layer, `[width, width]`. */
  readonly layers: readonly { readonly q: Float32Array; readonly k: Float32Array; readonly v: Float32Array }[];
}

/** What `distriFusion` can be told. */
export interface DistriFusionOptions extends RankOptions {
  /** Steps of cleaning. */
  readonly steps: number;
  /** How far a step goes towards what the layers make. Default 0.1. */
  readonly rate?: number;
  /** First steps that wait for the other patches; the later ones use what these were a step before. Default 1. */
  readonly warm?: number;
}

/**
 * Displaced patch parallelism: each rank cleans a patch of an image, and looks at the other patches as they were a step before, so that
 * nobody waits for a line.
 *
 * A step is `x ← x + rate (f(x) − x)`, f being layers of attention with a shortcut, over all rows. In the first `warm` steps keys and values of all patches are
 * waited for; later ones take those that were sent in the step before, with the patch's own fresh ones. Either way a rank sends
 * `2 n (P − 1)` numbers for each layer and step, `n` being those of its patch. With `warm` as many as `steps` it is what one rank computes.
 *
 * Li et al. 2024, arXiv:2402.19481, section 4.
 * Differs from the paper: layers of attention alone, so that there is no group normalisation to correct.
 *
 * Implements: P189 DistriFusion
 *
 * @throws RangeError where the ranks do not divide the rows.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const one = Float32Array.of(1, 0, 0, 1);
 * const image = { rows: 4, width: 2, x: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), layers: [{ q: one, k: one, v: one }] };
 * (await simulate.distriFusion(image, { ranks: 2, steps: 3 })).bytes; // [96, 96]
 * ```
 */
export async function distriFusion(
  { rows, width, x, layers }: DiffusionInputs,
  { steps, rate = 0.1, warm = 1, ...options }: DistriFusionOptions,
): Promise<Ranked> {
  const { ranks } = options;
  needWhole("distriFusion", "steps", steps);
  needWhole("distriFusion", "warm", warm);
  const own = requireParts("distriFusion", "a number of rows", rows, ranks);
  const others = (me: Rank): number[] => Array.from({ length: ranks }, (_, k) => k).filter((k) => k !== me.index);
  const found = await onRanks(options, function* (me): Process<Float32Array> {
    let patch = x.slice(me.index * own * width, (me.index + 1) * own * width);
    for (let step = 0; step < steps; step++) {
      let hidden = patch;
      for (const [l, { q, k, v }] of layers.entries()) {
        const projected = yield* me.compute(3 * own * width * width, "project", () =>
          [q, k, v].map((kernel) => product(hidden, kernel, own, width, width)),
        );
        const [asked, keys, values] = projected as [Float32Array, Float32Array, Float32Array];
        for (const to of others(me)) {
          me.give(to, `k${step}.${l}`, keys);
          me.give(to, `v${step}.${l}`, values);
        }
        const from = step < warm ? step : step - 1;
        const all: [Float32Array[], Float32Array[]] = [[], []];
        for (let rank = 0; rank < ranks; rank++) {
          all[0].push(rank === me.index ? keys : yield* me.get(rank, `k${from}.${l}`));
          all[1].push(rank === me.index ? values : yield* me.get(rank, `v${from}.${l}`));
        }
        if (step === warm - 1 && step < steps - 1) repeatFor(me, step, l, all);
        const now = hidden;
        hidden = yield* me.compute(2 * own * rows * width, "attention", () =>
          attention(asked, concatenated(all[0]), concatenated(all[1]), 1, width).map((y, i) => y + now[i]!),
        );
      }
      const made = hidden;
      patch = patch.map((value, i) => value + rate * (made[i]! - value));
    }
    return patch;
  });
  return { ...found, output: concatenated(found.parts) };

  /** What the last warm step has waited for is also what the step after it looks at. */
  function repeatFor(
    me: Rank,
    step: number,
    l: number,
    [keys, values]: readonly [Float32Array[], Float32Array[]],
  ): void {
    for (const rank of others(me)) {
      me.send(me.index, `k${step}.${l}#${rank}`, keys[rank], 0);
      me.send(me.index, `v${step}.${l}#${rank}`, values[rank], 0);
    }
  }
}
