import type { Examples } from "../data/dataset.ts";
import { needShare, needWhole } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import { product, solveSymmetric, transposed } from "../engine/linear-algebra.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Merged, type MergeOptions, mergedBy, type Vector } from "./merging.ts";
import { logitsOf, requireTables, rowsOf, someOf } from "./parts/data.ts";
import { part, plus, sumOf } from "./parts/vectors.ts";

/** What `regmean` can be told. */
export interface RegmeanOptions extends MergeOptions {
  /** Examples of each table that a layer's inputs are measured on, at most; default 256. */
  readonly samples?: number;
  /** What the inputs' products with each other are multiplied by, beside those with themselves; default 0.9. */
  readonly scale?: number;
}

/** What is added to the diagonal, so that inputs that are always 0 have a solution: the mean. */
const ridge = 1e-6;

/**
 * RegMean: each layer's kernel becomes the one whose answers are nearest to those of every network for its own inputs:
 * `W = (Σ Gᵢ)⁻¹ Σ Gᵢ Wᵢ` with the Gram matrices G of the layers' inputs. All other tensors are the mean.
 *
 * Convolutions are products of windows. Labels are not used.
 *
 * Jin et al. 2022, arXiv:2212.09849, eq. 2 and section 3.3.
 * Differs from the paper: 1e-6 is added to the diagonals, so that inputs that are always 0 do no harm.
 *
 * @throws RangeError unless there is a table with examples for each network.
 *
 * @example
 * ```ts
 * import { blobs, merge, mlp, network, random, trained } from "thalweg";
 * const data = blobs({ classes: 2, dimensions: 3 });
 * const made = (seed: number) =>
 *   trained({ model: mlp({ hidden: [4] }), input: [3], weights: network(mlp({ hidden: [4] }), [3]).init(random(seed), 2) });
 * merge.regmean([made(0), made(1)], [data.train, data.train]).report.left; // 0
 * ```
 */
export function regmean(
  networks: readonly TrainedNetwork[],
  tables: readonly Examples[],
  options: RegmeanOptions = {},
): Merged {
  const { samples = 256, scale = 0.9, ...given } = options;
  needWhole("merge.regmean", "samples", samples);
  needShare("merge.regmean", "scale", scale);
  requireTables("regmean", networks, tables);
  return mergedBy("regmean", { samples, scale }, networks, given, { needsBase: false }, (vectors, places, base) => {
    const grams = networks.map((network, i) => gramsOf(network, tables[i]!, samples, scale));
    const share = networks.map(() => 1 / networks.length);
    const own = base === null ? vectors : vectors.map((vector) => plus(vector, base));
    const merged = sumOf(own, share);
    for (const place of places) {
      const layer = place.path.replace(/\/kernel$/, "");
      const of = grams.map((each) => each.get(layer));
      const rows = place.size / place.shape.at(-1)!;
      if (layer === place.path || of.some((gram) => gram?.length !== rows * rows)) continue;
      const columns = place.shape.at(-1)!;
      const wanted = sumOf(own.map((v, k) => product(of[k]!, part(v, place), rows, rows, columns)));
      merged.set(solveSymmetric(sumOf(of as Vector[]), wanted, rows, columns), place.from);
    }
    return base === null ? merged : plus(merged, base, -1);
  });
}

/** The Gram matrix of the inputs of every layer with a kernel, by the layer's path. */
function gramsOf(
  { structure, weights, statistics }: TrainedNetwork,
  table: Examples,
  samples: number,
  scale: number,
): Map<string, Vector> {
  const grams = new Map<string, Vector>();
  const x = rowsOf(table, someOf(table, samples));
  tf.tidy(() => {
    logitsOf(structure, weights, statistics, x, (path, _input, output, rows) => {
      const seen = rows();
      const width = seen.shape.at(-1)!;
      const values = seen.dataSync();
      const count = values.length / width;
      const gram = product(transposed(values, count, width), values, width, count, width);
      for (let i = 0; i < gram.length; i++) {
        const diagonal = i % (width + 1) === 0;
        gram[i] = (gram[i]! / count) * (diagonal ? 1 : scale) + (diagonal ? ridge : 0);
      }
      grams.set(path.join("/"), gram);
      return output;
    });
  });
  x.dispose();
  return grams;
}
