import { type Examples, gather } from "../../data/dataset.ts";
import { scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { crossEntropies, masked, type Weights } from "../../models/network.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { still } from "../parts/still.ts";
import * as t from "../parts/test-time.ts";
import { requireViews, viewOf } from "../parts/views.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, resets, strategy } from "../strategy.ts";

interface Memory {
  /** Class means of the training examples' features, which classes have one, and some examples with their labels. */
  readonly tensors: {
    readonly means: tf.Tensor;
    readonly met: tf.Tensor;
    readonly x: tf.Tensor;
    readonly y: tf.Tensor;
    readonly filled: tf.Tensor;
  };
  readonly sums: Float64Array;
  readonly counts: Float64Array;
  readonly rows: Float32Array;
  readonly labels: Int32Array;
  readonly seen: number;
  readonly carried: t.Begun<{ readonly teacher: Weights }> & { readonly optimizer: Tree };
}

/**
 * RMT: all weights learn to agree with a slow average of them, in both directions of the cross-entropy, for examples and for views of them;
 * features are pulled to the nearest class mean of the training data, and training examples come again.
 *
 * The prediction is the sum of both networks' logits. Each batch is normalised by its own statistics. The class means are those of the
 * weights at the end of the experience that the examples came in; `source: 0` needs no training examples at test time.
 *
 * Implements: P169 RMT
 *
 * Döbler, Marsden and Yang 2023, arXiv:2211.13081, eq. 2–9.
 * Differs from the paper: no projection before the contrastive loss, as in its setting for DomainNet, and no warm-up; views are moved,
 * mirrored, noisy and partly hidden, as options say.
 *
 * @example
 * ```ts
 * import { classes, digits, net, rmt } from "thalweg";
 * const model = net().conv(8, 3).batchNorm().relu().flatten();
 * classes(digits()).corrupt(["fog", "contrast"], 5, { part: "test" }).learn(model).by(rmt({ source: 0, reset: "round" }));
 * ```
 */
export const rmt = strategy(
  "rmt",
  {
    /** Learning rate at test time. */
    lr: 1e-3,
    /** How much of the teacher is kept with each batch. */
    keep: 0.999,
    /** How much the contrastive loss counts, and its temperature. */
    contrast: 1,
    temperature: 0.1,
    /** How much training examples count that come again. */
    source: 1,
    /** Training examples that are kept for that. */
    capacity: 200,
    shiftPixels: 1,
    flip: 0,
    noise: 0.05,
    hide: 0,
    /** Test examples that arrive at once. */
    batch: 64,
    /** When the weights become again what was trained. */
    reset: "task" as Reset,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ lr, keep, contrast, temperature, source, capacity, batch, reset, shuffle, ...how }) => {
    for (const [name, value] of Object.entries({ lr, contrast, source })) requireNumber("rmt", name, value, 0);
    requireNumber("rmt", "keep", keep, 0, 1);
    requireNumber("rmt", "temperature", temperature, 1e-6);
    requireWhole("rmt", "capacity", capacity, 1);
    requireWhole("rmt", "batch", batch, 1);
    requireOneOf("rmt", "reset", reset, resets);
    requireViews("rmt", how);
    const optimizer = adam({ lr });

    const carried = ({ weights }: Context): Memory["carried"] => ({
      ...t.notBegun(() => ({ teacher: t.zerosLike(weights) })),
      optimizer: scoped(() => optimizer.init(weights as unknown as Tree)),
    });
    const tensors = (
      { sums, counts, rows, labels, seen }: Omit<Memory, "tensors" | "carried">,
      { network }: Context,
    ): Memory["tensors"] => {
      const [columns, width] = [counts.length, sums.length / counts.length];
      const means = Float32Array.from(sums, (sum, i) => sum / Math.max(1, counts[Math.floor(i / width)]!));
      return scoped(() => ({
        means: tf.tensor2d(means, [columns, width]),
        met: tf.tensor1d(Float32Array.from(counts, (count) => Number(count > 0))),
        x: tf.tensor(rows.slice(), [capacity, ...network.input]),
        y: tf.tensor1d(labels.slice(), "int32"),
        filled: tf.scalar(Math.min(seen, capacity)),
      }));
    };
    /** Offers training examples to a reservoir, and adds their features to those of their classes. */
    function learnt(state: Memory, train: Examples, context: Context): Memory {
      const { features } = context.outputs(train);
      const width = features.length / train.length;
      const size = train.shape.reduce((a, b) => a * b, 1);
      const old = state.sums.length === context.columns * width;
      const [sums, counts] = old
        ? [state.sums.slice(), state.counts.slice()]
        : [new Float64Array(context.columns * width), new Float64Array(context.columns)];
      if (!old && state.counts.length > 0) {
        sums.set(state.sums);
        counts.set(state.counts);
      }
      const [rows, labels] = [state.rows.slice(), state.labels.slice()];
      const raw = gather(
        train,
        Uint32Array.from({ length: train.length }, (_, i) => i),
      );
      const rng = context.rng.at("reservoir", context.experience);
      let { seen } = state;
      for (let i = 0; i < train.length; i++) {
        const label = train.labels[i]!;
        counts[label]!++;
        for (let j = 0; j < width; j++) sums[label * width + j]! += features[i * width + j]!;
        const place = seen < capacity ? seen : rng.int(seen + 1);
        seen++;
        if (place >= capacity) continue;
        rows.set(raw.subarray(i * size, (i + 1) * size), place * size);
        labels[place] = label;
      }
      const plain = { sums, counts, rows, labels, seen };
      return { ...state, ...plain, tensors: tensors(plain, context) };
    }

    return {
      tokens: t.onePrediction,
      classes: true,
      init(context): Memory {
        const width = context.network.width.reduce((a, b) => a * b, 1);
        const size = context.network.input.reduce((a, b) => a * b, 1);
        const plain = {
          sums: new Float64Array(context.columns * width),
          counts: new Float64Array(context.columns),
          rows: new Float32Array(capacity * size),
          labels: new Int32Array(capacity),
          seen: 0,
        };
        return { ...plain, tensors: tensors(plain, context), carried: carried(context) };
      },
      forget(state: Memory, columns, context): Memory {
        const width = state.sums.length / state.counts.length;
        const size = state.rows.length / capacity;
        const filled = Math.min(state.seen, capacity);
        const stay = Array.from({ length: filled }, (_, i) => i).filter((i) => !columns.has(state.labels[i]!));
        const [rows, labels] = [new Float32Array(state.rows.length), new Int32Array(capacity)];
        for (const [to, from] of stay.entries()) {
          rows.set(state.rows.subarray(from * size, (from + 1) * size), to * size);
          labels[to] = state.labels[from]!;
        }
        const plain = {
          sums: state.sums.map((sum, i) => (columns.has(Math.floor(i / width)) ? 0 : sum)),
          counts: state.counts.map((count, label) => (columns.has(label) ? 0 : count)),
          rows,
          labels,
          seen: stay.length,
        };
        return { ...state, ...plain, tensors: tensors(plain, context) };
      },
      beforeExperience: (state: Memory, _experience, context): Memory => ({ ...state, carried: carried(context) }),
      afterExperience: (state: Memory, { train }, context): Memory =>
        train.length === 0 ? state : learnt(state, train, context),
      adapting: { batch, reset, shuffle },
      adapt({ tensors, carried: now }: Memory, { weights, x, mask, rng, forward }) {
        const n = x.shape[0]!;
        const { teacher } = t.heldOr(now, { teacher: weights });
        const target = masked(forward(x, { weights: teacher, share: 1 }).logits, mask);
        const drawn = tf.minimum(
          tf.floor(tf.mul(rng.at("source").uniforms([n]), tensors.filled)),
          tf.maximum(tf.sub(tensors.filled, 1), 0),
        );
        const again = tf.cast(drawn, "int32");
        const [rows, labels] = [tf.gather(tensors.x, again), tf.gather(tensors.y, again)];
        const { grads, aux: logits } = valueAndGrad((at: Weights) => {
          const own = forward(x, { weights: at, share: 1 });
          const other = forward(viewOf(x, rng.at("view"), how), { weights: at, share: 1 });
          const z = masked(own.logits, mask);
          const agree = tf.add(t.symmetricTo(target, z), t.symmetricTo(target, masked(other.logits, mask)));
          let loss = tf.mul(tf.mean(agree), 0.5);
          if (contrast > 0)
            loss = tf.add(loss, tf.mul(contrastive(own.features, other.features, tensors, temperature), contrast));
          if (source > 0) {
            const seen = forward(rows, { weights: at, share: 1 });
            const each = crossEntropies(seen.logits, labels);
            loss = tf.add(loss, tf.mul(tf.mean(each), tf.mul(t.as01(tf.greater(tensors.filled, 0)), source)));
          }
          return [loss as tf.Scalar, z] as const;
        }, weights);
        const [next, state] = t.moved(optimizer, grads, now.optimizer, weights, lr);
        const held = { teacher: t.blended(teacher, next, keep) };
        return {
          weights: next,
          carried: { begun: tf.scalar(1), held, optimizer: state },
          logits: tf.add(logits, target),
        };
      },
    };
  },
);

