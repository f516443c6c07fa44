import { needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";

/** The batch that the last test asked for, in batches of the run; 0 before any. A type, so that it is plain data. */
type Memory = { readonly times: number };

/**
 * A batch that grows when its gradient is too noisy: the norm test.
 *
 * The variance of single examples' gradients, summed over the weights, divided by the size of the batch has to be at most `eta²` times the squared
 * norm of the gradient. Where it is more, the batch becomes as large as it must be, `⌈variance / (eta² ‖g‖²)⌉`; it never shrinks. Sizes are
 * rounded up to whole batches of the run, whose gradients are gathered, so that all run in the programs of the first. Learning rates are not
 * touched. With `adagradNorm` or `adagrad` this is AdAdaGradNorm or AdAdaGrad.
 *
 * Implements: P404 AdAdaGrad
 * Lau, Liu and Kolar 2024, arXiv:2402.11215, section 3.1 and algorithm 1; the test is that of Byrd, Chin, Nocedal and Wu 2012, section 3.
 * Differs from the paper: the variance is estimated from the gradients of `parts` parts of the batch, without bias, where the paper takes every
 * example by itself (`parts: 0` does too); sizes are whole batches; the inner-product test is not there.
 *
 * @example
 * ```ts
 * import { normTest } from "thalweg";
 * normTest({ eta: 0.5 }).plan.listens!.every; // 17
 * ```
 */
export const normTest = batching(
  "normTest",
  {
    /** How large the deviation of the gradient may be, in shares of its norm. */
    eta: 0.5,
    /** The test is made after every so many updates. One more than a multiple of 16 lets the steps between run together. */
    everySteps: 17,
    /** Parts of a batch whose gradients the variance is estimated from; 0: every example is one. */
    parts: 4,
    /** The most examples of an update; 0 sets no limit. */
    most: 0,
  },
  ({ eta, everySteps, parts, most }) => {
    if (!(eta > 0)) throw new RangeError(`normTest: eta must be a positive number, got ${eta}`);
    needWhole("normTest", "everySteps", everySteps);
    needWhole("normTest", "parts", parts, 0);
    if (parts === 1) throw new RangeError("normTest: at least 2 parts, or 0 for every example, are required, got 1");
    needWhole("normTest", "most", most, 0);
    return {
      listens: {
        every: everySteps,
        hears: ["norm", "variance"],
        parts: parts === 0 ? Number.MAX_SAFE_INTEGER : parts,
        begin: (): Memory => ({ times: 1 }),
        told({ times }: Memory, { norm = 0, variance = 0 }, { batch }): Memory {
          const wanted = Math.ceil(variance / (eta * eta * Math.max(norm, 1e-30)) / batch);
          const limit = most === 0 ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.floor(most / batch));
          return { times: Math.min(limit, Math.max(times, wanted)) };
        },
      },
      accumulate: ({ examples, batch }, { times }: Memory = { times: 1 }) =>
        Math.min(times, Math.max(1, Math.ceil(examples / batch))),
    };
  },
);
