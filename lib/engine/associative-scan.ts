/** Recurrences in parallel: prefixes of an operation that is associative, in a number of steps that grows with the logarithm of their length. */
import * as tf from "@tensorflow/tfjs-core";
import { leaves, type Tree, unflatten } from "./tree.ts";

/** Settings of `associativeScan` and `linearScan`. */
export interface PrefixOptions {
  /** The axis of the places. Default 1, behind that of the examples. */
  readonly axis?: number;
  /** Whether the places are met from the last to the first; what they give stays in their order. Default false. */
  readonly reverse?: boolean;
}

/** How many places are gone through one after the other before a sequence is cut into chunks. */
const longest = 24;

/** Sizes of equal chunks: the divisor of a length that is nearest to 12, or 16 with places to be added at the end. */
export function chunkOf(length: number): number {
  if (length <= longest) return length;
  const far = (size: number): number => Math.abs(Math.log(size / 12));
  const sizes = Array.from({ length: 17 }, (_, i) => i + 8).filter((size) => length % size === 0);
  return sizes.length === 0 ? 16 : sizes.reduce((best, size) => (far(size) < far(best) ? size : best));
}

/** `x` with `length` places of an axis from `from` on. */
export function placesOf(x: tf.Tensor, axis: number, from: number, length: number): tf.Tensor {
  if (from === 0 && length === x.shape[axis]) return x;
  const begin = x.shape.map((_, i) => (i === axis ? from : 0));
  return tf.slice(
    x,
    begin,
    x.shape.map((dim, i) => (i === axis ? length : dim)),
  );
}

/** `x` whose axis of places is cut into chunks: `[…, chunks, size, …]`. */
export function inChunks(x: tf.Tensor, axis: number, size: number): tf.Tensor {
  const { shape } = x;
  return tf.reshape(x, [...shape.slice(0, axis), shape[axis]! / size, size, ...shape.slice(axis + 1)]);
}

/** The axis counted from the front, which must be there. */
export function axisOf(name: string, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!(at >= 0 && at < rank)) throw new RangeError(`${name}: an axis of ${rank} is required, got ${axis}`);
  return at;
}

/**
 * All prefixes of an associative operation along an axis: `y₁ = x₁`, `yₜ = combine(yₜ₋₁, xₜ)`.
 *
 * `elements` is a tensor, or a tree of tensors that share their length of the axis; `combine(left, right)` gets two such trees, of several places at
 * once, and gives the like, place by place. It must be associative and keep shapes. The sequence is cut into chunks that are gone through side by side,
 * their ends are scanned in the same way, and the chunks once more from where the one before ended: `combine` is done about twice for every place, in
 * some dozens of operations for a thousand. Gradients are those of the operations. For `h ← a h + b` use `linearScan`, which is faster.
 *
 * Blelloch 1990, "Prefix sums and their applications", with chunks of about 12 places in the place of pairs.
 *
 * @example
 * ```ts
 * import { associativeScan, tf } from "thalweg";
 * const maxima = associativeScan((a: tf.Tensor, b: tf.Tensor) => tf.maximum(a, b), tf.tensor1d([1, 3, 2, 5]), { axis: 0 });
 * [...maxima.dataSync()]; // [1, 3, 3, 5]
 * ```
 *
 * @throws RangeError when the tensors have different lengths, or none.
 */
export function associativeScan<T>(
  combine: (left: T, right: T) => T,
  elements: T,
  { axis = 1, reverse = false }: PrefixOptions = {},
): T {
  const parts = leaves(elements as Tree);
  const axes = parts.map(({ shape }) => axisOf("associativeScan", axis, shape.length));
  const lengths = parts.map(({ shape }, i) => shape[axes[i]!]!);
  if (lengths.length === 0 || lengths.some((length) => length !== lengths[0] || length === 0))
    throw new RangeError(
      `associativeScan: tensors with one length of at least 1 on axis ${axis} are required, got [${lengths}]`,
    );
  const both = (left: Parts, right: Parts): Parts => {
    const made = leaves(combine(unflatten(elements, left) as T, unflatten(elements, right) as T) as Tree);
    made.forEach(({ shape }, i) => {
      if (String(shape) !== String(right[i]?.shape))
        throw new TypeError(
          `associativeScan: an operation that keeps shapes is required, got [${right[i]?.shape}] and then [${shape}]`,
        );
    });
    return made;
  };
  if (lengths[0] === 1) return elements;
  const turned = (all: Parts): Parts => (reverse ? all.map((one, i) => tf.reverse(one, axes[i]!)) : all);
  return unflatten(elements, turned(prefixes(both, turned(parts), axes))) as T;
}

type Parts = readonly tf.Tensor[];

/** The prefixes of a list of tensors, each with its axis. */
function prefixes(both: (left: Parts, right: Parts) => Parts, elements: Parts, axes: readonly number[]): Parts {
  const length = elements[0]!.shape[axes[0]!]!;
  const size = chunkOf(length);
  const whole = Math.ceil(length / size) * size;
  const each = (fn: (one: tf.Tensor, axis: number, i: number) => tf.Tensor, of: Parts): Parts =>
    of.map((one, i) => fn(one, axes[i]!, i));
  // Whatever stands at the end changes nothing before it.
  const filled = each(
    (one, axis) =>
      whole === length ? one : tf.concat([one, placesOf(one, axis, 2 * length - whole, whole - length)], axis),
    elements,
  );
  const count = whole / size;
  const slices = filled.map((one, i) => {
    const shape = one.shape.map((dim, at) => (at === axes[i] ? count : dim));
    return tf.split(inChunks(one, axes[i]!, size), size, axes[i]! + 1).map((slice) => tf.reshape(slice, shape));
  });
  const at = (k: number): Parts => slices.map((of) => of[k]!);
  const local = [at(0)];
  for (let k = 1; k < size; k++) local.push(both(local[k - 1]!, at(k)));
  const all = count === 1 ? local : carriedOn();
  return elements.map(({ shape }, i) => {
    const axis = axes[i]!;
    const stacked = tf.stack(
      all.map((parts) => parts[i]!),
      axis + 1,
    );
    const flat = tf.reshape(stacked, [...shape.slice(0, axis), whole, ...shape.slice(axis + 1)]);
    return placesOf(flat, axis, 0, length);
  });

  /** The first chunk as it was alone, the others from where the one before ended. */
  function carriedOn(): Parts[] {
    const ends = prefixes(both, local[size - 1]!, axes);
    const later = (parts: Parts): Parts => each((one, axis) => placesOf(one, axis, 1, count - 1), parts);
    let state = each((one, axis) => placesOf(one, axis, 0, count - 1), ends);
    return local.map((own, k) => {
      state = k === size - 1 ? later(ends) : both(state, later(at(k)));
      return each((one, axis, i) => tf.concat([placesOf(one, axis, 0, 1), state[i]!], axis), own);
    });
  }
}
