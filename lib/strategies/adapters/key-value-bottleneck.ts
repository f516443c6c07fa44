import { disposeTree, jit, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { addedBy, marked } from "../parts/prompts.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** `[features, codebooks · size]`, drawn once; keys `[codebooks, pairs, size]`. */
  readonly tensors: { readonly projection: tf.Tensor; readonly keys: tf.Tensor };
}

/**
 * A discrete key–value bottleneck on a frozen network: an example looks up the nearest key in each of several codebooks, and the values of
 * those keys decide. Only values are learnt, so that an example changes what its own keys say and nothing else.
 *
 * Each codebook sees its own random projection of the features, to `size` numbers. Its keys are means of what comes near them, moved over the
 * first experience's examples without their labels (`k ← decay · k + (1 − decay) · mean`, as running sums), and stay from then on. The logits
 * are the means of the chosen values over codebooks. No boundary has to be told.
 *
 * Träuble et al. 2023, arXiv:2207.11240, section 3 with the decoder without parameters of section 4.
 * Differs from the paper: values begin as 0; the softmax has no temperature of its own. Keys that nothing came near stay where they were
 * drawn, among the examples.
 *
 * Implements: P050 Discrete Key-Value Bottleneck
 *
 * @example
 * ```ts
 * import { keyValueBottleneck } from "thalweg";
 * keyValueBottleneck({ codebooks: 64, pairs: 128, size: 8 });
 * ```
 */
export const keyValueBottleneck = strategy(
  "keyValueBottleneck",
  {
    /** Codebooks, and pairs of a key and a value in each. */
    codebooks: 32,
    pairs: 64,
    /** Numbers in a key. */
    size: 8,
    /** How much of the running sums stays from batch to batch while keys are placed, and how often the examples are gone through. */
    decay: 0.95,
    rounds: 10,
  },
  ({ codebooks, pairs, size, decay, rounds }) => {
    requireWhole("keyValueBottleneck", "codebooks", codebooks, 1);
    requireWhole("keyValueBottleneck", "pairs", pairs, 1);
    requireWhole("keyValueBottleneck", "size", size, 1);
    requireNumber("keyValueBottleneck", "decay", decay, 0, 1);
    requireWhole("keyValueBottleneck", "rounds", rounds, 1);
    return {
      classes: true,
      tokens: "it gives one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ columns }): Params => ({ value: tf.zeros([codebooks, pairs, columns]) }),
      init(context: Context): Memory {
        if (context.stream.head === "growing")
          throw new TypeError(
            "keyValueBottleneck: a stream whose classes are known is required, got one whose head grows",
          );
        const width = context.network.width[0]!;
        const { train } = context.stream.experience(0);
        const projection = context.rng.at("projection").normals([width, codebooks * size], 0, 1 / Math.sqrt(width));
        const rows = context.outputs(train).features;
        const keys = placed(rows, projection, { codebooks, pairs, size, decay, rounds }, context);
        return { tensors: { projection, keys } };
      },
      forward({ tensors }: Partial<Memory>, pass) {
        const { features, logits } = pass.plain();
        if (tensors === undefined) return { features, logits };
        const { value } = addedBy<{ readonly value: tf.Tensor }>(pass, "keyValueBottleneck");
        const heads = projected(features, tensors.projection, codebooks, size);
        const own = tf.matMul(nearest(heads, tensors.keys), value); // [codebooks, n, columns]
        const found = tf.mean(own, 0);
        return { features, logits: found };
      },
    };
  },
);

/** `[codebooks, n, size]`: what each codebook sees of features. */
function projected(features: tf.Tensor, projection: tf.Tensor, codebooks: number, size: number): tf.Tensor3D {
  const flat = tf.matMul(features as tf.Tensor2D, projection as tf.Tensor2D);
  return tf.transpose(tf.reshape(flat, [features.shape[0]!, codebooks, size]), [1, 0, 2]) as tf.Tensor3D;
}

/** `[codebooks, n, pairs]`: 1 for the key nearest to each row. No gradient flows through it. */
function nearest(heads: tf.Tensor, keys: tf.Tensor): tf.Tensor {
  return tf.customGrad((rows) => {
    const cross = tf.matMul(rows as tf.Tensor, keys, false, true);
    const near = tf.sub(tf.mul(cross, 2), tf.expandDims(tf.sum(tf.square(keys), 2), 1));
    return { value: marked(tf.argMax(near, 2), keys.shape[1]!), gradFunc: () => tf.zeros(heads.shape) };
  })(heads);
}

interface Places {
  readonly codebooks: number;
  readonly pairs: number;
  readonly size: number;
  readonly decay: number;
  readonly rounds: number;
}

type Sums = { readonly keys: tf.Tensor; readonly sums: tf.Tensor; readonly counts: tf.Tensor };

/** Keys as running means of the rows nearest to them. */
function placed(
  rows: Float32Array,
  projection: tf.Tensor,
  { codebooks, pairs, size, decay, rounds }: Places,
  { rng, network }: Context,
): tf.Tensor {
  const width = network.width[0]!;
  const n = rows.length / width;
  const step = jit(
    (now: Sums, features: tf.Tensor, by: tf.Tensor): Sums => {
      const heads = projected(features, by, codebooks, size);
      const which = nearest(heads, now.keys);
      const counts = tf.add(tf.mul(now.counts, decay), tf.mul(tf.sum(which, 1), 1 - decay));
      const sums = tf.add(tf.mul(now.sums, decay), tf.mul(tf.matMul(which, heads, true, false), 1 - decay));
      const met = tf.expandDims(tf.greater(counts, 1e-6), 2);
      const mean = tf.div(sums, tf.maximum(tf.expandDims(counts, 2), 1e-6));
      return { keys: tf.where(tf.logicalAnd(met, tf.onesLike(mean).toBool()), mean, now.keys), sums, counts };
    },
    { name: "placed" },
  );
  const batch = (at: Uint32Array): tf.Tensor => {
    const data = new Float32Array(at.length * width);
    for (const [i, row] of at.entries()) data.set(rows.subarray(row * width, (row + 1) * width), i * width);
    return tf.tensor2d(data, [at.length, width]);
  };
  const drawn = batch(Uint32Array.from({ length: pairs }, (_, k) => rng.at("key", k).int(n)));
  let now: Sums = {
    keys: tf.tidy(() =>
      tf.add(projected(drawn, projection, codebooks, size), rng.at("apart").normals([codebooks, pairs, size], 0, 1e-3)),
    ),
    sums: tf.zeros([codebooks, pairs, size]),
    counts: tf.zeros([codebooks, pairs]),
  };
  drawn.dispose();
  const rowsAtOnce = Math.min(64, n);
  for (let round = 0; round < rounds; round++) {
    const order = rng.at("round", round).permutation(n);
    for (let start = 0; start + rowsAtOnce <= n; start += rowsAtOnce) {
      const x = batch(order.slice(start, start + rowsAtOnce));
      const next = step(now, x, projection);
      disposeTree([now, x]);
      now = next;
    }
  }
  disposeTree([now.sums, now.counts]);
  return now.keys;
}
