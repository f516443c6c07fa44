import { mapTensors, type Rng, type Tree, tf } from "../../engine/index.ts";
import type { Filter } from "../../models/filter.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withAdded } from "../parts/prompts.ts";
import {
  asParams,
  type ByKernel,
  importance,
  noScores,
  overExperiences,
  placeOf,
  type Scores,
  type Span,
  scored,
  type Triplets,
  unorthogonal,
} from "../parts/triplets.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Scores of all numbers, `[kernels, most]` which terms there are, and the steps of this experience. */
type Carried = { readonly scores: Scores; readonly active: tf.Tensor2D; readonly steps: tf.Tensor };

interface Memory {
  readonly carried: Carried;
  readonly tensors: Span;
}

/**
 * ElaLoRA: low-rank changes of a frozen network's kernels as `W + alpha / rank · P diag(s) Q`, of which kernels that matter little lose terms to
 * those that matter much, while there are as many over all of them as at the beginning: `rank` for each.
 *
 * Terms matter as with AdaLoRA. Every `every` steps between the shares `begin` and `end` of an experience's, the `each` least terms of every kernel
 * stand side by side, of which one always stays: the least `moves` among these are cut, and the kernels of the greatest `moves` among them get a
 * new term each, with s at 0 and vectors drawn orthogonal to those it has. `moves` falls to 0 as a cube. A kernel has at most `most` terms.
 * `orthogonal` times how far P and Q are from orthogonal is added to the loss. After an experience what was learnt is kept as part of what the
 * kernels pass, and the next begins with new terms. The head is trained as well, and nothing else.
 *
 * Implements: P178 ElaLoRA
 *
 * Chang et al. 2025, "ElaLoRA: elastic and learnable low-rank adaptation for efficient model fine-tuning", arXiv:2504.00254, and the authors'
 * program, which the choices follow. Differs from it: there are at most `most` terms, as masks over so many; an optimizer's memory of a place is
 * not emptied when a new term takes it; and a number's slope is multiplied by the number that it was taken at, not by that after the step.
 *
 * @example
 * ```ts
 * import { elaLora } from "thalweg";
 * elaLora({ rank: 4, most: 8, on: "block*" });
 * ```
 */
