/** Rows that stand for many others and were uncertain, chosen one by one. */

/**
 * `count` of some candidates that greedily maximise `(1/|C|) Σ_{c in C} max_{s in S} (1 + f_c · f_s)/2 + (1/count) Σ_{s in S} u_s / max u`: facility
 * location over features of length 1 and the uncertainties, both in [0, 1]. The sum is submodular, so that greedy choice comes within
 * 1 − 1/e of the best (Nemhauser, Wolsey and Fisher 1978). `vectors` has the features of all rows, `places` are the candidates.
 */
export function typicalAndUncertain(
  vectors: Float32Array,
  uncertainty: Float64Array,
  places: Uint32Array,
  count: number,
): Uint32Array {
  const width = vectors.length / uncertainty.length;
  const n = places.length;
  const most = Math.max(1e-12, ...Array.from(places, (place) => uncertainty[place]!));
  const alike = (a: number, b: number): number => {
    let dot = 0;
    for (let j = 0; j < width; j++) dot += vectors[places[a]! * width + j]! * vectors[places[b]! * width + j]!;
    return (1 + dot) / 2;
  };
  const near = Array.from({ length: n }, (_, a) => Float64Array.from({ length: n }, (_, b) => alike(a, b)));
  const covered = new Float64Array(n);
  const left = new Set(Array.from({ length: n }, (_, i) => i));
  const chosen = new Uint32Array(Math.min(count, n));
  for (let k = 0; k < chosen.length; k++) {
    let [best, gain] = [-1, Number.NEGATIVE_INFINITY];
    for (const i of left) {
      let own = uncertainty[places[i]!]! / most / count;
      for (let c = 0; c < n; c++) own += Math.max(0, near[c]![i]! - covered[c]!) / n;
      if (own > gain) [best, gain] = [i, own];
    }
    left.delete(best);
    chosen[k] = places[best]!;
    for (let c = 0; c < n; c++) covered[c] = Math.max(covered[c]!, near[c]![best]!);
  }
  return chosen;
}