/** Each example, its view and the class mean nearest to it belong together: the supervised contrastive loss of the three. */
function contrastive(
  own: tf.Tensor,
  other: tf.Tensor,
  { means, met }: Memory["tensors"],
  temperature: number,
): tf.Scalar {
  const n = own.shape[0]!;
  const flat = (rows: tf.Tensor): tf.Tensor2D => {
    const matrix = tf.reshape(rows, [rows.shape[0]!, rows.size / rows.shape[0]!]);
    return tf.div(matrix, tf.maximum(tf.norm(matrix, 2, -1, true), 1e-12)) as tf.Tensor2D;
  };
  const [a, b, centres] = [flat(own), flat(other), flat(means)];
  const like = tf.sub(tf.matMul(still(a), centres, false, true), tf.mul(tf.sub(1, met), 1e6));
  const best = t.as01(tf.greaterEqual(like, tf.max(like, 1, true)));
  const nearest = tf.matMul(tf.div(best, tf.sum(best, 1, true)) as tf.Tensor2D, centres);
  const all = tf.concat([nearest, a, b]) as tf.Tensor2D;
  const logits = tf.div(tf.matMul(all, all, false, true), temperature);
  const self = tf.eye(3 * n);
  const partners = tf.sub(tf.tile(tf.eye(n), [3, 3]), self);
  const log = tf.logSoftmax(tf.sub(logits, tf.mul(self, 1e9)));
  return tf.neg(tf.div(tf.sum(tf.mul(partners, log)), 2 * 3 * n)) as tf.Scalar;
}
