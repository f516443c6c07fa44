import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { type ExpertForm, expertForms, expertsParams, mixed } from "../../parts/experts.ts";
import { asRows, placesFor } from "../../parts/mixture.ts";
import { recalled, requireName } from "../../parts/remembering.ts";

/** Options of `hashMoe`. */
export interface HashMoeOptions {
  /** The name of the tap that remembers the tokens. Default "tokens". */
  readonly tokens?: string;
  /** Width of the inner layer of an expert, in widths of its input. Default 4. */
  readonly widen?: number;
  /** What an expert has between its products. Default "gelu", the exact one. */
  readonly form?: ExpertForm;
  /** Whether the products of experts have biases. Default true. */
  readonly bias?: boolean;
  /**
   * In training an expert takes at most this many times the rows that each would have if all were used alike; rows that find no place pass it by. Default
   * 0: no limit, for the cost of all experts on all rows.
   */
  readonly capacity?: number;
}

/**
 * Experts that are chosen by the token at a place, from a table that is never trained: no router, no loss of unequal use.
 *
 * `table` has the expert, from 0, of each token: `hashTables` makes such tables. The tokens are read from `tap("tokens")`, put before the embedding. A
 * place passes its expert alone, whose output counts fully. Sequences keep their shape `[n, length, d]`.
 *
 * Implements: P171 Hash Layers
 * Roller et al. 2021, "Hash layers for large sparse models", arXiv:2106.04426, section 3: hashes of the token at the place, random, balanced and clustered.
 * Differs from the paper: hashes of several tokens (bigrams, the token before) and several hashes at once (MultiHash) are not here.
 *
 * @throws RangeError when a token of the table has no expert, or nothing is remembered under the name.
 *
 * @example
 * ```ts
 * import { hashTables, net } from "thalweg";
 * const table = hashTables.random(65, 4, { seed: 1 });
 * net().tap("tokens").embedding(65, 16).residual((n) => n.layerNorm().hashMoe(4, table)).features([32]); // [32, 16]
 * ```
 */
export const hashMoe = sameLayer(
  "hashMoe",
  (
    experts: number,
    table: readonly number[],
    { tokens = "tokens", widen = 4, form = "gelu", bias = true, capacity = 0 }: HashMoeOptions = {},
  ) => {
    requireCount("hashMoe", "experts", experts);
    requireName("hashMoe", tokens);
    needOneOf("hashMoe", "form", form, expertForms);
    const wrong = table.find((e) => !Number.isInteger(e) || e < 0 || e >= experts);
    if (table.length === 0 || wrong !== undefined)
      throw new RangeError(
        `hashMoe: a table with an expert from 0 to ${experts - 1} for each token is required, got ${wrong ?? "an empty one"}`,
      );
    if (!(capacity >= 0 && widen > 0))
      throw new RangeError(
        `hashMoe: a widen above 0 and a capacity of at least 0 are required, got ${widen} and ${capacity}`,
      );
    return {
      options: { experts, table: [...table], tokens, widen, form, bias, capacity },
      byPlace: true,
      shape(input, remembered = new Map()) {
        const seen = recalled("hashMoe", tokens, remembered);
        if (input.length !== 2 || seen.length !== 1 || seen[0] !== input[0])
          throw new RangeError(
            `hashMoe: a sequence with a token for each place is required, got shape [${input}] and tokens [${seen}]; put tap("${tokens}") before embedding`,
          );
        return input;
      },
      init: (rng, input): Params => ({ experts: expertsParams(rng, experts, input.at(-1)!, { widen, form, bias }) }),
      apply(x, params, mode, remembered = new Map()) {
        const { rows, back } = asRows(x);
        const ids = tf.cast(tf.reshape(recalled("hashMoe", tokens, remembered), [rows.shape[0]]), "int32");
        const chosen = tf.reshape(tf.gather(tf.tensor1d([...table], "int32"), ids), [rows.shape[0], 1]) as tf.Tensor2D;
        const gates = tf.ones([rows.shape[0], 1]) as tf.Tensor2D;
        const most = mode.training && capacity > 0 ? placesFor(rows.shape[0], 1, experts, capacity) : null;
        return back(mixed(rows, { chosen, gates }, params.experts as Params, mode.at("experts"), form, most));
      },
    };
  },
  ["sequence"],
);
