/** The loss on the straight way from a place in a run to another. */
import { decode, disposeTree, scoped, type Tree, tf } from "../engine/index.ts";
import { network } from "../models/network.ts";
import type { Figure } from "../plots/figure.ts";
import { type Interpolation, lossLandscape } from "../plots/loss-landscape.ts";
import { columns } from "../train/columns.ts";
import { evaluator } from "../train/evaluate.ts";
import { frozenOf } from "../train/held.ts";
import { alone } from "../train/parts/asking.ts";
import { samples, scored } from "../train/score.ts";
import type { RunSpec } from "../train/spec.ts";
import type { Saved } from "../train/state.ts";

/** How the way between two places is measured. */
export interface LandscapeOptions {
  /** Points on the way, both ends included. Default 11. */
  readonly points?: number;
  /** Test examples of each task, evenly spread. Default 256. */
  readonly examples?: number;
}

/** The saved states of one seed at both places. */
export interface Ends {
  readonly seed: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Measures the loss of every task met at the second place, at evenly spaced weights between both, for each seed. */
export function interpolated(
  spec: RunSpec,
  ends: readonly Ends[],
  { points = 11, examples = 256 }: LandscapeOptions = {},
): Interpolation {
  const shares = Array.from({ length: points }, (_, i) => i / (points - 1));
  const losses: Record<string, number[][]> = {};
  for (const { seed, from, to } of ends) {
    const stream = spec.stream.seeded(seed);
    const judge = evaluator(network(spec.model, stream.shape), spec.strategies);
    const test = samples(stream, examples);
    const [first, second] = [from, to].map((bytes) => decode(bytes) as Saved) as [Saved, Saved];
    if (first.columns !== second.columns)
      throw new RangeError(
        `landscape: as many outputs at both places are required, got ${first.columns} and ${second.columns}; a head that has grown in between has no straight way`,
      );
    const met = Array.from({ length: second.cursor.experience + 1 }, (_, i) => stream.taskOf(i));
    const open = columns(stream, second.columns, second.met, second.forgotten);
    const learnerAt = (share: number): Saved["learner"] =>
      scoped(() => {
        const { weights, statistics } = between(first.learner, second.learner, share);
        return { ...second.learner, weights, statistics };
      });
    for (const share of shares) {
      const learner = learnerAt(share);
      const frozen = frozenOf(spec.strategies, second.states, { ...learner, optimizer: [] }, learner.weights);
      for (const task of new Set(met)) {
        const name = `task ${task}`;
        losses[name] ??= [];
        losses[name]![ends.findIndex((end) => end.seed === seed)] ??= [];
        const { loss } = alone(scored(judge, frozen, stream, open, second.cursor, task, test(task)));
        losses[name]!.at(-1)!.push(loss);
      }
      disposeTree([learner.weights, learner.statistics] as unknown as Tree);
    }
    disposeTree([first.learner, first.states, second.learner, second.states] as unknown as Tree);
  }
  return { shares, losses };
}

/** Draws it. */
export function landscape(
  spec: RunSpec,
  ends: readonly Ends[],
  names: readonly [string, string],
  options?: LandscapeOptions,
): Figure {
  return lossLandscape(interpolated(spec, ends, options), { ends: names });
}

type Trained = Pick<Saved["learner"], "weights" | "statistics">;

function between(a: Trained, b: Trained, share: number): Trained {
  const mixed = (x: Tree, y: Tree): Tree => {
    if (x instanceof tf.Tensor) return tf.add(tf.mul(x, 1 - share), tf.mul(y as tf.Tensor, share));
    return Object.fromEntries(
      Object.entries(x as Record<string, Tree>).map(([name, part]) => [
        name,
        mixed(part, (y as Record<string, Tree>)[name]!),
      ]),
    );
  };
  return {
    weights: mixed(a.weights as unknown as Tree, b.weights as unknown as Tree) as unknown as Trained["weights"],
    statistics: mixed(
      a.statistics as unknown as Tree,
      b.statistics as unknown as Tree,
    ) as unknown as Trained["statistics"],
  };
}
