/** Images of a step brought to another size: one linear map for their rows and one for their columns. */
import { tf } from "../../engine/index.ts";
import type { Network } from "../../models/network.ts";
import type { Batching, Shrink } from "../../optim/batching.ts";
import type { Moment } from "../../optim/optimizer.ts";

/** A map of `from` places to `to`. */
interface Axis extends Shrink {
  readonly from: number;
  readonly to: number;
}

/** The size that images are brought to: a map of their rows, and one of their columns. */
export interface Resolution {
  readonly rows: Axis;
  readonly columns: Axis;
}

/** A resolution as tensors. A type, so that it is a tree. */
export type Maps = {
  readonly rows: tf.Tensor2D;
  readonly columns: tf.Tensor2D;
  readonly turned?: { readonly rows: tf.Tensor2D; readonly columns: tf.Tensor2D };
};

/** Means over areas, as far as possible of one size: place `i` is the mean of `⌊i·from/to⌋` to `⌈(i+1)·from/to⌉`, not included. */
export function areas(from: number, to: number): Shrink {
  const real = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const [first, last] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)];
    for (let j = first; j < last; j++) real[i * from + j] = 1 / (last - first);
  }
  return { real };
}

/**
 * The sizes that a part of the plan wants images to have, for moments of a run; undefined where they have it.
 *
 * @throws RangeError when the model does not take images of that size.
 */
export function resolutions(
  { spec, plan }: Batching,
  network: Network,
): (moment: Required<Moment>, state: object | undefined) => Resolution | undefined {
  const [height, width, channels] = network.input as [number, number, number];
  const longer = Math.max(height, width);
  const shrink = plan.shrink ?? areas;
  const known = new Map<number, Resolution>();
  const made = (side: number): Resolution => {
    const axis = (from: number): Axis => {
      const to = Math.max(1, Math.round((side * from) / longer));
      return { ...shrink(from, to), from, to };
    };
    const resolution = { rows: axis(height), columns: axis(width) };
    requireSize(spec.name, network, [resolution.rows.to, resolution.columns.to, channels]);
    return resolution;
  };
  return (moment, state) => {
    const side = plan.side!(moment, longer, state);
    if (!Number.isSafeInteger(side) || side < 1)
      throw new RangeError(`${spec.name}: side must be a whole number of at least 1, got ${side}`);
    if (side === longer) return undefined;
    const found = known.get(side) ?? made(side);
    known.set(side, found);
    return found;
  };
}

/** Throws unless the model has the same parameters and features for images of another shape. */
function requireSize(name: string, { model, input, width }: Network, shape: readonly number[]): void {
  const form = (of: readonly number[]): string => JSON.stringify(model.summary(of).map(({ parameters }) => parameters));
  try {
    if (String(model.features(shape)) === String(width) && form(shape) === form(input)) return;
  } catch {
    // It takes no images of this shape at all.
  }
  throw new RangeError(
    `${name}: a model that takes images of several sizes is required, got ${model.spec.name}, which is another for images of shape [${shape}] than for [${input}]; end it with pooling over the whole image`,
  );
}

/** The maps of a resolution as tensors, which are the caller's. */
export function mapsOf({ rows, columns }: Resolution): Maps {
  const tensor = ({ from, to }: Axis, numbers: Float32Array): tf.Tensor2D => tf.tensor2d(numbers, [to, from]);
  const plain = { rows: tensor(rows, rows.real), columns: tensor(columns, columns.real) };
  if (rows.imaginary === undefined && columns.imaginary === undefined) return plain;
  const zeros = ({ from, to }: Axis): Float32Array => new Float32Array(from * to);
  return {
    ...plain,
    turned: {
      rows: tensor(rows, rows.imaginary ?? zeros(rows)),
      columns: tensor(columns, columns.imaginary ?? zeros(columns)),
    },
  };
}

/** Images `[n, height, width, channels]` at another size: `R x Cᵀ` in each channel; of complex maps the real part of it. */
export function resized(x: tf.Tensor, { rows, columns, turned }: Maps): tf.Tensor {
  const plain = mapped(x, rows, columns);
  return turned === undefined ? plain : tf.sub(plain, mapped(x, turned.rows, turned.columns));
}

function mapped(x: tf.Tensor, rows: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor {
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  const [tall, wide] = [rows.shape[0], columns.shape[0]];
  const last = tf.reshape(tf.transpose(x, [0, 2, 3, 1]), [n * width * channels, height]);
  const down = tf.reshape(tf.matMul(last as tf.Tensor2D, rows, false, true), [n, width, channels, tall]);
  const turned = tf.reshape(tf.transpose(down, [0, 3, 2, 1]), [n * tall * channels, width]);
  const across = tf.reshape(tf.matMul(turned as tf.Tensor2D, columns, false, true), [n, tall, channels, wide]);
  return tf.transpose(across, [0, 1, 3, 2]);
}
