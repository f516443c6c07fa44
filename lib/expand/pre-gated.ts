import type { Examples } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import { random, tf } from "../engine/index.ts";
import type { TransformerOptions } from "../models/layers/attention/transformer.ts";
import { gatedUnits } from "../models/layers/moe/gated-units.ts";
import { preGate } from "../models/layers/moe/pre-gate.ts";
import type { ExpertForm } from "../models/parts/experts.ts";
import { type Matrix, rowsInto, sampleOf } from "../models/parts/kernel-layers.ts";
import { blocksIn, networkOf, type Piece, piecesOf, sizesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { denseOf, halves } from "./parts/halves.ts";

/** How `preGated` makes experts. */
export interface PreGatedOptions {
  /** The share of a block's inner units that each expert has; default 0.5. */
  readonly remain?: number;
  /** Heads of the router's block; default 1. */
  readonly heads?: number;
  /** Weight of the loss by which the router learns; default 1. */
  readonly distil?: number;
  /** Examples of each domain that are looked at, at most; default 256. */
  readonly samples?: number;
  /** Draws the router; default 0. */
  readonly seed?: number;
}

/**
 * Makes a trained transformer into a smaller mixture of experts, one for each domain: of the inner units of each block an expert has those that are largest on the
 * domain's examples. One router before the first block says for each place which expert it goes to, in all blocks.
 *
 * `domains` are tables of examples, at least two. Units are ranked by the mean of their size; units of all experts are shared. The router is drawn: train it first,
 * `from(made, { head: "keep" }).trainOnly("*preGate")`, and then the rest, `.freeze("*preGate")`. See `gatedUnits` for what it learns from. The numbers of no
 * unit are changed; units that no expert has are dropped.
 *
 * Implements: P030 Read-ME
 * Cai et al. 2024, "Read-ME: refactorizing LLMs as router-decoupled mixture of experts with system co-design", arXiv:2410.19123, and its program (masks of experts, the
 * router's loss).
 * Differs from the paper: the router reads the vectors that come into the first block, where the program has an embedding of its own, and is one block of attention;
 * units are multiplied by 0, so that nothing is faster; batching and caching by experts are left out.
 *
 * @throws RangeError for fewer than two domains, or a share that leaves an expert no unit; TypeError for blocks that are not like those of `vit` and `gpt`.
 *
 * @example
 * ```ts
 * import { expand, network, random, table, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 1, heads: 2 });
 * const made = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const rows = (by: number) => table(new Float32Array(128).map((_, i) => (i * by) % 7), new Int32Array(2), [8, 8, 1], 1);
 * const { network: small } = expand.preGated(made, [rows(1), rows(3)]);
 * small.model.stack!.some(({ name }) => name === "preGate"); // true
 * ```
 */
export function preGated(
  network: TrainedNetwork,
  domains: readonly Examples[],
  options: PreGatedOptions = {},
): Expanded {
  const where = "expand.preGated";
  const { remain = 0.5, heads = 1, distil = 1, samples = 256, seed = 0 } = options;
  needWhole(where, "samples", samples);
  if (domains.length < 2 || domains.some(({ length }) => length === 0))
    throw new RangeError(
      `${where}: two tables of examples are required at least, got ${domains.length} of ${domains.map(({ length }) => length).join(", ")} examples`,
    );
  if (!(remain > 0 && remain <= 1))
    throw new RangeError(`${where}: a share remain above 0 and at most 1 is required, got ${remain}`);
  return tidied(() => {
    const pieces = piecesOf(where, network);
    const blocks = blocksIn(where, pieces);
    const flat = networkOf(network, pieces);
    const paths = blocks.map((i) => `model/${i + 1}-transformer/down`);
    const seen = domains.map((domain) => rowsInto(flat, flat.weights, sampleOf(domain, samples), new Set(paths)));
    flat.dispose();
    const made = pieces.flatMap((piece, i): Piece[] => {
      const k = blocks.indexOf(i);
      if (k < 0) return [piece];
      const dense = denseOf(where, piece);
      const { inner, width } = sizesOf(piece);
      const count = Math.floor(remain * inner);
      if (count < 1)
        throw new RangeError(`${where}: a share that leaves each expert a unit is required, got ${remain}`);
      const own = seen.map((domain) => largestUnits(domain.get(paths[k]!)!, inner, count));
      const used = [...new Set(own.flat())].sort((a, b) => a - b);
      const places = own.map((units) => units.map((unit) => used.indexOf(unit)));
      const layer = gatedUnits(places, { form: dense.form as Exclude<ExpertForm, "swiglu">, distil });
      const at = tf.tensor1d(used, "int32");
      const params = {
        up: { kernel: tf.gather(dense.up.kernel, at, 1), bias: tf.gather(dense.up.bias, at, 0) },
        down: { kernel: tf.gather(dense.down.kernel, at, 0), bias: dense.down.bias },
      };
      const parts = halves(piece, layer, params);
      if (k > 0) return [...parts];
      const { causal = false } = piece.layer.options as TransformerOptions;
      const router = preGate(domains.length, { heads, causal });
      const drawn = router.init!(random(seed).at("preGated"), [1, width]);
      return [{ layer: router, params: drawn, statistics: {} }, ...parts];
    });
    return expanded(
      "preGated",
      { domains: domains.length, remain, heads, distil, seed },
      network,
      networkOf(network, made),
    );
  });
}

/** The units whose numbers are largest on the mean over rows, by their size; in their order. */
function largestUnits(rows: Matrix, inner: number, count: number): number[] {
  const sizes = new Float64Array(inner);
  for (const [i, value] of rows.entries()) sizes[i % inner]! += Math.abs(value);
  return [...sizes.keys()]
    .sort((a, b) => sizes[b]! - sizes[a]! || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
}
