import { merging, type Place } from "./merging.ts";

/**
 * LiNeS: what the networks have changed is added up and multiplied by a number that grows with a layer's depth, from `alpha` in the first
 * to `alpha + beta` in the last: shallow layers, which know what is general, stay near the base.
 *
 * Of one network it undoes what fine-tuning has forgotten. A layer is a name in the model's tree ("2-dense", "stage1-block2"); the head is
 * the last.
 *
 * Implements: P244 LiNeS layer scaling
 *
 * Wang et al. 2024, arXiv:2410.17146, eq. 2–4: of several networks `alpha` is for the sum of their changes.
 * Differs from the paper: `alpha` is an option, not taken from the lengths of the merged and the summed change; every layer of the model has its own depth, where in
 * the authors' program blocks have one and what lies outside of them has `alpha`.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.lines({ alpha: 0.2 }).options; // { alpha: 0.2, beta: 0.9 }
 * ```
 */
export const lines = merging(
  "lines",
  {
    /** What the change of the first layer is multiplied by. */
    alpha: 0.1,
    /** What is added to that for the last layer. */
    beta: 0.9,
  },
  {
    needsBase: true,
    combine(vectors, { options: { alpha, beta }, places }) {
      const layers = [...new Set(places.map(layerOf))];
      const out = new Float64Array(vectors[0]!.length);
      for (const place of places) {
        const depth = layers.length === 1 ? 1 : layers.indexOf(layerOf(place)) / (layers.length - 1);
        for (let i = place.from; i < place.from + place.size; i++)
          out[i] = (alpha + beta * depth) * vectors.reduce((sum, vector) => sum + vector[i]!, 0);
      }
      return out;
    },
  },
);

/** The layer that a tensor belongs to: "model/2-dense", or "head". */
function layerOf({ path }: Place): string {
  const [first, second] = path.split("/");
  return first === "model" ? `${first}/${second}` : first!;
}
