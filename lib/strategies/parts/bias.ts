/** Two numbers that correct the logits of some columns. */

/**
 * The scale a and shift b of the logits of `fresh` columns with the least mean cross-entropy over the `open` columns, by damped Newton
 * steps from (1, 0). The problem is convex.
 */
export function fitBias(
  logits: Float32Array,
  labels: Int32Array,
  columns: number,
  open: readonly number[],
  fresh: readonly number[],
): { readonly scale: number; readonly shift: number } {
  const isFresh = new Set(fresh);
  const rows = [...labels.keys()].filter((i) => open.includes(labels[i]!));
  const at = (a: number, b: number): { loss: number; ga: number; gb: number; aa: number; ab: number; bb: number } => {
    const sum = { loss: 0, ga: 0, gb: 0, aa: 0, ab: 0, bb: 0 };
    for (const i of rows) {
      const z = open.map((c) => {
        const logit = logits[i * columns + c]!;
        return isFresh.has(c) ? a * logit + b : logit;
      });
      const most = Math.max(...z);
      const e = z.map((v) => Math.exp(v - most));
      const total = e.reduce((x, y) => x + y, 0);
      let [pf, pz, pzz] = [0, 0, 0];
      open.forEach((c, k) => {
        if (!isFresh.has(c)) return;
        const p = e[k]! / total;
        const logit = logits[i * columns + c]!;
        pf += p;
        pz += p * logit;
        pzz += p * logit * logit;
      });
      const label = labels[i]!;
      const own = isFresh.has(label);
      sum.loss += most + Math.log(total) - z[open.indexOf(label)]!;
      sum.ga += pz - (own ? logits[i * columns + label]! : 0);
      sum.gb += pf - (own ? 1 : 0);
      sum.aa += pzz - pz * pz;
      sum.ab += pz - pz * pf;
      sum.bb += pf - pf * pf;
    }
    return sum;
  };
  let [a, b] = [1, 0];
  for (let round = 0; round < 50 && rows.length > 0; round++) {
    const { loss, ga, gb, aa, ab, bb } = at(a, b);
    const ridge = 1e-6 * rows.length;
    const det = (aa + ridge) * (bb + ridge) - ab * ab;
    const [da, db] = [((bb + ridge) * ga - ab * gb) / det, ((aa + ridge) * gb - ab * ga) / det];
    let pace = 1;
    while (pace > 1e-6 && at(a - pace * da, b - pace * db).loss > loss) pace /= 2;
    a -= pace * da;
    b -= pace * db;
    if (Math.abs(da) + Math.abs(db) < 1e-9) break;
  }
  return { scale: a, shift: b };
}
