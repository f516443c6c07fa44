import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * A change of a kernel that is spanned by some of its own rows and columns: `W + C M R` with `rank` columns C and rows R of the frozen W, of
 * which the square M alone is trained.
 *
 * Columns and rows are those that a decomposition with pivots takes first: each time the one with most left after what those before explain
 * is taken away. M begins as zeros, so that the network begins as it was.
 *
 * Implements: P279 PMSS
 *
 * Wang et al. 2024, "PMSS: pretrained matrices skeleton selection for LLM fine-tuning", arXiv:2409.16722, section 3. Differs from the paper: C and
 * R are divided by the root of their mean square, so that one learning rate serves all layers: a small one, since every number of M moves the whole kernel.
 *
 * @example
 * ```ts
 * import { from, pmss, pretrained } from "thalweg";
 * from(pretrained("vit-small")).adapt(pmss({ rank: 16, on: "block*" }));
 * ```
 */
export const pmss = adapter(
  "pmss",
  {
    /** How many columns and rows. At most as many as the kernel has. */
    rank: 16,
  },
  { kind: "weight" },
  ({ rank }) => {
    needWhole("pmss", "rank", rank);
    return onKernels({
      fixed: ["columns", "rows"],
      init(_rng, kernel) {
        const [inputs, units] = kernel.shape;
        const numbers = kernel.dataSync() as Float32Array;
        const count = Math.min(rank, inputs, units);
        const rows = pivots(numbers, inputs, units, count);
        const columns = pivots(transposed(numbers, inputs, units), units, inputs, count);
        const taken = (axis: 0 | 1, at: number[]): tf.Tensor => {
          const of = tf.gather(kernel, tf.tensor1d(at, "int32"), axis);
          return tf.div(of, tf.maximum(tf.sqrt(tf.mean(tf.square(of))), 1e-12));
        };
        return { columns: taken(1, columns), rows: taken(0, rows), square: tf.zeros([count, count]) };
      },
      changed({ columns, rows, square }, kernel) {
        const change = tf.matMul(tf.matMul(columns as tf.Tensor2D, square as tf.Tensor2D), rows as tf.Tensor2D);
        return tf.add(kernel, change);
      },
    });
  },
);

/** The rows that are taken first where each is the longest of what is left after the directions of those before are taken away. */
function pivots(matrix: Float32Array, height: number, width: number, count: number): number[] {
  const left = Float64Array.from(matrix);
  const row = (i: number): Float64Array => left.subarray(i * width, (i + 1) * width);
  const product = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, j) => sum + x * b[j]!, 0);
  const taken: number[] = [];
  while (taken.length < count) {
    const lengths = Array.from({ length: height }, (_, i) => (taken.includes(i) ? -1 : product(row(i), row(i))));
    const best = lengths.indexOf(Math.max(...lengths));
    taken.push(best);
    const length = Math.sqrt(Math.max(lengths[best]!, 1e-300));
    const direction = row(best).map((x) => x / length);
    for (let i = 0; i < height; i++) {
      const along = product(row(i), direction);
      for (let j = 0; j < width; j++) left[i * width + j]! -= along * direction[j]!;
    }
  }
  return taken;
}

function transposed(matrix: Float32Array, height: number, width: number): Float32Array {
  return Float32Array.from(matrix, (_, at) => matrix[(at % height) * width + Math.floor(at / height)]!);
}
