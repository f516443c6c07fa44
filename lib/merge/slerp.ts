import { merging, type Vector } from "./merging.ts";
import { dot, norm, part, sumOf } from "./parts/vectors.ts";

/**
 * Spherical interpolation: every tensor of two networks goes from the one to the other along an arc, `t` of the way, so that it keeps its
 * length where both have the same.
 *
 * Tensors that point the same way, or nearly (a cosine above 0.9995), are interpolated along the straight line. Where a base is
 * given it is the changes from it that are interpolated.
 *
 * Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.slerp({ t: 0.25 }).options; // { t: 0.25 }
 * ```
 */
export const slerp = merging(
  "slerp",
  {
    /** How far from the first network to the second. */
    t: 0.5,
  },
  {
    needsBase: false,
    exactly: 2,
    combine([a, b], { options: { t }, places }) {
      const out = new Float64Array(a!.length);
      for (const place of places) out.set(along(part(a!, place), part(b!, place), t), place.from);
      return out;
    },
  },
);

function along(a: Vector, b: Vector, t: number): Vector {
  const lengths = norm(a) * norm(b);
  const cosine = lengths === 0 ? 1 : dot(a, b) / lengths;
  if (Math.abs(cosine) > 0.9995) return sumOf([a, b], [1 - t, t]);
  const angle = Math.acos(cosine);
  return sumOf([a, b], [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)]);
}
