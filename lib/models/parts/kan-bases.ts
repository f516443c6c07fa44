/** Functions of one number whose sums are the trained functions of Kolmogorov-Arnold networks. */
import { needOneOf } from "../../data/options.ts";
import { type Rng, tf, withoutGradient } from "../../engine/index.ts";
import { requireCount } from "../layer.ts";
import type { Params } from "../model.ts";
import { straightThrough } from "./gradients.ts";

/** Families of functions. */
export type KanBasis = keyof typeof families;

/** Options of layers whose weights are functions. */
export interface KanOptions {
  /**
   * Families of functions. Of several, each unit mixes those it selects.
   *
   * "spline": piecewise polynomials. "chebyshev": Chebyshev polynomials of tanh x. "fourier": sines and cosines. "gauss": bells. "wavelet": Mexican hats. Default
   * ["spline"].
   */
  readonly bases?: readonly KanBasis[];
  /** Whether a unit mixes families by a softmax of trained numbers ("mixed"), or goes by the best of them alone ("best"). Default "mixed". */
  readonly select?: "mixed" | "best";
  /** Intervals of splines, bells and wavelets; polynomials and waves up to this degree. Default 5. */
  readonly grid?: number;
  /** The degree of the pieces of splines. Default 3. */
  readonly degree?: number;
  /** Where splines, bells and wavelets lie. Default [-1, 1]. */
  readonly range?: readonly [number, number];
}

/** What the families of a layer are made by. */
export interface KanGrid {
  readonly grid: number;
  readonly degree: number;
  readonly range: readonly [number, number];
}

const families = {
  spline: { count: ({ grid, degree }: KanGrid) => grid + degree, of: splines },
  chebyshev: {
    count: ({ grid }: KanGrid) => grid + 1,
    of(x: tf.Tensor, { grid }: KanGrid): tf.Tensor {
      const u = tf.tanh(x);
      const all = [tf.onesLike(u), u];
      for (let k = 2; k <= grid; k++) all.push(tf.sub(tf.mul(tf.mul(u, 2), all[k - 1]!), all[k - 2]!));
      return tf.concat(all.slice(0, grid + 1), -1);
    },
  },
  fourier: {
    count: ({ grid }: KanGrid) => 2 * grid,
    of(x: tf.Tensor, { grid }: KanGrid): tf.Tensor {
      const waves = tf.mul(x, tf.range(1, grid + 1));
      return tf.concat([tf.cos(waves), tf.sin(waves)], -1);
    },
  },
  gauss: {
    count: ({ grid }: KanGrid) => grid + 1,
    of: (x: tf.Tensor, how: KanGrid): tf.Tensor => tf.exp(tf.neg(tf.square(steps(x, how)))),
  },
  wavelet: {
    count: ({ grid }: KanGrid) => grid + 1,
    of(x: tf.Tensor, how: KanGrid): tf.Tensor {
      const squares = tf.square(steps(x, how));
      // of length 1 in the mean square over the line: 2 / (√3 π^¼)
      return tf.mul(tf.mul(tf.sub(1, squares), tf.exp(tf.div(squares, -2))), 2 / (Math.sqrt(3) * Math.PI ** 0.25));
    },
  },
};

/** How many steps of the grid a number is from each of its points. */
function steps(x: tf.Tensor, { grid, range: [low, high] }: KanGrid): tf.Tensor {
  const step = (high - low) / grid;
  return tf.sub(tf.div(tf.sub(x, low), step), tf.range(0, grid + 1));
}

/** B-splines over points at equal distances, which go on beyond the range, by the recursion of Cox and de Boor. */
function splines(x: tf.Tensor, { grid, degree, range: [low, high] }: KanGrid): tf.Tensor {
  // in steps of the grid, from the first knot
  const at = tf.add(tf.div(tf.sub(x, low), (high - low) / grid), degree);
  const pieces = grid + 2 * degree;
  const from = tf.sub(at, tf.range(0, pieces));
  let now = withoutGradient(() =>
    tf.cast(tf.logicalAnd(tf.greaterEqual(from, 0), tf.less(from, 1)), "float32"),
  ) as tf.Tensor;
  const part = (t: tf.Tensor, begin: number, size: number): tf.Tensor =>
    tf.slice(t, [...t.shape.slice(0, -1).map(() => 0), begin], [...t.shape.slice(0, -1), size]);
  for (let k = 1; k <= degree; k++) {
    const count = pieces - k;
    const rising = tf.mul(tf.div(part(from, 0, count), k), part(now, 0, count));
    const falling = tf.mul(tf.div(tf.sub(k + 1, part(from, 0, count)), k), part(now, 1, count));
    now = tf.add(rising, falling);
  }
  return now;
}

/** The values of a family's functions at each number: `[…]` to `[…, count]`. */
export function kanFunctions(basis: KanBasis, x: tf.Tensor, how: KanGrid): tf.Tensor {
  return families[basis].of(tf.expandDims(x, -1), how);
}

/** The options of a layer, checked, and those of them that stand in records. */
export function kanOptions(
  where: string,
  { bases = ["spline"], select = "mixed", grid = 5, degree = 3, range = [-1, 1] }: KanOptions,
) {
  if (bases.length === 0) throw new RangeError(`${where}: at least one of bases is required, got none`);
  for (const basis of bases) needOneOf(where, "each of bases", basis, Object.keys(families));
  if (new Set(bases).size < bases.length)
    throw new TypeError(`${where}: bases that differ are required, got ${bases.join(", ")}`);
  needOneOf(where, "select", select, ["mixed", "best"]);
  requireCount(where, "grid", grid);
  requireCount(where, "degree", degree, 0);
  if (!(range[0] < range[1])) throw new RangeError(`${where}: a range that rises is required, got [${range}]`);
  return {
    bases,
    select,
    how: { grid, degree, range },
    used: { bases, ...(bases.length > 1 && { select }), grid, degree, range },
  };
}

/** How many functions a family has. */
export const kanCount = (basis: KanBasis, how: KanGrid): number => families[basis].count(how);

/** What each unit makes of families: by trained numbers for each, where there are several. */
export function selectParams(rng: Rng, bases: readonly KanBasis[], units: number): Params {
  return bases.length === 1 ? {} : { select: rng.normals([bases.length, units], 0, 0.1) };
}

/** The sum of what the families give, `[…, units]` each, by the shares that each unit gives them. */
export function selectedSum(outs: readonly tf.Tensor[], params: Params, select: "mixed" | "best"): tf.Tensor {
  if (outs.length === 1) return outs[0]!;
  const mixed = tf.transpose(tf.softmax(tf.transpose(params.select as tf.Tensor2D)));
  const best = (of: tf.Tensor): tf.Tensor => tf.transpose(tf.oneHot(tf.argMax(of, 0), outs.length, 1, 0, "float32"));
  const shares = select === "best" ? straightThrough(mixed, best) : mixed;
  return tf
    .unstack(shares)
    .map((share, i) => tf.mul(outs[i]!, share))
    .reduce((a, b) => tf.add(a, b));
}
