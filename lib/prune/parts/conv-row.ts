/** The convolutions of a row of layers, with what stands between them, and convolutions merged into one. */
import { tf } from "../../engine/index.ts";
import { type ConvOptions, conv } from "../../models/layers/conv/conv.ts";
import type { Params } from "../../models/model.ts";
import { type Affine, folded } from "../../models/parts/folded.ts";
import { epsilonOf, type Piece } from "../../models/parts/pieces.ts";

const activations = ["relu", "leakyRelu", "gelu", "silu", "tanh", "sigmoid"];

/** A convolution of a row, with the places of the layers that follow it. */
export interface Link {
  readonly conv: number;
  readonly norm: number | null;
  readonly activation: number | null;
  /** Zeros around the image on each side; null where they are not the same on each, or where windows have gaps: it stays by itself. */
  readonly pad: number | null;
  /** Whether nothing is between it and the convolution before. */
  readonly joined: boolean;
}

type Options = ConvOptions & { readonly filters: number; readonly window: number };
export const optionsOf = ({ layer }: Piece): Options => layer.options as unknown as Options;

/** The convolutions of a row. */
export function linksOf(pieces: readonly Piece[]): readonly Link[] {
  const links: Link[] = [];
  let end = -1;
  for (const [at, piece] of pieces.entries()) {
    if (piece.layer.name !== "conv") continue;
    const norm = pieces[at + 1]?.layer.name === "batchNorm" ? at + 1 : null;
    const next = (norm ?? at) + 1;
    const activation = activations.includes(pieces[next]?.layer.name ?? "") ? next : null;
    links.push({ conv: at, norm, activation, pad: padOf(optionsOf(piece)), joined: end === at });
    end = (activation ?? norm ?? at) + 1;
  }
  return links;
}

function padOf({ window, stride = 1, pad = "same", dilation = 1, standardise = false }: Options): number | null {
  if (dilation > 1 || standardise) return null;
  if (typeof pad === "number") return pad;
  if (pad === "valid") return 0;
  return stride === 1 && window % 2 === 1 ? (window - 1) / 2 : null;
}

/** The zeros that are put around the image at once, before several convolutions that then put none. */
export function paddingOf(pieces: readonly Piece[], links: readonly Link[]): number {
  let [pad, step] = [0, 1];
  for (const link of links) {
    pad += step * link.pad!;
    step *= optionsOf(pieces[link.conv]!).stride ?? 1;
  }
  return pad;
}

/** The window and the step of one convolution in place of several. */
export function windowOf(pieces: readonly Piece[], links: readonly Link[]): { window: number; stride: number } {
  let [window, step] = [1, 1];
  for (const link of links) {
    const own = optionsOf(pieces[link.conv]!);
    window += step * (own.window - 1);
    step *= own.stride ?? 1;
  }
  return { window, stride: step };
}

/** The same convolution with other zeros around. */
export function repadded(piece: Piece, pad: number): Piece {
  const { filters, window, ...rest } = optionsOf(piece);
  return { ...piece, layer: conv(filters, window, { ...rest, pad }) };
}

/** One convolution that gives what several give one after the other, with the normalisations between and behind them, where all zeros are put around before the first. */
export function mergedConv(pieces: readonly Piece[], links: readonly Link[]): Piece {
  let whole = affineOf(pieces, links[0]!);
  let step = optionsOf(pieces[links[0]!.conv]!).stride ?? 1;
  for (const link of links.slice(1)) {
    whole = after(whole, affineOf(pieces, link), step);
    step *= optionsOf(pieces[link.conv]!).stride ?? 1;
  }
  const { window, stride } = windowOf(pieces, links);
  return {
    layer: conv(whole.kernel.shape[3]!, window, { stride, pad: paddingOf(pieces, links) }),
    params: { ...whole },
    statistics: {},
  };
}

/** A convolution of one group with the normalisation behind it. */
function affineOf(pieces: readonly Piece[], { conv: at, norm }: Link): Affine {
  const { groups = 1 } = optionsOf(pieces[at]!);
  const { kernel: own, bias } = pieces[at]!.params as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
  const kernel = groups === 1 ? own : ungrouped(own, groups);
  if (norm === null) return { kernel, bias: bias ?? tf.zeros([kernel.shape[3]!]) };
  const { params, statistics } = pieces[norm]!;
  const { scale, shift } = params as { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
  return folded({ kernel, bias }, { scale, shift, epsilon: epsilonOf(pieces[norm]!) }, statistics as Params as never);
}

/** A kernel that has zeros for the channels of other groups. */
function ungrouped(kernel: tf.Tensor, groups: number): tf.Tensor {
  const channels = kernel.shape[2]!;
  const parts = tf.split(kernel, groups, 3).map((part, i) =>
    tf.pad(part, [
      [0, 0],
      [0, 0],
      [i * channels, (groups - 1 - i) * channels],
      [0, 0],
    ]),
  );
  return tf.concat(parts, 3);
}

/** The kernel of a convolution of step `step` and of another one after it: `K[s u + y] += A[y] B[u]`. */
function after(a: Affine, b: Affine, step: number): Affine {
  const [height, , inputs, middle] = a.kernel.shape as [number, number, number, number];
  const [window, , , units] = b.kernel.shape as [number, number, number, number];
  const rows = tf.reshape(a.kernel, [height * height * inputs, middle]);
  const size = height + step * (window - 1);
  let kernel: tf.Tensor = tf.zeros([size, size, inputs, units]);
  for (let u = 0; u < window; u++)
    for (let v = 0; v < window; v++) {
      const own = tf.reshape(tf.slice(b.kernel, [u, v, 0, 0], [1, 1, middle, units]), [middle, units]);
      const part = tf.reshape(tf.matMul(rows as tf.Tensor2D, own as tf.Tensor2D), [height, height, inputs, units]);
      const [top, left] = [step * u, step * v];
      kernel = tf.add(
        kernel,
        tf.pad(part, [
          [top, size - height - top],
          [left, size - height - left],
          [0, 0],
          [0, 0],
        ]),
      );
    }
  const through = tf.matMul(tf.reshape(a.bias, [1, middle]) as tf.Tensor2D, tf.sum(b.kernel, [0, 1]) as tf.Tensor2D);
  return { kernel, bias: tf.add(tf.reshape(through, [units]), b.bias) };
}
