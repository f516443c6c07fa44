import { select } from "../../data/dataset.ts";
import { changesOf, gram, keysOf, lastOf, type Matrix, siteOf, withLast } from "../../edit/parts/facts.ts";
import { leastSquares, withDiagonal } from "../../edit/parts/least-squares.ts";
import { tf } from "../../engine/index.ts";
import { product } from "../../engine/linear-algebra.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** The hook's change of the kernel, `[inputs, units]`, and when it acts: a length above `mean + alpha · deviation`. */
  readonly tensors: { readonly change: tf.Tensor; readonly limit: tf.Tensor };
  readonly change: Matrix | null;
  readonly known: Matrix;
  readonly past: Matrix;
  readonly seen: Matrix;
  readonly alpha: number;
}

/**
 * CoachHook: batches of facts are written, by closed form, not into a layer but into a hook of a fixed size beside it, which acts only on
 * inputs that it changes unusually much.
 *
 * The hook's change is MEMIT's, `Δ = (KᵀK + hold · C + past)⁻¹ Kᵀ R`, added to what it held. It acts where the length of what it adds is
 * further above those of what was trained than `alpha` deviations; alpha falls to that of the least edited fact where that is smaller.
 *
 * Implements: P162 CoachHooK
 *
 * Li et al. 2024, arXiv:2403.05330, section 3.2 (hook layers, batches one after the other) and section 3.3 (scope by outliers of what is changed).
 * Differs from the paper: one layer, at the last place only; outliers are those among what was trained, not among the tokens of an input.
 *
 * @example
 * ```ts
 * import { adam, coachHook, edits, net } from "thalweg";
 * const study = edits(5, { subjects: 10, batch: 4 }).learn(net().embedding(14, 16).transformer(2).last()).with(adam({ lr: 0.01 }));
 * study.by(coachHook()).name; // "coachHook"
 * ```
 */
export const coachHook = strategy(
  "coachHook",
  {
    /** The layer that the hook stands beside, by its path in the model; the last one with a kernel where it is "". */
    layer: "",
    /** How much known keys hold the change back. */
    hold: 10,
    /** How many deviations above the usual what a hook adds is out of the usual, at most. */
    alpha: 3,
    /** Steps of Adam that look for values, and their rate. */
    steps: 60,
    lr: 0.1,
    /** Experiences that are trained. */
    trained: 1,
  },
  ({ layer, hold, alpha, steps, lr, trained }) => {
    for (const [name, value] of Object.entries({ hold, alpha, lr })) requireNumber("coachHook", name, value, 0);
    for (const [name, value] of Object.entries({ steps, trained })) requireWhole("coachHook", name, value, 1);

    /** Keys of all that was trained. */
    function seenOf(
      { network: structure, weights, statistics, stream }: Context,
      site: ReturnType<typeof siteOf>,
    ): Matrix {
      const parts = Array.from({ length: trained }, (_, i) => stream.experience(i).train).filter(
        ({ length }) => length > 0,
      );
      const subject = { structure, weights, statistics };
      return Float64Array.from(parts.flatMap((facts) => [...keysOf(subject, weights, facts, site).keys]));
    }

    return {
      tokens: "it edits one answer for each example",
      classes: true,
      rowwise: true,
      init({ network, weights }): Memory {
        const { inputs, units } = siteOf("coachHook", { structure: network, weights }, layer);
        const none = new Float64Array(inputs ** 2);
        const tensors = { change: tf.zeros([inputs, units]), limit: tf.scalar(1e9) };
        return { tensors, change: null, known: none, past: none, seen: new Float64Array(0), alpha };
      },
      data: (_state: Memory, { index, train }) => (index < trained ? train : select(train, new Uint32Array(0))),
      beforeExperience(state: Memory, { index, train }, context): Memory {
        if (index < trained || train.length === 0) return state;
        const subject = { structure: context.network, weights: context.weights, statistics: context.statistics };
        const site = siteOf("coachHook", subject, layer);
        const { inputs, units } = site;
        const seen = state.change === null ? seenOf(context, site) : state.seen;
        const known = state.change === null ? gram(seen, inputs) : state.known;
        const before = state.change ?? new Float64Array(inputs * units);
        const { keys } = keysOf(subject, subject.weights, train, site);
        const n = train.length;
        const wanted = changesOf(subject, subject.weights, train, site, {
          steps,
          lr,
          decay: 1e-3,
          clamp: 4,
          until: 0.95,
        });
        const given = product(keys, before, n, inputs, units); // what the hook adds already
        const held = known.map((x, i) => (hold * x * inputs) / Math.max(1, seen.length) + state.past[i]!);
        const more = leastSquares(
          keys,
          wanted.map((w, i) => w - given[i]!),
          withDiagonal(held, inputs, 1e-6),
          inputs,
          units,
        );
        const change = before.map((x, i) => x + more[i]!);
        const usual = lengths(product(seen, change, seen.length / inputs, inputs, units), units);
        const mean = usual.reduce((a, b) => a + b, 0) / Math.max(1, usual.length);
        const deviation =
          Math.sqrt(usual.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, usual.length)) || 1e-9;
        const own = lengths(product(keys, change, n, inputs, units), units);
        const least = Math.min(state.alpha, ...own.map((x) => 0.999 * ((x - mean) / deviation)));
        const squares = gram(keys, inputs);
        return {
          change,
          known,
          past: state.past.map((x, i) => x + squares[i]!),
          seen,
          alpha: least,
          tensors: {
            change: tf.tensor2d(Float32Array.from(change), [inputs, units]),
            limit: tf.scalar(mean + least * deviation),
          },
        };
      },
      forward({ tensors: { change, limit } }: Memory, { network, weights, x, training, plain }) {
        if (training) return plain(); // nothing is written before training is over
        const { path: wanted } = siteOf("coachHook", { structure: network, weights }, layer);
        return plain({
          tap(path, _input, output, rows) {
            if (path.join("/") !== wanted) return output;
            const added = tf.matMul(lastOf(rows(), x.shape[0]!), change as tf.Tensor2D);
            const acts = tf.cast(tf.greaterEqual(tf.sqrt(tf.sum(tf.square(added), 1, true)), limit), "float32");
            return withLast(output, tf.add(lastOf(output, x.shape[0]!), tf.mul(added, acts)));
          },
        });
      },
    };
  },
);

/** The length of each row. */
function lengths(rows: Matrix, width: number): number[] {
  return Array.from({ length: rows.length / width }, (_, i) =>
    Math.hypot(...rows.subarray(i * width, (i + 1) * width)),
  );
}
