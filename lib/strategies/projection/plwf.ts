import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { oldColumns, softCrossEntropies } from "../parts/distillation.ts";
import { awayFrom, plus } from "../parts/projection.ts";
import { currentRows } from "../parts/rows.ts";
import { recalled, type Snapshot, snapshot, widenedTo } from "../parts/snapshot.ts";
import { type Context, requireNumber, requireOneOf, type Step, strategy } from "../strategy.ts";

/** The network after an experience, and `[1, columns]` which columns it has taught. A type, so that it is a tree of tensors. */
type Teacher = Snapshot & { readonly columns: tf.Tensor };

interface Memory {
  readonly tensors: { readonly [experience: string]: Teacher };
}

/**
 * Progressive learning without forgetting: on the new examples the network is held to what it said of them after every earlier experience, not
 * after the last alone, and what the new task asks for gives way where it is against that.
 *
 * Adds `lambda · Σₖ −Σ_c p_c log q_c / K` over the K earlier experiences, with p and q the softmax of the logits of the network after the k-th and
 * now, divided by `temperature`, over the columns that were met by then, or with a head for each task over those of its own. Of the gradient of everything
 * else its part against that of this term is taken away where the two disagree (`project: "new"`); with "both" the term's gradient loses its part
 * against the other as well, each by what the other was. Memory grows with the number of experiences, of which each leaves a copy of the network, and work grows with it, as a step passes through all of them.
 *
 * Implements: P155 PLwF
 *
 * Feng et al. 2022, "Progressive learning without forgetting", arXiv:2211.15215. Written from the abstract: that the terms count alike, over which
 * columns each is, and which gradient gives way were chosen here.
 *
 * @example
 * ```ts
 * import { plwf } from "thalweg";
 * plwf({ lambda: 2, project: "both" });
 * ```
 */
export const plwf = strategy(
  "plwf",
  {
    /** Strength of the distillation. */
    lambda: 1,
    /** What logits are divided by. */
    temperature: 2,
    /** Which gradient loses its part against the other: that of everything else, each of the two, or none. */
    project: "new" as "new" | "both" | "none",
    /** Added to the squared length that is divided by. */
    epsilon: 1e-12,
  },
  ({ lambda, temperature, project, epsilon }) => {
    requireNumber("plwf", "lambda", lambda, 0);
    requireNumber("plwf", "temperature", temperature, 1e-6);
    requireOneOf("plwf", "project", project, ["new", "both", "none"]);
    requireNumber("plwf", "epsilon", epsilon, 0);
    const past = ({ tensors }: Memory, step: Step, weights?: Weights): tf.Scalar => {
      const teachers = Object.values(tensors);
      const { x, task, logits: now } = currentRows(step);
      const logits = weights === undefined ? now : step.forward(x, { weights, task }).logits;
      const each = teachers.map((teacher) => {
        const columns = widenedTo(teacher.columns, logits.shape.at(-1)!);
        const before = widenedTo(recalled(teacher, step, x, task).logits, logits.shape.at(-1)!);
        return tf.mean(softCrossEntropies(logits, before, temperature, columns));
      });
      return tf.mul(tf.mean(tf.stack(each)), lambda) as tf.Scalar;
    };
    const isEmpty = ({ tensors }: Memory): boolean => Object.keys(tensors).length === 0;
    return {
      role: "projection",
      tokens: true,
      init: (): Memory => ({ tensors: {} }),
      loss: (memory: Memory, step) => (isEmpty(memory) ? tf.scalar(0) : past(memory, step)),
      gradient(memory: Memory, gradient, step) {
        if (isEmpty(memory) || project === "none" || lambda === 0) return gradient;
        const old = step.gradient((weights) => past(memory, step, weights));
        const fresh = plus(gradient, old, -1);
        const held = project === "both" ? awayFrom(old, fresh, epsilon) : old;
        return plus(awayFrom(fresh, old, epsilon), held, 1);
      },
      afterExperience({ tensors }: Memory, { index, task }, context): Memory {
        const columns = columnsAfter(index, task, context);
        return { tensors: { ...tensors, [String(index)]: { ...snapshot(context), columns } } };
      },
    };
  },
  ["boundary"],
);

/** `[1, columns]`: 1 for the columns met by the end of an experience, or with a head for each task for those of its own. */
function columnsAfter(index: number, task: number, context: Context): tf.Tensor {
  const { stream, columns } = context;
  if (stream.head !== "multi") return oldColumns(context, index + 1)!;
  const own = new Set(stream.classesOf(task));
  return tf.tensor2d(
    Float32Array.from({ length: columns }, (_, column) => +own.has(column)),
    [1, columns],
  );
}
