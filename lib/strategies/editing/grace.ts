import { select } from "../../data/dataset.ts";
import { changesOf, keysOf, lastOf, siteOf, withLast } from "../../edit/parts/facts.ts";
import { tf } from "../../engine/index.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** `[capacity, inputs]`, `[capacity, units]`, `[capacity]`: the codebook; a radius below 0 is a free place. */
  readonly tensors: { readonly keys: tf.Tensor; readonly values: tf.Tensor; readonly radii: tf.Tensor };
  readonly book: {
    readonly keys: Float32Array;
    readonly values: Float32Array;
    readonly radii: Float32Array;
    readonly labels: Int32Array;
    readonly size: number;
  };
}

/**
 * GRACE: the network stays as it is, and beside one layer grows a codebook: where what comes in is within a key's radius, the layer gives the
 * key's value.
 *
 * A fact that is answered wrongly gets a key, with the value that makes the answer right. Near a key with the same answer the key's radius
 * grows to cover it; near one with another answer both radii shrink to half the distance. The first `trained` experiences are trained as ever.
 *
 * Implements: P249 GRACE lifelong editing
 *
 * Hartvigsen et al. 2022, arXiv:2211.11031, section 3 and algorithm 1.
 * Differs from the paper: keys are looked up at the last place only; a full codebook takes no more.
 *
 * @example
 * ```ts
 * import { adam, edits, grace, net } from "thalweg";
 * const study = edits(5, { subjects: 10 }).learn(net().embedding(14, 16).transformer(2).last()).with(adam({ lr: 0.01 }));
 * study.by(grace({ radius: 0.5 })).name; // "grace"
 * ```
 */
export const grace = strategy(
  "grace",
  {
    /** The layer that the codebook stands beside, by its path in the model; the last one with a kernel where it is "". */
    layer: "",
    /** The radius of a new key. */
    radius: 1,
    /** Keys at most. */
    capacity: 1000,
    /** Steps of Adam that look for a value, and their rate. */
    steps: 100,
    lr: 0.1,
    /** Experiences that are trained. */
    trained: 1,
  },
  ({ layer, radius, capacity, steps, lr, trained }) => {
    requireNumber("grace", "radius", radius, 0);
    for (const [name, value] of Object.entries({ capacity, steps, trained })) requireWhole("grace", name, value, 1);
    requireNumber("grace", "lr", lr, 0);
    const tensorsOf = ({ keys, values, radii }: Memory["book"]): Memory["tensors"] => ({
      keys: tf.tensor2d(keys.slice(), [capacity, keys.length / capacity]),
      values: tf.tensor2d(values.slice(), [capacity, values.length / capacity]),
      radii: tf.tensor1d(radii.slice()),
    });
    return {
      tokens: "it edits one answer for each example",
      classes: true,
      rowwise: true,
      init({ network, weights }): Memory {
        const { inputs, units } = siteOf("grace", { structure: network, weights }, layer);
        const book = {
          keys: new Float32Array(capacity * inputs),
          values: new Float32Array(capacity * units),
          radii: new Float32Array(capacity).fill(-1),
          labels: new Int32Array(capacity),
          size: 0,
        };
        return { book, tensors: tensorsOf(book) };
      },
      data: (_state: Memory, { index, train }) => (index < trained ? train : select(train, new Uint32Array(0))),
      beforeExperience(state: Memory, { index, train }, context): Memory {
        if (index < trained || train.length === 0) return state;
        const { network: structure, weights, statistics } = context;
        const subject = { structure, weights, statistics };
        const site = siteOf("grace", subject, layer);
        const { keys, outputs } = keysOf(subject, weights, train, site);
        const answers = answered(context.outputs(train).logits, train.length);
        const book = {
          ...state.book,
          keys: state.book.keys.slice(),
          values: state.book.values.slice(),
          radii: state.book.radii.slice(),
          labels: state.book.labels.slice(),
        };
        let { size } = book;
        for (let i = 0; i < train.length; i++) {
          const label = train.labels[i]!;
          if (answers[i] === label) continue;
          const key = keys.subarray(i * site.inputs, (i + 1) * site.inputs);
          const [near, distance] = nearest(book.keys, size, key);
          const close = near >= 0 && distance <= radius + book.radii[near]!;
          if (close && book.labels[near] === label) {
            book.radii[near] = Math.max(book.radii[near]!, distance);
            continue;
          }
          if (size >= capacity) break;
          const change = changesOf(subject, weights, select(train, Uint32Array.of(i)), site, {
            steps,
            lr,
            decay: 0,
            clamp: 100,
            until: 0.95,
          });
          book.keys.set(key, size * site.inputs);
          book.values.set(
            change.map((c, j) => c + outputs[i * site.units + j]!),
            size * site.units,
          );
          book.labels[size] = label;
          book.radii[size] = close ? distance / 2 : radius;
          if (close) book.radii[near] = distance / 2 - 1e-5;
          size++;
        }
        const next = { ...book, size };
        return { book: next, tensors: tensorsOf(next) };
      },
      forward({ tensors: { keys, values, radii } }: Memory, { network, weights, x, training, plain }) {
        if (training) return plain(); // nothing is written before training is over
        const { path: wanted } = siteOf("grace", { structure: network, weights }, layer);
        return plain({
          tap(path, _input, output, rows) {
            if (path.join("/") !== wanted) return output;
            const query = lastOf(rows(), x.shape[0]!);
            const own = lastOf(output, x.shape[0]!);
            const squares = tf.sub(
              tf.add(tf.sum(tf.square(query), 1, true), tf.reshape(tf.sum(tf.square(keys), 1), [1, capacity])),
              tf.mul(tf.matMul(query, keys as tf.Tensor2D, false, true), 2),
            );
            const far = tf.add(squares, tf.mul(tf.cast(tf.less(radii, 0), "float32"), 1e12));
            const at = tf.cast(tf.argMin(far, 1), "int32");
            const within = tf.cast(
              tf.lessEqual(tf.min(far, 1), tf.square(tf.add(tf.gather(radii, at), 1e-4))),
              "float32",
            );
            const there = tf.expandDims(
              tf.mul(within, tf.cast(tf.greaterEqual(tf.gather(radii, at), 0), "float32")),
              1,
            );
            return withLast(output, tf.add(own, tf.mul(there, tf.sub(tf.gather(values, at), own))));
          },
        });
      },
    };
  },
);

/** The column with the greatest logit of each row. */
function answered(logits: Float32Array, n: number): number[] {
  const columns = logits.length / n;
  return Array.from({ length: n }, (_, i) => {
    const row = logits.subarray(i * columns, (i + 1) * columns);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY));
  });
}

/** The nearest of some keys, and its distance; −1 where there is none. */
function nearest(keys: Float32Array, size: number, key: Float64Array): readonly [at: number, distance: number] {
  let [at, least] = [-1, Number.POSITIVE_INFINITY];
  for (let k = 0; k < size; k++) {
    let sum = 0;
    for (let j = 0; j < key.length; j++) sum += (keys[k * key.length + j]! - key[j]!) ** 2;
    if (sum < least) [at, least] = [k, sum];
  }
  return [at, Math.sqrt(least)];
}
