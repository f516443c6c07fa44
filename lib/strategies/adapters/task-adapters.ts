import { mapTensors, scoped, tf } from "../../engine/index.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { Flat } from "../../optim/parts/subset.ts";
import { copied, partsOf, withParts } from "../parts/own-parts.ts";
import { requireOneOf, strategy } from "../strategy.ts";

interface Memory {
  /** The tasks that were met, in the order of the stack. */
  readonly tasks: readonly number[];
  /** What a new task begins with; what each task has ended with, one on another, and the tasks. */
  readonly tensors: { readonly begun: Flat; readonly kept?: Flat; readonly tasks?: tf.Tensor };
}

/**
 * Each task has adapters of its own on one network, by which what was learnt before is never changed: a new task begins with new ones, and a
 * test example passes through those of its task. Memory grows with the number of tasks.
 *
 * `of` selects what each task has of its own among what is trained of the model: by default all that adapters bring, and where it has none
 * all of it. A task that comes back goes on with its own. The head is that of the scenario. Needs the task at test time.
 *
 * With `clr` on a frozen convolutional network it is the method of Ge et al. 2023, with `taps` that of Wallingford et al. 2022, with
 * `normTuning` networks that share all but their normalisations.
 *
 * @throws TypeError when a run begins where nothing of the model that is trained is selected.
 *
 * @example
 * ```ts
 * import { taskAdapters } from "thalweg";
 * taskAdapters({ begin: "last" });
 * ```
 */
export const taskAdapters = strategy(
  "taskAdapters",
  {
    /** What each task has of its own; null for all that adapters bring. */
    of: null as null | string | readonly string[],
    /** What a new task begins with: what the "first" began with, or what the "last" ended with. */
    begin: "first" as string,
  },
  ({ of, begin }) => {
    requireOneOf("taskAdapters", "begin", begin, ["first", "last"]);
    const own = (network: Network, weights: Weights): Flat => partsOf(network, weights, of);
    return {
      tokens: true,
      init({ network, weights }): Memory {
        const begun = own(network, weights);
        if (Object.keys(begun).length === 0)
          throw new TypeError(
            'taskAdapters: a model with something of its own for each task is required, got none that is trained; adapt the model, as from(pretrained("vit-small")).adapt(lora()), or name others with { of }',
          );
        return { tasks: [], tensors: { begun: copied(begun) } };
      },
      beforeExperience(memory: Memory, { index, task }, { weights }) {
        const { tasks, tensors } = memory;
        const at = tasks.indexOf(task);
        if (index === 0 || (at < 0 && begin === "last") || tasks.at(-1) === task) return memory;
        const next = scoped(() =>
          at < 0
            ? copied(tensors.begun)
            : mapTensors((stack: tf.Tensor) => tf.unstack(stack)[at]!.clone(), tensors.kept!),
        );
        return { ...memory, weights: withParts(weights, next), restart: true };
      },
      rowwise: true,
      forward({ tensors }: Memory, pass) {
        if (pass.training || tensors.kept === undefined || pass.task === null) return pass.plain();
        const task = tf.cast(tf.slice(pass.task, [0], [1]), "float32");
        const is = tf.cast(tf.equal(tensors.tasks!, task), "float32");
        const now = own(pass.network, pass.weights);
        const chosen = mapTensors(
          (stack: tf.Tensor, current?: tf.Tensor) => {
            const weight = tf.reshape(is, [is.size, ...current!.shape.map(() => 1)]);
            return tf.add(tf.sum(tf.mul(stack, weight), 0), tf.mul(current!, tf.sub(1, tf.sum(is))));
          },
          tensors.kept,
          now,
        );
        return pass.plain(withParts(pass.weights, chosen));
      },
      afterExperience({ tasks, tensors }: Memory, { task }, { network, weights }): Memory {
        const at = tasks.indexOf(task);
        const next = at < 0 ? [...tasks, task] : tasks;
        const now = own(network, weights);
        const kept = scoped(() =>
          mapTensors(
            (t: tf.Tensor, stack?: tf.Tensor) => {
              const parts = stack === undefined ? [] : tf.unstack(stack);
              parts[at < 0 ? parts.length : at] = t.clone();
              return tf.stack(parts);
            },
            now,
            ...(tensors.kept === undefined ? [] : [tensors.kept]),
          ),
        );
        return { tasks: next, tensors: { begun: tensors.begun, kept, tasks: tf.tensor1d([...next], "float32") } };
      },
    };
  },
  ["task", "boundary"],
);
