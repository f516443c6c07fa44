/**
 * Studies of rows of the systems catalogue about attention and normalisation that need little or no training: `npx tsx
 * tests/bench/attention-small.studies.bench.ts`, or some of them alone, by their rows. A few minutes for all.
 */
import { type GptOptions, gpt, nn, quantisedAttention, random, rateSensitivity, tf } from "../../lib/index.ts";
import { retrieved } from "../../lib/models/parts/hopfield.ts";
import type { Study } from "../support/reference.ts";
import { heldOutLosses, tokens } from "./parts/language.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

/** P103: the most random patterns of which nearly all are retrieved by one update from a noisy state, by their width. */
function capacity(): Study {
  const seeds = 4;
  const widths = [8, 12, 16, 20];
  const rightOf = (width: number, count: number, seed: number): number =>
    tf.tidy(() => {
      const rng = random(seed);
      const stored = tf.mul(rng.at("patterns").normals([count, width], 0, 1), 1) as tf.Tensor2D;
      const asked = Math.min(count, 200);
      const own = tf.slice(stored, [0, 0], [asked, width]);
      const noisy = tf.add(own, rng.at("noise").normals([asked, width], 0, 0.25));
      const found = retrieved(noisy, stored, stored, { beta: 8 });
      const near = tf.less(tf.norm(tf.sub(found, own), 2, 1), 0.1 * Math.sqrt(width));
      return tf.mean(tf.cast(near, "float32")).dataSync()[0]!;
    });
  const most = (width: number, seed: number): number => {
    let count = 2;
    while (count < 16384 && rightOf(width, count, seed) >= 0.9) count *= 2;
    return Math.log2(count / 2);
  };
  const found = widths.map((width) => Array.from({ length: seeds }, (_, seed) => most(width, seed)));
  return {
    headline: "The number of patterns that one update retrieves grows exponentially with their width",
    outcome: allOf(...found.slice(1).map((more, i) => outcomeOf(apart(more, found[i]!)))),
    figures: Object.fromEntries(widths.map((width, i) => [`patterns, powers of 2, width ${width}`, band(found[i]!)])),
    seeds,
  };
}

/** P145: what an elementwise function makes of outliers beside what layer normalisation makes of them, each with its best parameter. */
function likeLayerNorm(): Study {
  const seeds = 8;
  const channels = 50;
  const grid = Array.from({ length: 200 }, (_, i) => 1.05 ** (i - 60));
  const errors = (form: "isru" | "tanh"): number[] =>
    Array.from({ length: seeds }, (_, seed) => {
      // one channel is an outlier of a size that goes from −100 to 100; the others are normal
      const rng = random(seed);
      const points = Array.from({ length: 400 }, (_, i) => {
        const row = Array.from({ length: channels }, () => rng.normal());
        row[0] = (i - 200) / 2;
        const mean = row.reduce((a, b) => a + b, 0) / channels;
        const deviation = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / channels);
        return [row[0], (row[0] - mean) / deviation] as const;
      });
      const most = Math.sqrt(channels);
      const of = (x: number, by: number): number =>
        form === "isru" ? (most * x) / Math.sqrt(by * by + x * x) : most * Math.tanh(x / by);
      const squares = grid.map((by) => points.reduce((sum, [x, y]) => sum + (of(x, by) - y) ** 2, 0) / points.length);
      return Math.sqrt(Math.min(...squares));
    });
  const [isru, tanh] = [errors("isru"), errors("tanh")];
  return {
    headline: "The inverse square root is nearer to layer normalisation of outliers than the hyperbolic tangent",
    outcome: outcomeOf(apart(tanh, isru)),
    figures: { "error, inverse square root": band(isru), "error, hyperbolic tangent": band(tanh) },
    seeds,
  };
}

/** P137: how far attention of few bits is from exact attention where channels have large means, as of trained models. */
function fewBits(): Study {
  const seeds = 8;
  const measure = (options: Parameters<typeof quantisedAttention>[3]): number[] =>
    Array.from({ length: seeds }, (_, seed) =>
      tf.tidy(() => {
        const rng = random(seed);
        const [q, k, v] = ["q", "k", "v"].map((name) => rng.at(name).normals([4, 256, 64], 0, 1));
        const far = rng.at("means").normals([64], 0, 3);
        const [queries, keys] = [tf.add(q!, tf.mul(far, 0.5)), tf.add(k!, far)];
        const exact = nn.attention(queries, keys, v!);
        const given = quantisedAttention(queries, keys, v!, options);
        const cosine = tf.div(tf.sum(tf.mul(exact, given)), tf.mul(tf.norm(exact), tf.norm(given)));
        return cosine.dataSync()[0]!;
      }),
    );
  const found = {
    "4 bits, smooth": measure({}),
    "4 bits, not smooth": measure({ smooth: false }),
    "8 bits, smooth": measure({ queryKey: "int8" }),
  };
  return {
    headline: "Scores of 4 bits with means taken away give nearly exact attention, and much better than without",
    outcome: allOf(
      outcomeOf(found["4 bits, smooth"], 0.98),
      outcomeOf(apart(found["4 bits, smooth"], found["4 bits, not smooth"])),
    ),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`cosine, ${name}`, band(values)])),
    seeds,
  };
}

/** P437: how much the end depends on the learning rate, with what large models are kept stable by and without. */
function sensitivity(): Study {
  const seeds = 3;
  const rates = [3e-3, 3e-2, 3e-1];
  const small: GptOptions = { tokens, width: 16, depth: 2, heads: 2, positions: "rotary", normalisation: "rms" };
  const measure = (options: GptOptions, z: number): number[] => {
    const ends = rates.map((rate) =>
      heldOutLosses(gpt({ ...small, ...options }), {
        seeds,
        rate,
        steps: 80,
        length: 32,
        ...(z > 0 && { besides: (logits: tf.Tensor) => tf.mul(tf.mean(tf.square(tf.logSumExp(logits, -1))), z) }),
      }),
    );
    return Array.from({ length: seeds }, (_, seed) =>
      rateSensitivity(
        rates.map((rate, i) => ({ rate, loss: ends[i]![seed]! })),
        Math.log(tokens),
      ),
    );
  };
  const found = {
    plain: measure({}, 0),
    "queries and keys normalised": measure({ queryKeyNorm: "layer" }, 0),
    "and z-loss": measure({ queryKeyNorm: "layer" }, 1e-4),
  };
  return {
    headline: "With queries and keys normalised and z-loss the end depends less on the learning rate",
    outcome: outcomeOf(apart(found.plain, found["and z-loss"])),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`sensitivity, ${name}`, band(values)])),
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const all: Record<string, () => Study> = { P103: capacity, P137: fewBits, P145: likeLayerNorm, P437: sensitivity };
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, make());
