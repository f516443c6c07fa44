import { type Examples, gather } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import { tape } from "../models/model.ts";
import { blocksIn, networkOf, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";

/** What `dependencies` can be told. */
export interface DependencyOptions {
  /** Examples that are looked at, at most; default 128. */
  readonly samples?: number;
}

/**
 * How much each block of a transformer depends on each block before it: row i, column j is the mean over places of `1 − cos` between what block j adds
 * and what it adds when block i is left out; 0 where j does not come after i.
 *
 * Blocks that depend little on one another can run side by side: `fuse`, `reorder`.
 *
 * Bercovich et al. 2025, arXiv:2503.18908, section 5, equation 5 (block-wise dependency).
 *
 * @throws RangeError for an empty table.
 *
 * @example
 * ```ts
 * import { expand, network, random, table, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
 * const two = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const rows = table(new Float32Array(128).map((_, i) => i % 7), new Int32Array(2), [8, 8, 1], 1);
 * expand.dependencies(two, rows).map((row) => row.map(Math.sign)); // [[0, 1], [0, 0]]
 * ```
 */
export function dependencies(
  network: TrainedNetwork,
  examples: Examples,
  { samples = 128 }: DependencyOptions = {},
): readonly (readonly number[])[] {
  needWhole("expand.dependencies", "samples", samples);
  if (examples.length === 0)
    throw new RangeError("expand.dependencies: at least one example is required, got an empty table");
  return tidied(() => {
    const pieces = piecesOf("expand.dependencies", network);
    const blocks = blocksIn("expand.dependencies", pieces).map((at) => `${at + 1}-transformer`);
    const flat = networkOf(network, pieces);
    const at = Uint32Array.from({ length: Math.min(samples, examples.length) }, (_, i) => i);
    const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
    /** What each block adds when one is left out. */
    const added = (without: string | null): ReadonlyMap<string, tf.Tensor> => {
      const found = new Map<string, tf.Tensor>();
      const around = (path: readonly string[], given: tf.Tensor, run: (x: tf.Tensor) => tf.Tensor): tf.Tensor => {
        const name = path.at(-1)!;
        if (!blocks.includes(name)) return run(given);
        if (name === without) return given;
        const out = run(given);
        found.set(name, tf.sub(out, given));
        return out;
      };
      flat.structure.features(flat.weights, x, tape(false, null, flat.statistics, { around }).mode);
      return found;
    };
    const whole = added(null);
    const matrix = blocks.map((i, row) => {
      const less = added(i);
      return blocks.map((j, column) => (column <= row ? 0 : 1 - cosine(whole.get(j)!, less.get(j)!)));
    });
    flat.dispose();
    return matrix;
  });
}

/** The mean cosine over places. */
function cosine(a: tf.Tensor, b: tf.Tensor): number {
  const length = (of: tf.Tensor): tf.Tensor => tf.sqrt(tf.add(tf.sum(tf.square(of), -1), 1e-12));
  return tf.mean(tf.div(tf.sum(tf.mul(a, b), -1), tf.mul(length(a), length(b)))).dataSync()[0]!;
}
