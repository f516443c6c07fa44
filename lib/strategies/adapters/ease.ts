import { cloneTree, type Tree, tf } from "../../engine/index.ts";
import { type Bottlenecks, bottlenecksAt, drawBottlenecks } from "../parts/bottlenecks.ts";
import { amongSeen } from "../parts/closed-form.ts";
import { normalised } from "../parts/distillation.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, withAdded } from "../parts/prompts.ts";
import { type Known, prototypeUnder } from "../parts/synthesised.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly known: ReadonlyMap<number, Known>;
  readonly tensors: {
    readonly open?: tf.Tensor;
    /** The adapters of the experiences so far. */
    readonly adapters?: readonly Bottlenecks[];
    /** `[adapters, columns, width]` of length 1, how each counts, `[adapters, columns]`, and which classes there are. */
    readonly prototypes?: tf.Tensor;
    readonly counts?: tf.Tensor;
    readonly seen?: tf.Tensor;
  };
}

/**
 * EASE: every experience trains an adapter of its own beside a frozen network; a class is told by its prototypes under all of them, and where
 * an adapter came after the class its prototype there is put together from those of new classes that are like it.
 *
 * The adapters are bottlenecks beside the dense layers of each block, trained with the head by the cross-entropy among the classes of the
 * experience. The score of class c is `Σ_d w cos(f_d(x), p_{c,d})` over the adapters d; w is 1 for the adapter of the class's own experience
 * and `alpha / t` for the others, t being the number of experiences before. With d after the class, `p_{c,d} = Σ_k s_k p_{k,d}` over the
 * classes k met since d came, s the softmax of their cosines with c under the adapter of c. Nothing of the past is kept but means. Memory and
 * work grow with the number of experiences.
 *
 * Zhou et al. 2024, arXiv:2403.12030, eq. 4–9; the program is sun-hailong/LAMDA-PILOT.
 * Differs from the paper: the network's own head is trained with the adapter (a cosine one where the model is `headed(normalized())`, as
 * there); bottlenecks see what the dense layers see, after normalisation. A class that comes again has means under the adapters that came
 * since.
 *
 * Implements: P151 EASE
 *
 * @example
 * ```ts
 * import { ease } from "thalweg";
 * ease({ units: 16, alpha: 0.1 });
 * ```
 */
export const ease = strategy(
  "ease",
  {
    /** Units of the bottlenecks. */
    units: 64,
    /** What a bottleneck's output is multiplied by. */
    scale: 0.1,
    /** How much the adapters of other experiences count. */
    alpha: 0.1,
  },
  ({ units, scale, alpha }) => {
    requireWhole("ease", "units", units, 1);
    requireNumber("ease", "scale", scale, 0);
    requireNumber("ease", "alpha", alpha, 0);
    return {
      attention: true,
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, rng }) => drawBottlenecks(network, rng.at(0), units),
      init: (): Memory => ({ known: new Map(), tensors: {} }),
      beforeExperience({ known, tensors }: Memory, experience, context) {
        const state = { known, tensors: { ...tensors, open: openColumns(experience, context) } };
        if (experience.index === 0) return state;
        const fresh = drawBottlenecks(context.network, context.rng.at(experience.index), units);
        return { ...state, weights: withAdded(context.weights, "ease", fresh), restart: true };
      },
      forward: (_state, pass) => pass.plain(bottlenecksAt(pass.network, addedBy<Bottlenecks>(pass, "ease"), scale)),
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      afterExperience({ known, tensors }: Memory, { index }, context): Memory {
        const { train } = context.stream.experience(index);
        if (train.length === 0) return { known, tensors };
        const own = context.weights.added!.ease as Bottlenecks;
        const adapters = [...(tensors.adapters ?? []), cloneTree(own as Tree) as Bottlenecks];
        const width = context.network.width[0]!;
        const next = new Map(known);
        const perAdapter = adapters.map((adapter) =>
          meansOf(context.outputs(train, withAdded(context.weights, "ease", adapter)).features, train.labels, width),
        );
        for (const label of new Set(train.labels)) {
          const now = perAdapter.map((means) => means.get(label)!);
          const { task, means } = known.get(label) ?? { task: adapters.length - 1, means: now };
          next.set(label, { task, means: now.map((mean, d) => means[d] ?? mean) });
        }
        return {
          known: next,
          tensors: { ...tensors, adapters, ...prototypeTensors(next, adapters.length, width, alpha, context) },
        };
      },
      predict({ tensors }, given) {
        if (tensors?.prototypes === undefined) return given.logits;
        const { adapters, prototypes, counts, seen } = tensors;
        const scores = tf.addN(
          adapters!.map((adapter, d) => {
            const weights = withAdded(given.weights, "ease", adapter);
            const rows = normalised(given.forward(given.x, { weights }).features) as tf.Tensor2D;
            const own = tf.gather(prototypes, d) as tf.Tensor2D;
            return tf.mul(tf.matMul(rows, own, false, true), tf.gather(counts!, d));
          }),
        );
        return amongSeen(scores, seen!, given.logits.shape[1]!);
      },
    };
  },
  ["boundary", "labels"],
);

function meansOf(features: Float32Array, labels: Int32Array, width: number): Map<number, Float64Array> {
  const sums = new Map<number, Float64Array>();
  const counts = new Map<number, number>();
  for (const [i, label] of labels.entries()) {
    const sum = sums.get(label) ?? new Float64Array(width);
    for (let j = 0; j < width; j++) sum[j]! += features[i * width + j]!;
    sums.set(label, sum);
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return new Map([...sums].map(([label, sum]) => [label, sum.map((v) => v / counts.get(label)!)]));
}

function prototypeTensors(
  known: ReadonlyMap<number, Known>,
  adapters: number,
  width: number,
  alpha: number,
  { columns }: Pick<Context, "columns">,
): Required<Pick<Memory["tensors"], "prototypes" | "counts" | "seen">> {
  const prototypes = new Float32Array(adapters * columns * width);
  const counts = new Float32Array(adapters * columns);
  const seen = new Float32Array(columns);
  for (const [label, own] of known) {
    seen[label] = 1;
    for (let d = 0; d < adapters; d++) {
      const row = prototypeUnder(d, own, known.values());
      const size = Math.hypot(...row) || 1;
      for (let j = 0; j < width; j++) prototypes[(d * columns + label) * width + j] = row[j]! / size;
      counts[d * columns + label] = d === own.task ? 1 : alpha / Math.max(1, adapters - 1);
    }
  }
  return {
    prototypes: tf.tensor3d(prototypes, [adapters, columns, width]),
    counts: tf.tensor2d(counts, [adapters, columns]),
    seen: tf.tensor1d(seen),
  };
}
