/** Numbers that the network gave for each example of a memory, kept beside it on the device, so that steps need not come back to the host. */
import { scoped, tf } from "../../engine/index.ts";
import type { HostTensor } from "../strategy.ts";

/** `[capacity, width]`, or `[capacity, places, width]`: a row for each place of a memory. A type, not an interface, so that it is a tree of tensors. */
export type Records = { readonly values: tf.Tensor };

/** Empty records. */
export function emptyRecords(capacity: number, width: number, places?: number): Records {
  return { values: tf.zeros(places === undefined ? [capacity, width] : [capacity, places, width]) };
}

/** The same records with room for more columns; gives them back as they are when they have enough. */
export function widenedRecords(records: Records, width: number): Records {
  const missing = width - records.values.shape.at(-1)!;
  return missing === 0
    ? records
    : {
        values: tf.pad(
          records.values,
          records.values.shape.map((_, axis, { length }) => [0, axis === length - 1 ? missing : 0]),
        ),
      };
}

/** The records after their memory's rows have moved: the `i`-th is what was at `stay[i]`, the others are 0. */
export function movedRecords({ values }: Records, stay: Uint32Array): Records {
  if (stay.length === 0) return { values: tf.zerosLike(values) };
  return scoped(() => {
    const rows = tf.gather(values, tf.tensor1d(Int32Array.from(stay), "int32"));
    return {
      values: tf.pad(
        rows,
        values.shape.map((size, axis) => [0, axis === 0 ? size - stay.length : 0]),
      ),
    };
  });
}

/** Places as an input of a step; −1, for a row that is not kept, becomes a place behind the last. */
export function placesInput(places: ArrayLike<number>, capacity: number): HostTensor {
  return { data: Int32Array.from(places, (p) => (p < 0 ? capacity : p)), shape: [places.length] };
}

/** *Traced.* The records with the rows of `values` written to their places. */
export function written({ values: old }: Records, places: tf.Tensor, values: tf.Tensor): Records {
  const capacity = old.shape[0]!;
  const onto = tf.cast(tf.equal(tf.expandDims(tf.cast(places, "float32"), 1), tf.range(0, capacity)), "float32");
  const kept = tf.sub(1, tf.sum(onto, 0));
  const flat = tf.reshape(values, [values.shape[0]!, old.size / capacity]) as tf.Tensor2D;
  const fresh = tf.reshape(tf.matMul(onto as tf.Tensor2D, flat, true, false), old.shape);
  return { values: tf.add(tf.mul(old, tf.reshape(kept, [capacity, ...old.shape.slice(1).map(() => 1)])), fresh) };
}

/** *Traced.* The records at some places. */
export function read({ values }: Records, places: tf.Tensor): tf.Tensor {
  return tf.gather(values, tf.cast(places, "int32"));
}
