import { mapTensors, scoped, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { fresh } from "../parts/fresh.ts";
import { strategy } from "../strategy.ts";

interface Memory {
  /** Which task each kept network is of, in order; the networks, stacked. */
  readonly tasks: readonly number[];
  readonly tensors: { readonly networks?: Weights; readonly tasks?: tf.Tensor };
}

/**
 * A network of its own for every task: no forgetting and no transfer, at the price of memory that grows with the number of tasks.
 *
 * A task that comes back gets a new network in place of its old one. Needs the task at test time.
 *
 * Differs from the paper: in van de Ven et al. 2022 the separate networks are smaller than the shared one; here they are alike.
 *
 * @example
 * ```ts
 * import { separateNetworks } from "thalweg";
 * separateNetworks();
 * ```
 */
export const separateNetworks = strategy(
  "separateNetworks",
  {},
  () => ({
    tokens: true,
    init: (): Memory => ({ tasks: [], tensors: {} }),
    beforeExperience: (memory: Memory, { index }, context) => (index === 0 ? memory : { ...memory, ...fresh(context) }),
    rowwise: true,
    forward({ tensors }: Memory, pass) {
      if (pass.training || tensors.networks === undefined || pass.task === null) return pass.plain();
      const own = tf.cast(tf.equal(tensors.tasks!, tf.cast(tf.slice(pass.task, [0], [1]), "float32")), "float32");
      const kept = tf.sum(own);
      const chosen = mapTensors(
        (stack, now) => {
          const weight = tf.reshape(own, [own.size, ...now!.shape.map(() => 1)]);
          return tf.add(tf.sum(tf.mul(stack, weight), 0), tf.mul(now!, tf.sub(1, kept)));
        },
        tensors.networks,
        pass.weights,
      );
      return pass.plain(chosen);
    },
    afterExperience({ tasks, tensors }: Memory, { task }, { weights }): Memory {
      const at = tasks.indexOf(task);
      const next = at < 0 ? [...tasks, task] : tasks;
      const networks = scoped(() =>
        tensors.networks === undefined
          ? mapTensors((w) => tf.expandDims(w, 0), weights)
          : mapTensors(
              (stack, w) => {
                const parts = tf.unstack(stack);
                parts[at < 0 ? parts.length : at] = w!.clone();
                return tf.stack(parts);
              },
              tensors.networks,
              weights,
            ),
      );
      return { tasks: next, tensors: { networks, tasks: tf.tensor1d(next.map(Number), "float32") } };
    },
  }),
  ["task", "boundary"],
);
