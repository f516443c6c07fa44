import { needShare, needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";
import type { Moment } from "../optimizer.ts";
import { shareDone } from "../parts/share.ts";

/**
 * Batches whose shape goes in cycles: smaller images come in larger batches at a higher learning rate, at about constant cost of a step.
 *
 * A long cycle goes through the sides of `long` (shares of the images' side), from small to whole; a side of `s` has batches of `1/s²` times the size,
 * and the learning rate is multiplied by as much. Within it every three steps are a short cycle: one with the sides of `short` each and one with
 * that of the long cycle, with batches that are larger in the same way, at the long cycle's rate. Each shape of a long cycle has a
 * part of the examples in proportion to its mean batch. After `cycles` of them the last share `tune` of the examples has the last side of the long cycle.
 * The model must take every size: it ends with pooling over the whole image. Every size is a program of its own, three for each long one.
 *
 * Implements: P367 Multigrid training
 * Wu, Girshick, He, Feichtenhofer and Krähenbühl 2020, arXiv:1912.00998, section 3 and figure 1, with the batch sizes, the rates and the lengths of the
 * phases of its program.
 * Differs from the paper: still images have no time axis, so that the shapes differ in their side alone; the fall of the rate after each long cycle is
 * the schedule's business.
 *
 * @example
 * ```ts
 * import { multigrid } from "thalweg";
 * const { side, batch } = multigrid({ long: [0.5, 1], short: [] }).plan;
 * const start = { step: 0, steps: 9, epoch: 0, experience: 0, taken: 0, seen: 0, examples: 90, epochs: 1, batch: 10 };
 * [side!(start, 32), batch!(start)]; // [16, 40]
 * ```
 */
export const multigrid = batching(
  "multigrid",
  {
    /** Sides of the long cycle, as shares of the images'. */
    long: [Math.SQRT1_2, 1] as readonly number[],
    /** Sides of the steps of the short cycle besides that of the long one, as shares of the images'. */
    short: [0.5, Math.SQRT1_2] as readonly number[],
    /** Long cycles in an experience. */
    cycles: 3,
    /** The share of the examples that is left for the last side of the long cycle. */
    tune: 0.1,
  },
  ({ long, short, cycles, tune }) => {
    for (const [name, sides] of Object.entries({ long, short })) {
      if (sides.some((side) => !(side > 0 && side <= 1)) || (name === "long" && sides.length === 0))
        throw new RangeError(`multigrid: ${name} must be shares of a side in (0, 1], got [${sides}]`);
    }
    needWhole("multigrid", "cycles", cycles);
    needShare("multigrid", "tune", tune);
    const times = (side: number): number => Math.max(1, Math.round(1 / (side * side)));
    const shapes = long.map((side) => {
      const steps = [...short.map((own) => Math.min(own, side)), side];
      return { side, steps, mean: steps.reduce((sum, own) => sum + times(own), 0) / steps.length };
    });
    const whole = shapes.reduce((sum, { mean }) => sum + mean, 0);
    const longAt = (moment: Moment): (typeof shapes)[number] => {
      const done = shareDone(moment) / Math.max(1e-9, 1 - tune);
      let left = done >= 1 ? Number.POSITIVE_INFINITY : ((done * cycles) % 1) * whole;
      return shapes.find(({ mean }) => (left -= mean) < 0) ?? shapes.at(-1)!;
    };
    const shapeAt = (moment: Required<Moment>): number => {
      const { steps } = longAt(moment);
      return steps[moment.step % steps.length]!;
    };
    return {
      side: (moment, from) => Math.max(1, Math.round(from * shapeAt(moment))),
      batch: (moment) => moment.batch * times(shapeAt(moment)),
      rate: (moment) => times(longAt(moment).side),
    };
  },
);
