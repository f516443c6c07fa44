import { needWhole } from "../../data/options.ts";
import type { Rng } from "../../engine/index.ts";
import { tf } from "../../engine/index.ts";
import { adapter, type Site } from "./adapter.ts";

/**
 * Trained vectors put before the sequence that comes into each of some layers, and taken away from what it gives: places of a sequence can look
 * at them. Their kind is "prompt".
 *
 * By default before every transformer of a chain and every block of a backbone (`vit`, `gpt`), each with prompts of its own: the deep form of Jia et al. 2022, "Visual prompt tuning",
 * arXiv:2203.12119, section 3.2. They are drawn uniformly in ±√(6 / (2 · width)). With `deep: false`, the shallow form, and that of Lester et
 * al. 2021, arXiv:2104.08691, there are prompts before the first of the layers alone, and what becomes of them goes on through the others; they
 * have no place of their own among those that `positions` tells apart.
 *
 * @throws RangeError, when a study is made, on a layer that does not take and give sequences of one width.
 *
 * @example
 * ```ts
 * import { net, parameters, prompt } from "thalweg";
 * const model = net().embedding(26, 16).transformer(2).last().adapt(prompt({ length: 5 }));
 * parameters(model, [8]).at(-1)?.shape; // [5, 16]
 * ```
 */
export const prompt = adapter(
  "prompt",
  {
    /** How many vectors. */
    length: 10,
    /** Whether each layer has vectors of its own. */
    deep: true,
  },
  ["*-transformer", "block*"],
  ({ length, deep }) => {
    needWhole("prompt", "length", length);
    const drawn = (rng: Rng, { path, input, output }: Site): tf.Tensor => {
      if (input.length !== 3 || String(input) !== String(output))
        throw new RangeError(
          `prompt: a layer that takes and gives a sequence of one width is required, got ${path} from [${input.slice(1)}] to [${output.slice(1)}]; name others with { on }`,
        );
      const bound = Math.sqrt(6 / (2 * input[2]!));
      return rng.uniforms([length, input[2]!], -bound, bound);
    };
    return {
      ...(!deep && { shared: (rng: Rng, sites: readonly Site[]) => ({ prompt: drawn(rng, sites[0]!) }) }),
      init: (rng, site) => (deep ? { prompt: drawn(rng, site) } : {}),
      around(own, x, run, memory) {
        const [n, places, width] = x.shape as [number, number, number];
        const fresh = (): tf.Tensor => tf.tile(tf.expandDims(own.prompt as tf.Tensor, 0), [n, 1, 1]);
        const vectors = deep ? fresh() : (memory.get("prompts") ?? fresh());
        const y = run(tf.concat([vectors, x], 1));
        memory.set("prompts", tf.slice(y, [0, 0, 0], [n, length, width]));
        return tf.slice(y, [0, length, 0], [n, places, width]);
      },
    };
  },
);
