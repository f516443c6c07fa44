import { type Examples, gather } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import { product, solveSymmetric, transposed } from "../engine/linear-algebra.ts";
import { dense } from "../models/layers/basic/dense.ts";
import { tape } from "../models/model.ts";
import { blocksIn, networkOf, type Piece, piecesOf, sizesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** Where `stitch` leaves the one network and enters the other. */
export interface StitchOptions {
  /** How many of the first network's blocks come first, at least one. */
  readonly after: number;
  /** The number of the second network's block that goes on. */
  readonly from: number;
  /** Examples that are looked at, at most; default 128. */
  readonly samples?: number;
}

/**
 * Two transformers made one: the first blocks of the one, a linear map, the last blocks and the head of the other.
 *
 * The map begins as the least-squares one between what the two have at the seam, for some examples, and is trained with the rest. Of a few small networks that were
 * taught by one large one (`distil`), networks of many sizes are made this way.
 *
 * Implements: P389 Learngene Pool
 * Shi et al. 2023, "Building variable-sized models via learngene pool", arXiv:2312.05743, section 3; the beginning of the map is that of Pan et al. 2023 (SN-Net),
 * arXiv:2302.06586, section 3.2.
 * Differs from the paper: maps are not trained while the small networks are taught, only afterwards.
 *
 * @throws RangeError for blocks that there are not, or an empty table; TypeError for networks of examples of other shapes.
 *
 * @example
 * ```ts
 * import { expand, network, random, table, trained, vit } from "thalweg";
 * const made = (width: number) => {
 *   const model = vit({ patch: 4, width, depth: 2, heads: 2 });
 *   return trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(width), 3) });
 * };
 * const rows = table(new Float32Array(640).map((_, i) => Math.sin(i)), new Int32Array(10), [8, 8, 1], 1);
 * const { network: both } = expand.stitch(made(8), made(16), rows, { after: 1, from: 1 });
 * both.model.stack?.map(({ name }) => name).slice(4, 7); // ["transformer", "dense", "transformer"]
 * ```
 */
export function stitch(
  first: TrainedNetwork,
  second: TrainedNetwork,
  data: Examples,
  { after, from, samples = 128 }: StitchOptions,
): Expanded {
  needWhole("expand.stitch", "after", after);
  needWhole("expand.stitch", "from", from, 0);
  needWhole("expand.stitch", "samples", samples);
  if (data.length === 0) throw new RangeError("expand.stitch: at least one example is required, got an empty table");
  if (String(first.input) !== String(second.input))
    throw new TypeError(
      `expand.stitch: networks of examples of one shape are required, got [${first.input}] and [${second.input}]`,
    );
  return tidied(() => {
    const [a, b] = [first, second].map((network) => piecesOf("expand.stitch", network)) as [Piece[], Piece[]];
    const [before, behind] = [a, b].map((pieces) => blocksIn("expand.stitch", pieces)) as [number[], number[]];
    if (after > before.length || from >= behind.length)
      throw new RangeError(
        `expand.stitch: at most ${before.length} blocks and one from 0 to ${behind.length - 1} are required, got ${after} and ${from}`,
      );
    const [end, start] = [before[after - 1]! + 1, behind[from]!];
    const at = Uint32Array.from({ length: Math.min(samples, data.length) }, (_, i) => i);
    const x = tf.tensor(gather(data, at), [at.length, ...data.shape]);
    const [given, wanted] = [through(a.slice(0, end), x), through(b.slice(0, start), x)];
    const [inputs, units] = [sizesOf(a[before[0]!]!).width, sizesOf(b[behind[0]!]!).width];
    if (given.size / inputs !== wanted.size / units)
      throw new TypeError("expand.stitch: as many places at the seam are required, got other numbers of them");
    const map: Piece = { layer: dense(units), params: leastSquares(given, wanted), statistics: {} };
    const made = networkOf(second, [...a.slice(0, end), map, ...b.slice(start)]);
    return expanded("stitch", { after, from, samples }, second, made);
  });
}

/** What layers in a row make of something in evaluation mode. */
function through(pieces: readonly Piece[], x: tf.Tensor): tf.Tensor {
  return pieces.reduce(
    (now, { layer, params, statistics }) => layer.apply(now, params, tape(false, null, statistics).mode),
    x,
  );
}

/** The kernel and bias that bring rows nearest to others. */
function leastSquares(given: tf.Tensor, wanted: tf.Tensor): { kernel: tf.Tensor; bias: tf.Tensor } {
  const [inputs, units] = [given.shape.at(-1)! + 1, wanted.shape.at(-1)!];
  const n = wanted.size / units;
  const rows = tf.concat([tf.reshape(given, [n, inputs - 1]), tf.ones([n, 1])], 1).dataSync();
  const turned = transposed(rows, n, inputs);
  const left = product(turned, rows, inputs, n, inputs);
  let trace = 0;
  for (let i = 0; i < inputs; i++) trace += left[i * inputs + i]!;
  for (let i = 0; i < inputs; i++) left[i * inputs + i]! += (1e-6 * trace) / inputs;
  const found = solveSymmetric(left, product(turned, wanted.dataSync(), inputs, n, units), inputs, units);
  const all = tf.tensor2d(Float32Array.from(found), [inputs, units]);
  return {
    kernel: tf.slice(all, [0, 0], [inputs - 1, units]),
    bias: tf.reshape(tf.slice(all, [inputs - 1, 0], [1, units]), [units]),
  };
}
