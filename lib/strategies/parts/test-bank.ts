/** A memory of test examples in which every predicted class has its share. All of it is traced. */
import type { Shape } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { as01 } from "./test-time.ts";

/**
 * Places of a memory: examples, the class each was predicted as, how doubtful that was (0 to 1), for how many examples it has been there, and
 * whether there is one; `counts` has room for a number for each class. A type, not an interface, so that it is a tree of tensors.
 */
export type Bank = {
  readonly x: tf.Tensor;
  readonly label: tf.Tensor;
  readonly doubt: tf.Tensor;
  readonly age: tf.Tensor;
  readonly filled: tf.Tensor;
  readonly counts: tf.Tensor;
};

/** A memory without examples. */
export function emptyBank(capacity: number, input: Shape, columns: number): Bank {
  const zeros = (): tf.Tensor => tf.zeros([capacity]);
  return {
    x: tf.zeros([capacity, ...input]),
    label: zeros(),
    doubt: zeros(),
    age: zeros(),
    filled: zeros(),
    counts: tf.zeros([columns]),
  };
}

/** An example that is offered to a memory. */
export type Offered = { readonly x: tf.Tensor; readonly label: tf.Tensor; readonly doubt: tf.Tensor };

/**
 * Offers one example: it takes a free place, or that of the oldest and most doubtful one, by `age · sigmoid(age / capacity) + uncertainty ·
 * doubt`, of its own class where that has its share, else of the classes with most places; where it is worse itself it is not kept.
 */
export function keptBest(capacity: number, age: number, uncertainty: number) {
  return (bank: Bank, { x, label, doubt }: Offered): readonly [Bank, tf.Tensor] => {
    const columns = bank.counts.size;
    const all = tf.range(0, columns);
    const same = tf.mul(as01(tf.equal(tf.expandDims(bank.label, 1), all)), tf.expandDims(bank.filled, 1)); // [capacity, columns]
    const counts = tf.sum(same, 0);
    const own = as01(tf.equal(all, label));
    const total = tf.sum(bank.filled);
    const share = as01(tf.less(tf.sum(tf.mul(counts, own)), capacity / columns));
    const free = tf.mul(share, as01(tf.less(total, capacity)));
    const most = as01(tf.equal(counts, tf.max(counts)));
    const from = tf.add(tf.mul(share, most), tf.mul(tf.sub(1, share), own));
    const candidates = tf.sum(tf.mul(same, from), 1);
    const scores = tf.add(tf.mul(tf.sigmoid(tf.div(bank.age, capacity)), age), tf.mul(bank.doubt, uncertainty));
    const order = tf.div(tf.range(0, capacity), capacity * 1e6); // of equal ones the last
    const judged = tf.sub(tf.add(scores, order), tf.mul(tf.sub(1, candidates), 1e6));
    const worst = tf.oneHot(tf.cast(tf.argMax(judged, 0), "int32"), capacity);
    const better = as01(
      tf.greater(
        tf.max(tf.sub(scores, tf.mul(tf.sub(1, candidates), 1e6))),
        tf.add(age / 2, tf.mul(doubt, uncertainty)),
      ),
    );
    const empty = tf.oneHot(tf.cast(tf.argMin(bank.filled, 0), "int32"), capacity);
    const place = tf.add(tf.mul(empty, free), tf.mul(worst, tf.mul(tf.sub(1, free), better)));
    const put = (old: tf.Tensor, value: tf.Tensor | number): tf.Tensor =>
      tf.add(tf.mul(old, tf.sub(1, place)), tf.mul(place, value));
    const rows = tf.reshape(place, [capacity, ...x.shape.map(() => 1)]);
    const next: Bank = {
      x: tf.add(tf.mul(bank.x, tf.sub(1, rows)), tf.mul(rows, x)),
      label: put(bank.label, label),
      doubt: put(bank.doubt, doubt),
      age: tf.add(put(bank.age, 0), 1),
      filled: tf.maximum(bank.filled, place),
      counts: bank.counts,
    };
    return [next, doubt];
  };
}
