import { needShare, needWhole } from "../../data/options.ts";
import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";

type State = { readonly mean: Tree; readonly square: Tree };

/**
 * TAG: RMSProp that keeps the moments of every task by itself, and takes smaller steps where they would go against what earlier tasks did.
 *
 * Of each tensor there is, for each task, a running mean of gradients m and of their squares v. The step is `lr · g / √(Σ α v)` over the task
 * and those before it, with `α = e^(−b cos(m, m_t))` for an earlier task t and `e^(−b)` for the task itself; the first task moves by plain
 * RMSProp. Where gradients of the present go along with a past task's, its α is small and the step large: knowledge passes back.
 *
 * Needs to be told the task, and holds the moments of `tasks` tasks. All rows of a batch count as of the task of its first row.
 *
 * Implements: P114 TAG
 *
 * Malviya, Ravindran and Chandar 2022, "TAG: task-based accumulated gradients for lifelong learning", arXiv:2105.05155, section 3 and the
 * authors' program, with RMSProp.
 *
 * @throws TypeError in a run that does not tell the task.
 *
 * @example
 * ```ts
 * import { tag } from "thalweg";
 * tag({ lr: 0.01, tasks: 5 }).sees; // ["task"]
 * ```
 */
export const tag = optimizer(
  "tag",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** Tasks that are told apart; later ones count as the last. */
    tasks: 10,
    /** How much the agreement of tasks matters. */
    b: 5,
    /** Share of a task's running mean that is kept. */
    beta1: 0.9,
    /** Share of a task's running mean square that is kept. */
    beta2: 0.99,
    /** Added to the root. */
    epsilon: 1e-8,
  },
  ({ tasks, b, beta1, beta2, epsilon }) => {
    needWhole("tag", "tasks", tasks, 2);
    needShare("tag", "beta1", beta1);
    needShare("tag", "beta2", beta2);
    const each = (w: tf.Tensor): tf.Tensor => tf.zeros([tasks, ...w.shape]);
    const blended = (old: tf.Tensor, now: tf.Tensor, own: tf.Tensor, keep: number): tf.Tensor => {
      const mine = tf.reshape(own, [tasks, ...new Array(now.rank).fill(1)]);
      const next = tf.add(tf.mul(old, keep), tf.mul(now, 1 - keep));
      return tf.add(old, tf.mul(mine, tf.sub(next, old)));
    };
    /** The weight of each task's squares: 0 of those that have not been, `[tasks]`. */
    const alphas = (mean: tf.Tensor, own: tf.Tensor): tf.Tensor => {
      const rows = tf.reshape(mean, [tasks, mean.size / tasks]) as tf.Tensor2D;
      const lengths = tf.norm(rows, 2, 1);
      const met = tf.mul(tf.cast(tf.greater(lengths, 0), "float32"), tf.sub(1, own));
      const unit = tf.div(rows, tf.maximum(tf.reshape(lengths, [tasks, 1]), 1e-30)) as tf.Tensor2D;
      const mine = tf.matMul(tf.reshape(own, [1, tasks]) as tf.Tensor2D, unit);
      const agree = tf.reshape(tf.matMul(unit, mine, false, true), [tasks]);
      const other = tf.mul(met, tf.exp(tf.mul(agree, -b)));
      const alone = tf.equal(tf.sum(met), 0);
      return tf.add(other, tf.mul(own, tf.where(alone, tf.scalar(1), tf.scalar(Math.exp(-b)))));
    };
    return {
      sees: ["task"],
      init: (params): Tree => ({ mean: mapTensors(each, params), square: mapTensors(each, params) }),
      update(grads, state, _params, rate, seen) {
        const told = seen?.task;
        if (told === undefined || told === null)
          throw new TypeError(
            'tag: a stream that tells the task is required, got one that does not; use scenario("task")',
          );
        const task = tf.minimum(tf.slice(tf.cast(told, "int32"), [0], [1]), tasks - 1);
        const own = tf.reshape(tf.oneHot(tf.cast(task, "int32") as tf.Tensor1D, tasks, 1, 0, "float32"), [tasks]);
        const had = state as State;
        const mean = mapTensors((m, g) => blended(m, g!, own, beta1), had.mean, grads);
        const square = mapTensors((v, g) => blended(v, tf.square(g!), own, beta2), had.square, grads);
        const step = (g: tf.Tensor, m: tf.Tensor, v: tf.Tensor): tf.Tensor => {
          const weights = tf.reshape(alphas(m, own), [1, tasks]) as tf.Tensor2D;
          const whole = tf.matMul(weights, tf.reshape(v, [tasks, g.size]) as tf.Tensor2D);
          const root = tf.add(tf.sqrt(tf.reshape(whole, g.shape)), epsilon);
          return tf.mul(tf.div(g, root), tf.neg(rate));
        };
        return [mapTensors((g, m, v) => step(g, m!, v!), grads, mean, square), { mean, square }];
      },
    };
  },
);
