import { tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { meanSquares, normalised } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { snapshot } from "../parts/snapshot.ts";
import { type TeacherTensors, teacherOf } from "../parts/teacher.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: TeacherTensors;
}

const objectives = ["mse", "cosine", "relations", "information", "attention"] as const;

/**
 * Distillation of features: what the head of a network gets is made like what a trained network's head gets, besides the loss of the task.
 *
 * A linear map, trained with the network, brings its features `f` to as many numbers `g` as the teacher's `t` have. The objective is
 *
 * - `mse`: the mean squared difference of g and t;
 * - `cosine`: `1 − cos(g, t)`;
 * - `relations`: the Huber loss between the distances of all pairs of examples, each divided by their mean, of f and of t (no map);
 * - `information`: minus a lower bound on the mutual information, with the critic `c_ij = cos(g_j, t_i) / temperature` over a batch and
 *   `m_i = mean_j e^{c_ij}`: `1 + mean_i (c_ii − log(α m_i + 1 − α)) − mean_i m_i / (α m_i + 1 − α)`. With `alpha` 1 it is InfoNCE;
 * - `attention`: where the layers before the head look. Of what a layer of images gives, a map is the mean over channels of the squares, as a vector of
 *   length 1; of each size of images that both networks have, the last maps are compared by the mean squared difference, and the sizes added up (no map
 *   of features). A `weight` of about 1000 is usual.
 *
 * It goes beside `distil`, which is about logits: `.by(distil({ teacher }), distilFeatures({ teacher }))`. Without a teacher the network's own features
 * as the run began are kept.
 *
 * Implements: P309 Distiller (MI-alpha)
 * He et al. 2021, "Distiller: a systematic study of model distillation methods in natural language processing", arXiv:2109.11105: `information`, the bound
 * I_α of Poole et al. 2019, arXiv:1905.06922, eq. 12 with a baseline of 1. `relations`: Park et al. 2019, arXiv:1904.05068, eqs. 3 and 5. `attention`:
 * Zagoruyko and Komodakis 2017, arXiv:1612.03928, section 3.1, with the mean of its program.
 *
 * Implements: P325 Self-distill further pre-training
 * Lee et al. 2022, "Self-distillation for further pre-training of transformers", arXiv:2210.02871, section 3: a phase of `autoencoder` makes the teacher, one
 * of `autoencoder` and this with `objective: "mse"` begins again from where that one began, and a third tunes.
 *
 * Differs from the paper: the features that the head gets, not those of chosen layers; for `attention` the layers are found by the size of what they give;
 * their search over augmentations and mappings is a sweep of one's own.
 *
 * @example
 * ```ts
 * import { classes, digits, distilFeatures, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * phases({
 *   teacher: stream.learn(mlp({ hidden: [64] })),
 *   student: (teacher) => stream.learn(mlp({ hidden: [8] })).by(distilFeatures({ teacher, objective: "cosine" })),
 * });
 * ```
 */
export const distilFeatures = strategy(
  "distilFeatures",
  {
    /** The network whose features are learnt; null stands for the network itself as the run begins. */
    teacher: null as TrainedNetwork | null,
    /** What is compared, and how. */
    objective: "information" as (typeof objectives)[number],
    /** Strength of the term. */
    weight: 1,
    /** Between the bound of low variance (1) and the one without a ceiling (0), for `information`. */
    alpha: 0.9,
    /** What cosines are divided by, for `information`. */
    temperature: 0.1,
  },
  ({ teacher, objective, weight, alpha, temperature }) => {
    requireOneOf("distilFeatures", "objective", objective, objectives);
    requireNumber("distilFeatures", "weight", weight, 0);
    requireNumber("distilFeatures", "alpha", alpha, 0, 1);
    requireNumber("distilFeatures", "temperature", temperature, 1e-3);
    const given = teacher === null ? null : teacherOf("distilFeatures", teacher);
    const mapped = objective !== "relations" && objective !== "attention";
    const widthOf = (shape: readonly number[]): number => {
      if (shape.length !== 1)
        throw new TypeError(`distilFeatures: features that are a vector are required, got shape [${shape}]`);
      requireWhole("distilFeatures", "the width of the features", shape[0]!, 1);
      return shape[0]!;
    };
    return {
      tokens: "its features are one vector for an example, and sequences have one at each place",
      parameters({ network, rng }): Params {
        const inputs = widthOf(network.width);
        const outputs = teacher === null ? inputs : widthOf(teacher.structure.width);
        return mapped ? { map: rng.at("map").normals([inputs, outputs], 0, Math.sqrt(1 / inputs)) } : {};
      },
      init(context): Memory {
        const own = (): TeacherTensors => ({ ...snapshot(context), open: tf.ones([1, context.columns]) });
        return { tensors: given === null ? own() : given.tensors(context) };
      },
      loss({ tensors }, step) {
        const { x, task, features } = currentRows(step);
        const said = (within: Within = {}): tf.Tensor => {
          if (given !== null) return given.features(tensors, x, within);
          const { weights, statistics = {} } = tensors;
          return step.forward(x, { weights, frozen: statistics, task, ...within }).features;
        };
        if (objective === "attention") {
          const own = mapsOf((within) => step.forward(x, { task, ...within }));
          return tf.mul(attention(own, mapsOf(said)), weight) as tf.Scalar;
        }
        const wanted = said();
        const { map } = (step.weights.added?.distilFeatures ?? {}) as { map?: tf.Tensor2D };
        const own = map === undefined ? features : tf.matMul(features as tf.Tensor2D, map);
        const term =
          objective === "mse"
            ? meanSquares(own, wanted)
            : objective === "cosine"
              ? tf.mean(tf.sub(1, tf.sum(tf.mul(normalised(own), normalised(wanted)), -1)))
              : objective === "relations"
                ? relations(own, wanted)
                : tf.neg(information(own, wanted, alpha, temperature));
        return tf.mul(term, weight) as tf.Scalar;
      },
    };
  },
);