export const elaLora = strategy(
  "elaLora",
  {
    /** Terms of each kernel to begin with, and on average at all times. */
    rank: 8,
    /** Terms that a kernel may come to have. */
    most: 16,
    /** The change is multiplied by `alpha / rank`. */
    alpha: 8,
    /** Terms that move at a time to begin with, over all kernels. */
    moves: 4,
    /** How many of a kernel's terms may be cut at a time, or added. */
    each: 2,
    /** Share of an experience's steps before terms move, and share after they no longer do. */
    begin: 0.1,
    end: 0.25,
    /** Steps from one move to the next. */
    every: 10,
    /** Shares of what was measured before that are kept at a step: of how much a number matters, and of how much that varies. */
    sensitivity: 0.85,
    uncertainty: 0.85,
    /** Strength of the regulariser. */
    orthogonal: 0.1,
    /** The kernels that are changed; null for all. */
    on: null as null | string | readonly string[],
  },
  ({ rank, most, alpha, moves, each, begin, end, every, sensitivity, uncertainty, orthogonal, on: given }) => {
    const on: Filter = given ?? "*";
    requireWhole("elaLora", "rank", rank, 1);
    requireWhole("elaLora", "most", most, rank);
    requireNumber("elaLora", "alpha", alpha, 0);
    requireWhole("elaLora", "moves", moves, 0);
    requireWhole("elaLora", "each", each, 1);
    requireNumber("elaLora", "begin", begin, 0, 1);
    requireNumber("elaLora", "end", end, 0, 1 - begin);
    requireWhole("elaLora", "every", every, 1);
    requireNumber("elaLora", "sensitivity", sensitivity, 0, 1);
    requireNumber("elaLora", "uncertainty", uncertainty, 0, 1);
    requireNumber("elaLora", "orthogonal", orthogonal, 0);
    const changes = overExperiences("elaLora", on, most, alpha / rank);
    const ownOf = ({ added }: Weights): ByKernel => added!.elaLora as unknown as ByKernel;
    const begun = (own: ByKernel): Carried => {
      const kernels = Object.keys(own).length;
      const rows = Float32Array.from({ length: kernels * most }, (_, at) => (at % most < rank ? 1 : 0));
      return { scores: noScores(own), active: tf.tensor2d(rows, [kernels, most]), steps: tf.scalar(0) };
    };
    /** *Traced.* The scores after a step, `[kernels, most]` which terms it leaves, and in which places new ones come, one round after another. */
    const moved = ({ carried, tensors }: Memory, before: Weights, slope: Weights) => {
      const { first, last } = tensors as { readonly first: tf.Tensor; readonly last: tf.Tensor };
      const steps = tf.add(carried.steps, 1);
      const within = tf.less(steps, last);
      const scores = mapTensors(
        (now: tf.Tensor, was?: tf.Tensor) => tf.where(within, now, was!),
        scored(carried.scores, ownOf(before), ownOf(slope), { sensitivity, uncertainty }),
        carried.scores,
      );
      const done = tf.clipByValue(tf.div(tf.sub(steps, first), tf.sub(last, first)), 0, 1);
      const wanted = tf.round(tf.mul(tf.sub(1, tf.pow(done, 3)), moves));
      const due = tf.logicalAnd(
        tf.logicalAnd(within, tf.greater(steps, first)),
        tf.equal(tf.mod(tf.sub(steps, first), every), 0),
      );
      const now = tf.mul(wanted, tf.cast(due, "float32"));
      const { cut, more } = exchanged(importance(scores), carried.active, each, now);
      const stays = tf.sub(carried.active, cut) as tf.Tensor2D;
      return { scores, steps, stays, places: placesFor(stays, more, each) };
    };
    return {
      tokens: true,
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, weights, rng }): Params => changes.begin(network, weights, rng),
      init: ({ weights }): Memory => ({ carried: begun(ownOf(weights)), tensors: {} }),
      beforeExperience: ({ tensors }: Memory, { train }, context): Memory => ({
        carried: begun(ownOf(context.weights)),
        tensors: changes.span(tensors, train.length, context, begin, end),
      }),
      forward: ({ tensors }: Memory, pass) => changes.forward(tensors ?? {}, pass),
      loss: ({ carried }: Memory, { weights }) =>
        tf.mul(unorthogonal(ownOf(weights), carried.active), orthogonal) as tf.Scalar,
      gradient({ carried }: Memory, gradient) {
        const own = overTerms(ownOf(gradient), carried.active, (slope, mine) => ({
          ...slope,
          values: tf.mul(slope.values, mine) as tf.Tensor1D,
        }));
        return withAdded(gradient, "elaLora", asParams(own));
      },
      weights(memory: Memory, { before, after, slope }, { rng }) {
        const { stays, places } = moved(memory, before, slope);
        const was = ownOf(before);
        const held = overTerms(ownOf(after), stays, ({ left, values, right }, mine, path) => ({
          left: tf.where(tf.greater(tf.reshape(mine, [1, most]), 0), left, was[path]!.left),
          values: tf.mul(values, mine) as tf.Tensor1D,
          right: tf.where(tf.greater(tf.reshape(mine, [most, 1]), 0), right, was[path]!.right),
        }));
        return withAdded(after, "elaLora", asParams(grown(held, stays, places, rng)));
      },
      update(memory: Memory, { before, slope }): Tree {
        const { scores, steps, stays, places } = moved(memory, before, slope);
        const kept = (of: ByKernel): ByKernel =>
          overTerms(of, stays, ({ left, values, right }, mine) => ({
            left: tf.mul(left, tf.reshape(mine, [1, most])) as tf.Tensor2D,
            values: tf.mul(values, mine) as tf.Tensor1D,
            right: tf.mul(right, tf.reshape(mine, [most, 1])) as tf.Tensor2D,
          }));
        return {
          scores: { sensitivity: kept(scores.sensitivity), uncertainty: kept(scores.uncertainty) },
          active: tf.addN([stays, ...places]),
          steps,
        } as unknown as Tree;
      },
      afterExperience: ({ carried, tensors }: Memory, { index }, context) => ({
        carried,
        ...changes.end(tensors, index, context),
      }),
    };
  },
  ["boundary", "length"],
);

