import { mapTensors, type Rng, random, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { noised } from "../../models/noise-schedule.ts";
import { keptAt, noisingOf, told } from "../../models/parts/conditioned.ts";
import { saidOf } from "../../models/parts/denoising.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { adam } from "../../optim/optimizers/adam.ts";
import { type Denoiser, denoisingTeacher, startsOf } from "../parts/denoisers.ts";
import { still } from "../parts/still.ts";
import { requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: { readonly teacher: Denoiser };
  /** The score, and the state of its optimizer. A type, so that it is a tree of tensors. */
  readonly carried: { readonly score: Params; readonly optimizer: Tree };
}

/**
 * Distribution matching: a denoiser becomes a student that draws an example in one step, so that its examples are distributed as those that a teacher draws in many.
 *
 * The student is given noise and a class as an example of which nothing is left, and says which example is below it: `sample(student, { steps: 1 })` draws so. Noise is put into what it has
 * given, x; the teacher says which example is below that, and so does a third denoiser, the score, which has learnt what the student gives. The student is pulled from what the score
 * says to what the teacher says: the gradient at x is `(score − teacher) / mean |x − teacher|`, the mean over the numbers of an example, at a random step of the middle 96% of the
 * schedule. The score begins as the teacher and learns to take noise out of the student's examples, `scoreSteps` times after each step of the student, with Adam.
 *
 * No example of the stream is looked at: it says how many are drawn at a time, and for how long. Classes are drawn evenly from `labels`, so that a student may be there for a few of
 * them (`multiStudent`). Without a teacher the student is its own, as it was when the run began.
 *
 * Yin et al. 2024, "One-step diffusion with distribution matching distillation", arXiv:2311.18828, equations 7 and 8; Yin et al. 2024, "Improved distribution matching distillation",
 * arXiv:2405.14867, section 4.2: several steps of the score for one of the student, and no regression to pairs of noise and examples.
 * Differs from the papers: equation 8 has the root of what is left of the example as a further factor, which the authors' programs leave out, as is done here; there is no adversarial
 * loss; the score learns unweighted squares of what the teacher `predicts`; the teacher is not guided.
 *
 * @throws TypeError for a model that is no denoiser, or one that says the noise and not the example; RangeError for a teacher of other examples, and for labels that are not told.
 *
 * @example
 * ```ts
 * import { classes, diffusion, digits, distributionMatching, dit, from, phases } from "thalweg";
 * const stream = classes(digits());
 * const both = phases({
 *   teacher: stream.learn(dit({ classes: 10, predicts: "start" })).by(diffusion()),
 *   student: (teacher) => stream.learn(from(teacher)).by(distributionMatching({ teacher, labels: [0, 1, 2] })),
 * });
 * both.name; // "teacher → student"
 * ```
 */
export const distributionMatching = strategy(
  "distributionMatching",
  {
    /** The denoiser whose examples are learnt to be drawn; null stands for the network itself as the run begins. */
    teacher: null as TrainedNetwork | null,
    /** The classes that the student draws, as teacher and student are told them; none: all. */
    labels: [] as readonly number[],
    /** Steps of the score for each of the student. */
    scoreSteps: 5,
    /** The score's learning rate, in rates of the run. */
    scoreRate: 1,
  },
  ({ teacher, labels, scoreSteps, scoreRate }) => {
    const where = "distributionMatching";
    requireWhole(where, "scoreSteps", scoreSteps, 1);
    requireNumber(where, "scoreRate", scoreRate, 1e-9);
    const teaching = denoisingTeacher(where, teacher);
    const optimizer = adam();
    /** Examples that the student draws, and their classes. */
    const drawn = (step: Step, rng: Rng, weights?: Weights): { readonly x: tf.Tensor; readonly label: tf.Tensor } => {
      const noising = noisingOf(step.network.model)!;
      const n = step.x.shape[0]!;
      const all = Array.from({ length: Math.max(1, noising.classes) }, (_, c) => c);
      const label = among(labels.length > 0 ? labels : all, n, rng.at("label"));
      const beside = told(noising, tf.fill([n], noising.schedule.steps - 1), label);
      const how = weights === undefined ? { beside } : { beside, weights, frozen: step.statistics };
      const { features } = step.forward(rng.at("start").normals(step.x.shape), how);
      return { x: tf.reshape(features, step.x.shape), label };
    };
    return {
      denoiser: true,
      rowwise: true,
      tokens: "it takes noise out of numbers, and tokens are none",
      init(context): Memory {
        const own = noisingOf(context.network.model)!;
        if (own.predicts !== "start")
          throw new TypeError(
            `${where}: a student that says the example is required, got one that says the noise; make it with { predicts: "start" }`,
          );
        const tensors = teaching.tensors(context, labels);
        const score = mapTensors((t: tf.Tensor) => t.clone(), tensors.model);
        const state = scoped(() => optimizer.init(score as unknown as Tree));
        return { tensors: { teacher: tensors }, carried: { score, optimizer: state } };
      },
      taskLoss({ tensors, carried }: Memory, step) {
        const by = teaching.of(step.network.model);
        const rng = (step.rng ?? random(0)).at(where);
        const { x, label } = drawn(step, rng.at("student"));
        const { steps } = by.noising.schedule;
        const [first, last] = [Math.floor(0.02 * steps), Math.max(1, Math.floor(0.98 * steps))];
        const time = tf.floor(rng.at("time").uniforms([x.shape[0]!], first, last));
        const kept = keptAt(by.noising, time, x.rank);
        const fixed = still(x);
        const noisy = noised(fixed, rng.at("noise").normals(x.shape), kept);
        const real = startsOf(by, tensors.teacher, noisy, { time, label, kept });
        const score = { model: carried.score, statistics: tensors.teacher.statistics };
        const fake = startsOf(by, score, noisy, { time, label, kept });
        const axes = x.shape.slice(1).map((_, axis) => axis + 1);
        const far = tf.maximum(tf.mean(tf.abs(tf.sub(fixed, real)), axes, true), 1e-6);
        const wanted = still(tf.sub(fixed, tf.div(tf.sub(fake, real), far)));
        return tf.mul(tf.mean(tf.squaredDifference(x, wanted)), 0.5) as tf.Scalar;
      },
      update({ tensors, carried }: Memory, { after }, step): Tree {
        const { model, noising } = teaching.of(step.network.model);
        const rate = tf.mul(step.rate, scoreRate);
        let { score, optimizer: state } = carried;
        for (let i = 0; i < scoreSteps; i++) {
          const rng = (step.rng ?? random(0)).at(where, "score", i);
          const { x, label } = drawn(step, rng, after);
          const time = tf.floor(rng.at("time").uniforms([x.shape[0]!], 0, noising.schedule.steps));
          const noise = rng.at("noise").normals(x.shape);
          const noisy = noised(x, noise, keptAt(noising, time, x.rank));
          const wanted = noising.predicts === "noise" ? noise : x;
          const { grads } = valueAndGrad((now: Params) => {
            const said = saidOf(model, { model: now }, tensors.teacher.statistics, noisy, time, label);
            return tf.mean(tf.squaredDifference(said, wanted));
          }, score);
          const [moves, next] = optimizer.update(grads as unknown as Tree, state, score as unknown as Tree, rate);
          score = mapTensors((w: tf.Tensor, move: tf.Tensor) => tf.add(w, move), score, moves as unknown as Params);
          state = next;
        }
        return { score, optimizer: state } as unknown as Tree;
      },
    };
  },
);

/** *Traced.* `[n]` labels, drawn evenly from some. */
function among(labels: readonly number[], n: number, rng: Rng): tf.Tensor {
  const at = tf.minimum(tf.floor(rng.uniforms([n], 0, labels.length)), labels.length - 1);
  return tf.gather(tf.tensor1d([...labels]), tf.cast(at, "int32"));
}
