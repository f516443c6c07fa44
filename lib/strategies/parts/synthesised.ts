/** Prototypes of classes under adapters that came after them. */

/** The mean features of a class under the adapters up to that of the experience it last came in; `task` is the one it first came in. */
export interface Known {
  readonly task: number;
  readonly means: readonly Float64Array[];
}

const cosine = (a: Float64Array, b: Float64Array): number =>
  a.reduce((s, v, j) => s + v * b[j]!, 0) / (Math.hypot(...a) * Math.hypot(...b) || 1);

/** The prototype of a class under adapter `d`: its mean there, or a sum of those of the classes that came with d and since. */
export function prototypeUnder(d: number, of: Known, known: Iterable<Known>): Float64Array {
  const own = of.means[d];
  if (own !== undefined) return own;
  const others = [...known].filter(({ means }) => means[d] !== undefined);
  const likeness = others.map(({ means }) => Math.exp(cosine(of.means[of.task]!, means[of.task]!)));
  const total = likeness.reduce((a, b) => a + b, 0);
  const sum = new Float64Array(others[0]!.means[d]!.length);
  for (const [k, { means }] of others.entries())
    for (let j = 0; j < sum.length; j++) sum[j]! += (likeness[k]! / total) * means[d]![j]!;
  return sum;
}
