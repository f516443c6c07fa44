import type { Shape } from "../../../data/dataset.ts";
import { needOneOf, needWhole } from "../../../data/options.ts";
import { type Rng, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product } from "../../parts/product.ts";

/** What a large matrix is made of. */
export type Structure = "btt" | "monarch" | "kronecker" | "lowRank";

/** Options of `structured`. */
export interface StructuredOptions {
  /** Default "btt". */
  readonly kind?: Structure;
  /** Of "btt", "kronecker" and "lowRank": what the parts have in common. Default 1; of "lowRank" the root of the smaller side. */
  readonly rank?: number;
  /** Of "monarch": how many blocks each of its two matrices has. Default 4. */
  readonly blocks?: number;
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}

/**
 * A fully connected layer whose matrix is made of two factors, with far fewer numbers and operations than `dense`.
 *
 * With the inputs as i = (i₁, i₂) and the units as o = (o₁, o₂), sides as equal as their divisors allow (i₁ and o₁ the smaller ones), the matrix W is
 * - "btt": `W[i, o] = Σ_r A[i₂; i₁, o₁ r] B[o₁; i₂ r, o₂]`, of full rank with rank 1 already: every block of W has that rank;
 * - "monarch": two block-diagonal matrices of `blocks` blocks with a transposition between and after them;
 * - "kronecker": `W[i, o] = Σ_r A[i₁, o₁ r] B[i₂ r, o₂]`, a sum of Kronecker products;
 * - "lowRank": `A B` with `rank` columns between them.
 *
 * Each factor with f inputs and g outputs begins normal with deviation `min(1, √(g / f)) / √f`, biases at 0. Optimizers like adam should move a factor
 * at d / 2f times the rate of a dense layer of d inputs: `structuredRates`. Takes vectors `[n, d]` or sequences `[n, length, d]`.
 *
 * Implements: P185 BTT structured matrices
 * Qiu et al. 2024, "Compute better spent: replacing dense layers with structured matrices", arXiv:2406.06248, sections 3 and 4 and its program; Dao et al.
 * 2022, arXiv:2204.00595 (Monarch).
 * Differs from the paper: two factors, whose sides are as equal as can be; "monarch" takes sides that `blocks` divides instead of filling up with zeros; factors are not normalised on their way.
 *
 * @throws RangeError for a "monarch" whose sides cannot be cut into so many blocks.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().structured(64).relu().summary([64])[0].parameters; // 1088: 64·8 + 64·8 and the bias
 * ```
 */
export const structured = sameLayer(
  "structured",
  (units: number, { kind = "btt", rank, blocks = 4, bias = true }: StructuredOptions = {}) => {
    requireCount("structured", "units", units);
    needOneOf("structured", "kind", kind, ["btt", "monarch", "kronecker", "lowRank"]);
    if (rank !== undefined) needWhole("structured", "rank", rank);
    needWhole("structured", "blocks", blocks);
    const sizes = (inputs: number): Sizes => sizesOf(kind, inputs, units, rank, blocks);
    return {
      options: { units, kind, ...(rank !== undefined && { rank }), ...(kind === "monarch" && { blocks }), bias },
      byPlace: true,
      shape(input) {
        if (input.length !== 1 && input.length !== 2)
          throw new RangeError(`structured: a vector is required, got shape [${input}]; call flatten() first`);
        sizes(input.at(-1)!);
        return [...input.slice(0, -1), units];
      },
      init(rng, input): Params {
        const { first, second } = sizes(input.at(-1)!);
        const [a, b] = [drawn(rng.at("first"), first), drawn(rng.at("second"), second)];
        const factors =
          kind === "btt" || kind === "monarch"
            ? { first: a, second: b }
            : { first: { kernel: a }, second: { kernel: b } };
        return bias ? { ...factors, bias: tf.zeros([units]) } : factors;
      },
      apply(x, params, mode) {
        const inputs = x.shape.at(-1)!;
        const rows = (x.rank === 2 ? x : tf.reshape(x, [x.size / inputs, inputs])) as tf.Tensor2D;
        const given = ways[kind](rows, params, mode, sizes(inputs));
        const y = bias ? tf.add(given, params.bias as tf.Tensor) : given;
        return x.rank === 2 ? y : tf.reshape(y, [...x.shape.slice(0, -1), units]);
      },
    };
  },
  ["vector", "sequence"],
);