/** What is made of the terms of each kernel and of its row of `[kernels, most]`. */
function overTerms(
  own: ByKernel,
  rows: tf.Tensor2D,
  of: (own: Triplets, row: tf.Tensor1D, path: string) => Triplets,
): ByKernel {
  const [, most] = rows.shape;
  return Object.fromEntries(
    Object.entries(own).map(([path, each], k) => [
      path,
      of(each, tf.reshape(tf.slice(rows, [k, 0], [1, most]), [most]), path),
    ]),
  );
}

/**
 * *Traced.* `[kernels, most]`: 1 for each term that is cut, and `[kernels, 1]`: how many each kernel gets, in all as many as are cut and at most
 * `wanted`. Those that may be cut are the `each` least of a kernel's, of which one stays; a kernel has room for as many as it does not have.
 */
function exchanged(matters: tf.Tensor2D, active: tf.Tensor2D, each: number, wanted: tf.Tensor) {
  const [kernels, most] = matters.shape;
  const far = 1e30;
  const is = (of: tf.Tensor): tf.Tensor => tf.cast(of, "float32");
  const has = tf.sum(active, 1, true);
  const among = (of: tf.Tensor, candidates: tf.Tensor): tf.Tensor => tf.where(tf.greater(candidates, 0), of, far);
  const inAll = (of: tf.Tensor): tf.Tensor => tf.reshape(placeOf(tf.reshape(of, [kernels * most])), [kernels, most]);
  const least = tf.mul(active, is(tf.less(placeOf(among(matters, active)), tf.minimum(each, tf.sub(has, 1)))));
  const room = is(tf.less(placeOf(among(tf.neg(matters), least)), tf.sub(most, has)));
  const gains = tf.mul(least, room);
  const count = tf.minimum(wanted, tf.minimum(tf.sum(least), tf.sum(gains)));
  const cut = tf.mul(least, is(tf.less(inAll(among(matters, least)), count)));
  const grows = tf.mul(gains, is(tf.less(inAll(among(tf.neg(matters), gains)), count)));
  return { cut: cut as tf.Tensor2D, more: tf.sum(grows, 1, true) as tf.Tensor2D };
}

/** *Traced.* `[kernels, most]` for each round: 1 at the first place that is free in each kernel which gets more than there were rounds before. */
function placesFor(stays: tf.Tensor2D, more: tf.Tensor2D, rounds: number): tf.Tensor2D[] {
  const places: tf.Tensor2D[] = [];
  for (let round = 0; round < rounds; round++) {
    const free = tf.sub(1, tf.addN([stays, ...places]));
    const first = tf.mul(free, tf.cast(tf.equal(tf.cumsum(free, 1), 1), "float32"));
    places.push(tf.mul(first, tf.cast(tf.greater(more, round), "float32")) as tf.Tensor2D);
  }
  return places;
}

/** *Traced.* Terms with new ones in some places, round after round: of length 1, drawn orthogonal to those that are there, and s at 0. */
function grown(own: ByKernel, stays: tf.Tensor2D, places: readonly tf.Tensor2D[], rng: Rng | null): ByKernel {
  return places.reduce((terms, place, round) => {
    const there = tf.addN([stays, ...places.slice(0, round)]) as tf.Tensor2D;
    return overTerms(terms, place, ({ left, values, right }, mine, path) => {
      const [most] = mine.shape;
      const had = tf.slice(there, [Object.keys(own).indexOf(path), 0], [1, most]);
      const put = (of: tf.Tensor2D, name: string): tf.Tensor2D => {
        const drawn = rng!.at("elaLora", path, name, round).normals([of.shape[0], 1]) as tf.Tensor2D;
        const rows = tf.mul(of, had) as tf.Tensor2D;
        const rest = tf.sub(drawn, tf.matMul(rows, tf.matMul(rows, drawn, true, false)));
        const vector = tf.div(rest, tf.add(tf.norm(rest), 1e-6));
        return tf.where(tf.greater(tf.reshape(mine, [1, most]), 0), vector, of) as tf.Tensor2D;
      };
      return {
        left: put(left, "left"),
        values: tf.mul(values, tf.sub(1, mine)) as tf.Tensor1D,
        right: tf.transpose(put(tf.transpose(right) as tf.Tensor2D, "right")) as tf.Tensor2D,
      };
    });
  }, own);
}