/** The last map of attention of each size of images in a pass: `[n, places]`, rows of length 1. */
type Maps = ReadonlyMap<string, tf.Tensor>;

/** *Traced.* What a pass gives for each size, by the layers' outputs in order. */
function mapsOf(pass: (within: Within) => unknown): Maps {
  const last = new Map<string, tf.Tensor>();
  pass({
    around(_path, x, run) {
      const given = run(x);
      if (given.rank === 4) last.set(`${given.shape.slice(1, 3)}`, given);
      return given;
    },
  });
  return new Map(
    [...last].map(([size, given]) => [
      size,
      normalised(tf.reshape(tf.mean(tf.square(given), -1), [given.shape[0]!, -1])),
    ]),
  );
}

/** The mean squared differences of maps of the same size, added up. */
function attention(own: Maps, wanted: Maps): tf.Tensor {
  const both = [...own.keys()].filter((size) => wanted.has(size));
  if (both.length === 0)
    throw new TypeError(
      `distilFeatures: layers that give images of one size in both networks are required for attention, got sizes ${[...own.keys()].join(" and ") || "of none"} and ${[...wanted.keys()].join(" and ") || "of none"}; use convolutions`,
    );
  return tf.addN(both.map((size) => meanSquares(own.get(size)!, wanted.get(size)!)));
}

/** The Huber loss between the pairwise distances of two tables of rows, each in units of their mean. */
function relations(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const distances = (of: tf.Tensor): tf.Tensor => {
    const squares = tf.sum(tf.square(of), -1, true);
    const both = tf.matMul(of as tf.Tensor2D, of as tf.Tensor2D, false, true);
    const apart = tf.sqrt(tf.add(tf.relu(tf.sub(tf.add(squares, tf.transpose(squares)), tf.mul(both, 2))), 1e-12));
    const pairs = of.shape[0]! * Math.max(1, of.shape[0]! - 1);
    return tf.div(apart, tf.add(tf.div(tf.sum(apart), pairs), 1e-12));
  };
  const off = tf.abs(tf.sub(distances(a), distances(b)));
  // ½ off² up to 1, then off − ½
  const near = tf.minimum(off, 1);
  return tf.mean(tf.add(tf.mul(tf.square(near), 0.5), tf.sub(off, near)));
}

/** A lower bound on the mutual information between rows that belong together. */
function information(own: tf.Tensor, wanted: tf.Tensor, alpha: number, temperature: number): tf.Tensor {
  const [g, t] = [normalised(own) as tf.Tensor2D, normalised(wanted) as tf.Tensor2D];
  const matched = tf.div(tf.sum(tf.mul(g, t), -1), temperature);
  const all = tf.div(tf.matMul(t, g, false, true), temperature);
  const mean = tf.mean(tf.exp(all), -1);
  const baseline = tf.add(tf.mul(mean, alpha), 1 - alpha);
  return tf.sub(tf.add(1, tf.mean(tf.sub(matched, tf.log(baseline)))), tf.mean(tf.div(mean, baseline)));
}
