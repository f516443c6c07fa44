/** Finds which tensor of a run was the first to hold a number that is not finite, by taking the steps again one by one. */
import { disposeTree, mapTensors, paths, type Rng, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Tap } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";
import type { Strategy } from "../../strategies/strategy.ts";
import { passed } from "../pass.ts";
import { type Constants, type Inputs, type Learner, passing, type RowLayout, type TrainStep } from "../step.ts";

/** What the steps of one program were taken with. The tensors are still the caller's. */
export interface Taken {
  readonly before: Learner;
  readonly inputs: Inputs;
  readonly rngs: readonly Rng[];
  readonly constants: Constants;
  readonly layout: RowLayout;
}

/** The first tensor of a tree with a number that is not finite, and how many of its numbers are not; null when all are finite. */
function firstIn(tree: unknown): string | null {
  for (const [path, tensor] of paths<unknown>(tree as Tree<unknown>)) {
    if (!(tensor instanceof tf.Tensor) || tensor.dtype !== "float32") continue;
    const numbers = tensor.dataSync() as Float32Array;
    const bad = numbers.reduce((count, x) => count + (Number.isFinite(x) ? 0 : 1), 0);
    if (bad > 0) return `"${path}" (${bad} of its ${numbers.length} numbers are not finite)`;
  }
  return null;
}

/**
 * Says which tensor was the first with a number that is not finite, before the loss of the k-th of the steps, and after which step.
 *
 * `first` is the number of steps taken before them; their results, which are of no use any more, are freed.
 */
export function culprit(
  step: TrainStep,
  network: Network,
  strategies: readonly Strategy[],
  { before, inputs, rngs, constants, layout }: Taken,
  first: number,
  results: unknown,
): (k: number) => string {
  return (last) => {
    disposeTree(results);
    let learner = mapTensors((leaf) => leaf.clone(), before);
    try {
      for (let k = 0; ; k++) {
        const found = firstIn(learner);
        const when = first + k === 0 ? "from the start" : `after step ${first + k}`;
        if (found !== null) return `; the first tensor is ${found}, ${when}`;
        const now = scoped(() => mapTensors((leaf) => tf.slice(leaf, [k], [1]), inputs));
        try {
          if (k === last) return `; ${within(network, strategies, learner, now, rngs[k]!, constants)}`;
          const [next, out] = step(learner, now, rngs.slice(k, k + 1), constants, layout);
          disposeTree([learner, out]);
          learner = next;
        } finally {
          disposeTree(now);
        }
      }
    } finally {
      disposeTree(learner);
    }
  };
}

/** The first layer whose result is not finite although all weights are; the loss itself where all layers' are finite. */
function within(
  network: Network,
  strategies: readonly Strategy[],
  { weights, statistics, carried }: Learner,
  inputs: Inputs,
  rng: Rng,
  constants: Constants,
): string {
  return tf.tidy(() => {
    const { task, extra, ...given } = mapTensors((leaf) => tf.squeeze(leaf, [0]), {
      ...{ x: inputs.x, task: inputs.task ?? null, extra: inputs.extra },
    });
    const x = passing(given, constants);
    const layers: [string, tf.Tensor][] = [["the input", x]];
    const tap: Tap = (path, _, output) => {
      layers.push([path.join("/"), output]);
      return output;
    };
    const own = strategies.find(({ hooks }) => hooks.forward !== undefined);
    const state = ({ spec: { name } }: Strategy) => ({ tensors: constants[name], carried: carried[name] });
    const noise = rng.at("model");
    const through = { weights, statistics, x, task, training: true, rng: noise, within: { tap }, extra };
    passed(network, own, state, through);
    const found = layers.map(([name, output]) => firstIn({ [name]: output })).find((text) => text !== null);
    return found === undefined
      ? "all weights and the results of all layers are finite: the loss itself is not"
      : `all weights are finite; the first tensor is the result of ${found}`;
  });
}
