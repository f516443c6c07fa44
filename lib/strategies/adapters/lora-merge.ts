import { mapTensors, type Rng, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Filter } from "../../models/filter.ts";
import { drawWeights } from "../../models/initial.ts";
import type { Params } from "../../models/model.ts";
import { requireWhole } from "../parts/checks.ts";
import { type Kernels, kernelsIn, withKernels } from "../parts/kernels.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  /** What past experiences have changed each kernel by. */
  readonly tensors: { readonly merged?: Kernels };
}

/**
 * LoRA for each experience in turn, merged after it: the kernels are `W + past + alpha / rank · D U`, of which D, U and the head are trained;
 * then `D U` becomes part of the past, and the next experience begins with others.
 *
 * How much is forgotten, of what came before and of what the network knew, depends on the rank: `rank` is what to compare.
 *
 * Implements: P262 LoRA rank vs forgetting
 *
 * Panariello et al. 2024, "An empirical analysis of forgetting in pre-trained models with incremental low-rank updates", arXiv:2405.18069,
 * section 3.
 *
 * @example
 * ```ts
 * import { loraMerge } from "thalweg";
 * loraMerge({ rank: 4, on: ["*query", "*value"] });
 * ```
 */
export const loraMerge = strategy(
  "loraMerge",
  {
    /** Width of the two matrices. */
    rank: 4,
    /** Their product is multiplied by `alpha / rank`. */
    alpha: 4,
    /** The kernels that are changed; null for all. */
    on: null as null | string | readonly string[],
  },
  ({ rank, alpha, on: given }) => {
    const on: Filter = given ?? "*";
    requireWhole("loraMerge", "rank", rank, 1);
    requireNumber("loraMerge", "alpha", alpha, 0);
    const times = alpha / rank;
    const drawn = (rng: Rng, kernels: Kernels): Params =>
      Object.fromEntries(
        Object.entries(kernels).map(([path, { size, shape }]) => {
          const units = shape.at(-1)!;
          const inputs = size / units;
          return [
            path,
            { down: drawWeights("torch", rng.at(path), [inputs, rank], inputs, rank), up: tf.zeros([rank, units]) },
          ];
        }),
      );
    /** The change of each kernel, past and present. */
    const changes = (added: Params, { merged }: Memory["tensors"], shapes: Kernels): Kernels =>
      Object.fromEntries(
        Object.entries(added).map(([path, own]) => {
          const { down, up } = own as { readonly down: tf.Tensor2D; readonly up: tf.Tensor2D };
          const now = tf.reshape(tf.mul(tf.matMul(down, up), times), shapes[path]!.shape);
          return [path, merged === undefined ? now : tf.add(merged[path]!, now)] as const;
        }),
      );
    return {
      tokens: true,
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, weights, rng }): Params => drawn(rng.at("first"), kernelsIn(network, weights, on)),
      init: (): Memory => ({ tensors: {} }),
      forward({ tensors }: Memory, { network, weights, plain }) {
        const own = weights.added?.loraMerge as Params;
        const kernels = kernelsIn(network, weights, on);
        const now = changes(own, tensors ?? {}, kernels);
        return plain(
          withKernels(
            weights,
            mapTensors((w: tf.Tensor, c?: tf.Tensor) => tf.add(w, c!), kernels, now),
          ),
        );
      },
      afterExperience({ tensors }: Memory, { index }, { network, weights, rng }) {
        const kernels = kernelsIn(network, weights, on);
        const own = weights.added!.loraMerge as Params;
        const merged = scoped(() => changes(own, tensors, kernels) as Tree) as unknown as Kernels;
        const next = { ...weights.added, loraMerge: drawn(rng.at("after", index), kernels) };
        return { tensors: { merged }, weights: { ...weights, added: next }, restart: true };
      },
    };
  },
  ["boundary"],
);
