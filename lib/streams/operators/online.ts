/** Makes a stream of small experiences that are seen once. */
import { select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { inPieces } from "../parts/pieces.ts";
import { rngOf } from "../parts/seed.ts";
import type { Seed } from "../stream.ts";

/** What `online` can be told. */
export interface OnlineOptions {
  /** Examples that arrive together; default 10. */
  readonly batch?: number;
  /** Whether the examples of an experience arrive in random order; default true. False keeps the order they are in. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Cuts each experience into experiences of `batch` examples, each example in one of them: the learner sees everything once (train it for
 * one epoch). Tasks, and with them the columns of the accuracy matrix, stay those of the stream; the learner is not told when one ends.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { online, split } = operators;
 * online({ batch: 50 })(split(5)(classes(digits()))).length; // 30
 * ```
 */
export const online = operator(
  "online",
  (options: OnlineOptions = {}) => {
    const o = withDefaults<Required<OnlineOptions>>("online", options, { batch: 10, shuffle: true, seed: 0 });
    needWhole("online", "batch", o.batch);
    const rng = rngOf(o.seed, "online");
    return (stream) => {
      let shuffled: { index: number; order: Uint32Array } | undefined;
      const orderOf = (index: number, length: number): Uint32Array => {
        if (shuffled?.index !== index) shuffled = { index, order: rng.at(index).permutation(length) };
        return shuffled.order;
      };
      return inPieces(
        "online",
        stream,
        (index) => Math.ceil(stream.countOf(index) / o.batch),
        (e, piece) => {
          const [from, to] = [piece * o.batch, Math.min((piece + 1) * o.batch, e.train.length)];
          const at = o.shuffle
            ? orderOf(e.index, e.train.length).slice(from, to)
            : Uint32Array.from({ length: to - from }, (_, i) => from + i);
          return { ...e, train: select(e.train, at) };
        },
        (index, piece) => Math.min(o.batch, stream.countOf(index) - piece * o.batch),
      );
    };
  },
  { drops: ["boundary"] },
);
