import { type Examples, gather } from "../../data/dataset.ts";
import { nn, type Rng, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { excluded } from "../../models/network.ts";
import { withExtra } from "../parts/buffer.ts";
import { rowsByClass } from "../parts/by-class.ts";
import { amongSeen, classMeans, marked } from "../parts/closed-form.ts";
import { oneHots } from "../parts/contrast.ts";
import { withRows } from "../parts/cosine-prototypes.ts";
import { normalised } from "../parts/distillation.ts";
import { headKernel, withColumns } from "../parts/head-kernel.ts";
import { addedBy, cosines } from "../parts/prompts.ts";
import { type HostTensor, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Attention with one head, the product after it, and a normalisation. A type, to be a tree of tensors. */
type Calibration = Readonly<Record<"query" | "key" | "value" | "after" | "bias" | "scale" | "shift", tf.Tensor>>;

interface Memory {
  /** Sums of the features of each class and how many there were; null until the first experience is over. */
  readonly sums: Float64Array | null;
  readonly counts: Float64Array | null;
  /** `[1, columns]`: 1 for the classes met so far; absent before the first experience. */
  readonly tensors?: { readonly met: tf.Tensor } | undefined;
}

/**
 * LIMIT: the classes of the first experience are played through as if some of them came later with few examples, so that a calibration of class
 * vectors and examples is learnt that real later classes need no training for.
 *
 * The first experience has two stages. For its first `warmup` steps the logits are `scale` times the cosine of the features and a class's column of
 * the head, under cross-entropy. Then every step makes a fake stream: `phases` times `ways` of the classes are drawn, and `shots` examples of each. In
 * phase p the drawn classes up to p have the mean features of their examples as vectors, those not drawn their columns of the head, and those of later
 * phases do not compete. All vectors and an example's features attend to each other as one set (one head, a product, the residual, a normalisation),
 * and the logits are `scale` times the cosine of the example's new vector and each class's new one. The loss is the mean over the phases of the
 * cross-entropy of the batch's examples of competing classes. Network, head and attention are trained by it together.
 * When an experience ends the columns of its classes become their mean features; from the second on nothing is trained. Prediction is by the same
 * calibration over the classes met so far.
 *
 * Zhou et al. 2023, "Few-shot class-incremental learning by sampling multi-phase tasks", arXiv:2203.17030, and the authors' program
 * (zhoudw-zdw/TPAMI-Limit), whose logits by cosine and attention these are; it has no dropout either where it learns.
 * Differs from the program: it draws one phase of 16 classes a step and repeats it; its set also has the vectors of classes that never came; columns
 * become means once, not after every epoch; its schedule is that of the run, so that network and attention have one rate.
 *
 * Implements: P220 LIMIT
 *
 * @throws TypeError where the head has no column for each class.
 *
 * @example
 * ```ts
 * import { limit } from "thalweg";
 * limit({ phases: 2, ways: 2, shots: 5 });
 * ```
 */
export const limit = strategy(
  "limit",
  {
    /** Fake experiences in each step, classes that come in each, and examples of each class. */
    phases: 2,
    ways: 2,
    shots: 1,
    /** What cosines are multiplied by. */
    scale: 16,
    /** The share of the first experience's steps that come before the fake streams; 0 for a network that is trained already. */
    warmup: 0.5,
  },
  ({ phases, ways, shots, scale, warmup }) => {
    for (const [what, value] of Object.entries({ phases, ways, shots })) requireWhole("limit", what, value, 1);
    requireNumber("limit", "scale", scale, 1e-6);
    requireNumber("limit", "warmup", warmup, 0, 1);
    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      parameters({ network, weights, rng }): Params {
        headKernel("limit", weights);
        return calibration(network.width.at(-1)!, rng);
      },
      init: (): Memory => ({ sums: null, counts: null }),
      beforeExperience: ({ sums, counts, tensors }: Memory, { classes }, { columns }) => ({
        sums,
        counts,
        tensors: { met: marked(columns, classes, tensors?.met) },
      }),
      data: ({ sums }: Memory, { train }) =>
        sums === null ? train : { ...train, length: 0, labels: new Int32Array(0) },
      batch({ sums }: Memory, batch, { rng, step, columns, epochs, batch: size }) {
        const steps = Math.ceil(batch.from.length / size) * epochs;
        if (sums !== null || step < Math.round(warmup * steps)) return batch;
        const episode = fakeStream(batch.from, { phases, ways, shots }, columns, rng.at("episode", step));
        return withExtra(batch, "limit", episode);
      },
      taskLoss(_state, step) {
        const { features, y, weights, mask, extra } = step;
        const vectors = tf.transpose(headKernel("limit", weights));
        const { supports, means, competing } = extra;
        if (supports === undefined)
          return step.targetLoss({ ...step, logits: tf.mul(cosines(features, vectors), scale) });
        const few = step.forward(supports, { task: null }).features as tf.Tensor2D;
        const own = addedBy<Calibration>(step, "limit");
        const asked = oneHots(y, vectors.shape[0]!);
        const losses = tf.unstack(means!).map((of, p) => {
          const open = tf.slice(competing!, [p, 0], [1, -1]);
          const drawn = tf.reshape(tf.sum(of, 1), [-1, 1]);
          const now = tf.add(tf.mul(vectors, tf.sub(1, drawn)), tf.matMul(of as tf.Tensor2D, few));
          const logits = tf.mul(calibrated(own, now as tf.Tensor2D, open, features as tf.Tensor2D), scale);
          const counts = tf.sum(tf.mul(asked, open), 1);
          const weight = step.weight === null ? counts : tf.mul(step.weight, counts);
          return step.crossEntropy(logits, y, mask === null ? open : tf.mul(mask, open), weight);
        });
        return tf.div(tf.addN(losses), losses.length) as tf.Scalar;
      },
      afterExperience({ sums, counts, tensors }: Memory, { index }, context) {
        const { train } = context.stream.experience(index);
        const labelled = train.labels.some((label) => label >= 0);
        if (!labelled) return { sums: sums ?? new Float64Array(0), counts: counts ?? new Float64Array(0), tensors };
        const before = sums === null ? null : { sums, counts: counts! };
        const { tensors: made, ...next } = withRows(
          before,
          context.outputs(train).features,
          train.labels,
          context.columns,
        );
        for (const tensor of Object.values(made)) tensor.dispose();
        const width = next.sums.length / context.columns;
        const means = classMeans({ ...next, width });
        const vectors = [...next.counts.keys()]
          .filter((column) => next.counts[column]! > 0)
          .map((column) => [column, means.subarray(column * width, (column + 1) * width)] as const);
        return { ...next, tensors, weights: withColumns(context.weights, new Map(vectors)) };
      },
      rowwise: true,
      predict({ tensors }: Partial<Memory>, { features, logits, weights }) {
        if (tensors === undefined) return logits;
        const columns = logits.shape[1]!;
        const known = tensors.met.shape[1]!;
        const vectors = tf.slice(tf.transpose(headKernel("limit", weights)), [0, 0], [known, -1]) as tf.Tensor2D;
        const own = addedBy<Calibration>({ weights }, "limit");
        const scores = tf.mul(calibrated(own, vectors, tensors.met, features as tf.Tensor2D), scale);
        return amongSeen(scores, tensors.met, columns);
      },
    };
  },
  ["boundary", "labels"],
);

/** A new calibration of vectors of a width. */
function calibration(width: number, rng: Rng): Calibration {
  const drawn = (name: string): tf.Tensor => rng.at(name).normals([width, width], 0, Math.sqrt(1 / width));
  const bound = 1 / Math.sqrt(width);
  return {
    query: drawn("query"),
    key: drawn("key"),
    value: drawn("value"),
    after: drawn("after"),
    bias: rng.at("bias").uniforms([width], -bound, bound),
    scale: tf.ones([width]),
    shift: tf.zeros([width]),
  };
}

/**
 * *Traced.* `[n, classes]`: the cosines of rows and class vectors after each row and all vectors have attended to each other. Only vectors whose mark
 * in `[1, classes]` is 1 are looked at.
 */
function calibrated(own: Calibration, vectors: tf.Tensor2D, open: tf.Tensor, rows: tf.Tensor2D): tf.Tensor {
  const [classes, width] = vectors.shape;
  const n = rows.shape[0];
  const through = (x: tf.Tensor2D, by: "query" | "key" | "value"): tf.Tensor2D =>
    tf.matMul(x, own[by] as tf.Tensor2D) as tf.Tensor2D;
  const near = (queries: tf.Tensor2D, keys: tf.Tensor2D): tf.Tensor =>
    tf.div(tf.matMul(queries, keys, false, true), Math.sqrt(width));
  const others = tf.mul(tf.sub(1, open), excluded);
  const value = through(rows, "value");
  const values = through(vectors, "value");
  const after = (x: tf.Tensor, residual: tf.Tensor): tf.Tensor =>
    nn.layerNormalise(
      tf.add(
        tf.add(tf.reshape(tf.matMul(tf.reshape(x, [-1, width]), own.after as tf.Tensor2D), x.shape), own.bias),
        residual,
      ),
      own.scale,
      own.shift,
    );
  // the row itself is the last of its set
  const itself = tf.sum(tf.mul(through(rows, "query"), through(rows, "key")), 1, true);
  const ofRow = tf.softmax(
    tf.concat(
      [tf.add(near(through(rows, "query"), through(vectors, "key")), others), tf.div(itself, Math.sqrt(width))],
      1,
    ),
  );
  const row = tf.add(
    tf.matMul(tf.slice(ofRow, [0, 0], [n, classes]) as tf.Tensor2D, values),
    tf.mul(tf.slice(ofRow, [0, classes], [n, 1]), value),
  );
  const amongVectors = tf.add(near(through(vectors, "query"), through(vectors, "key")), others);
  const ofVectors = tf.softmax(
    tf.concat(
      [
        tf.add(tf.expandDims(amongVectors, 0), tf.zeros([n, 1, 1])),
        tf.expandDims(near(through(rows, "key"), through(vectors, "query")), 2),
      ],
      2,
    ),
  );
  const shared = tf.matMul(
    tf.reshape(tf.slice(ofVectors, [0, 0, 0], [n, classes, classes]), [n * classes, classes]) as tf.Tensor2D,
    values,
  );
  const seen = tf.add(
    tf.reshape(shared, [n, classes, width]),
    tf.mul(tf.slice(ofVectors, [0, 0, classes], [n, classes, 1]), tf.expandDims(value, 1)),
  );
  const now = normalised(after(seen, tf.expandDims(vectors, 0)));
  return tf.sum(tf.mul(now, tf.expandDims(normalised(after(row, rows)), 1)), 2);
}

/**
 * A fake stream from a table: the examples that are drawn, for each phase the rows by which they make means, `[phases, columns, examples]`, and the
 * classes that compete. One class at least is not drawn where there are several.
 */
function fakeStream(
  from: Examples,
  { phases, ways, shots }: { readonly phases: number; readonly ways: number; readonly shots: number },
  columns: number,
  rng: Rng,
): Readonly<Record<"supports" | "means" | "competing", HostTensor>> {
  const rows = rowsByClass(from);
  const all = [...rows.keys()];
  const order = [...rng.at("classes").permutation(all.length)].map((i) => all[i]!);
  const drawn = order.slice(0, Math.min(phases * ways, Math.max(1, all.length - 1)));
  const at = drawn.flatMap((column, k) => {
    const own = rows.get(column)!;
    const some = [...rng.at("examples", k).sample(own.length, Math.min(shots, own.length))].map((i) => own[i]!);
    return Array.from({ length: shots }, (_, s) => some[s % some.length]!);
  });
  const count = Math.ceil(drawn.length / ways);
  const means = new Float32Array(count * columns * at.length);
  const competing = new Float32Array(count * columns);
  for (let p = 0; p < count; p++) {
    const later = new Set(drawn.slice((p + 1) * ways));
    for (const column of all) if (!later.has(column)) competing[p * columns + column] = 1;
    for (const [k, column] of drawn.slice(0, (p + 1) * ways).entries())
      for (let s = 0; s < shots; s++) means[(p * columns + column) * at.length + k * shots + s] = 1 / shots;
  }
  return {
    supports: { data: gather(from, at), shape: [at.length, ...from.shape] },
    means: { data: means, shape: [count, columns, at.length] },
    competing: { data: competing, shape: [count, columns] },
  };
}