/** The shapes of the two factors, and the sides of what goes in, comes out, and is between. */
interface Sizes {
  readonly first: Shape;
  readonly second: Shape;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly rank: number;
}

function sizesOf(kind: Structure, inputs: number, units: number, rank: number | undefined, blocks: number): Sizes {
  const [from, to] = [sides(inputs), sides(units)];
  const r = rank ?? (kind === "lowRank" ? Math.ceil(Math.sqrt(Math.min(inputs, units))) : 1);
  if (kind === "lowRank") return { first: [inputs, r], second: [r, units], from, to, rank: r };
  if (kind === "kronecker") return { first: [from[0], to[0] * r], second: [from[1] * r, to[1]], from, to, rank: r };
  if (kind === "btt")
    return { first: [from[1], from[0], to[0] * r], second: [to[0], from[1] * r, to[1]], from, to, rank: r };
  if (inputs % blocks !== 0 || units % blocks !== 0)
    throw new RangeError(
      `structured: sides that ${blocks} blocks divide are required, got ${inputs} inputs and ${units} units; give other blocks`,
    );
  const [wide, high] = [inputs / blocks, units / blocks];
  const between = Math.min(wide, high);
  return {
    first: [blocks, wide, between],
    second: [blocks, between, high],
    from: [blocks, wide],
    to: [high, blocks],
    rank: 1,
  };
}

/** Two whole numbers with that product, as equal as can be, the smaller one first. */
export function sides(size: number): readonly [number, number] {
  let small = Math.floor(Math.sqrt(size));
  while (size % small !== 0) small--;
  return [small, size / small];
}

function drawn(rng: Rng, shape: Shape): tf.Tensor {
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  return rng.normals(shape, 0, Math.min(1, Math.sqrt(outputs / inputs)) / Math.sqrt(inputs));
}

/** `[n, d] → [n, units]` by the two factors. */
const ways: Readonly<Record<Structure, (rows: tf.Tensor2D, params: Params, mode: Mode, sizes: Sizes) => tf.Tensor>> = {
  btt(given, params, mode, { from, to, rank }) {
    const rows = mode.into(given);
    const n = rows.shape[0]!;
    const columns = tf.transpose(tf.reshape(rows, [n, from[1], from[0]]), [1, 0, 2]);
    const inner = tf.reshape(tf.matMul(columns, params.first as tf.Tensor3D), [from[1], n, to[0], rank]);
    const blocks = tf.reshape(tf.transpose(inner, [2, 1, 0, 3]), [to[0], n, from[1] * rank]);
    const outer = tf.matMul(blocks, params.second as tf.Tensor3D);
    return mode.tapped(rows, tf.reshape(tf.transpose(outer, [1, 0, 2]), [n, to[0] * to[1]]));
  },
  monarch(given, params, mode, { from: [blocks, wide], to: [high], first }) {
    const rows = mode.into(given);
    const [n, between] = [rows.shape[0]!, first[2]!];
    const cut = tf.transpose(tf.reshape(rows, [n, blocks, wide]), [1, 0, 2]);
    const inner = tf.transpose(tf.matMul(cut, params.first as tf.Tensor3D), [1, 0, 2]);
    const turned = tf.transpose(tf.reshape(inner, [n, between, blocks]), [2, 0, 1]);
    const outer = tf.matMul(turned, params.second as tf.Tensor3D);
    return mode.tapped(rows, tf.reshape(tf.transpose(outer, [1, 2, 0]), [n, high * blocks]));
  },
  kronecker(rows, params, mode, { from, to, rank }) {
    const n = rows.shape[0];
    const columns = tf.transpose(tf.reshape(rows, [n, from[0], from[1]]), [0, 2, 1]);
    const inner = tf.reshape(product(columns, params, "first", mode), [n, from[1], to[0], rank]);
    const blocks = tf.reshape(tf.transpose(inner, [0, 2, 1, 3]), [n, to[0], from[1] * rank]);
    return tf.reshape(product(blocks, params, "second", mode), [n, to[0] * to[1]]);
  },
  lowRank: (rows, params, mode) => product(product(rows, params, "first", mode), params, "second", mode),
};
