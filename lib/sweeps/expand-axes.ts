/** Networks made larger one axis at a time: the axis that helps most goes on. */
import { needWhole } from "../data/options.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Axes, Settings } from "./search.ts";
import { asTrials, type Build, requireAxes, type Trial, type TrialOptions, type Trials } from "./trials.ts";

/** The sizes that each axis may have, from small to large. */
export type Sizes = { readonly [axis: string]: readonly number[] };

/** How axes are expanded. */
export interface ExpandAxesOptions extends TrialOptions {
  /** What the network may cost at the end. */
  readonly target: number;
  /** How many times as much a step should cost as the one before. Default 2. */
  readonly factor?: number;
  /** Steps at most. Default 32. */
  readonly steps?: number;
}

/** One step of an expansion. */
export interface ExpansionStep<A extends Axes> {
  /** What was tried: one axis each. */
  readonly tried: readonly (Trial<A> & { readonly axis: keyof A & string })[];
  /** The axis that was kept. */
  readonly axis: keyof A & string;
}

/** What an expansion came to. */
export interface Expansion<A extends Axes> {
  /** The smallest network. */
  readonly start: Trial<A>;
  readonly steps: readonly ExpansionStep<A>[];
  /** The network at the end, which does not cost more than the target. */
  readonly best: Trial<A>;
  /** Whether the last step was taken back in part, as it went past the target. */
  readonly contracted: boolean;
  /** How many networks were trained. */
  readonly trained: number;
  /** One row for each network that was kept. */
  table(): DataFrame;
}

/**
 * Expands a network stepwise: each step makes one network for each axis, larger along it so that it costs about `factor` times as much, trains them all, and keeps the
 * one that answers best. Where the last step went past the target, its axis is made as small again as the target asks.
 *
 * `axes` are the sizes that each may have, from small to large, the first being where it begins: width, depth, resolution, frames, whatever `build` makes a study of.
 * Costs are known without training. A step takes as many trainings as there are axes that have a larger size, so k steps take at most `k · axes`, where a grid takes a
 * product. Accuracies are those on the stream's test examples, or what `metric` measures: evaluate what comes out on others.
 *
 * Implements: P157 X3D stepwise expansion
 * Feichtenhofer 2020, "X3D: expanding architectures for efficient video recognition", arXiv:2004.04730, section 3.3 (forward expansion and backward contraction).
 * Differs from the paper: sizes are those of lists, so that the networks of a step cost nearly, not exactly, the same; the six axes of a video network are
 * whatever axes are given.
 *
 * @throws RangeError where sizes do not ascend, the smallest network costs more than the target, or a larger size does not cost more.
 *
 * @example
 * ```ts
 * import { classes, digits, expandAxes, mlp, sgd } from "thalweg";
 * const stream = classes(digits()).split(1).limit({ train: 200 });
 * const found = await expandAxes(
 *   { width: [4, 8, 16], depth: [1, 2, 3] },
 *   ({ width, depth }) => stream.learn(mlp({ hidden: Array(depth).fill(width) })).with(sgd({ lr: 0.1 })).train({ batch: 20, steps: 20 }),
 *   { target: 1500 },
 * );
 * found.best.cost <= 1500; // true
 * found.steps[0]!.tried.map(({ axis }) => axis); // ["width", "depth"]
 * ```
 */
export async function expandAxes<const A extends Sizes>(
  axes: A,
  build: Build<A> | Trials<A>,
  { target, factor = 2, steps = 32, ...options }: ExpandAxesOptions,
): Promise<Expansion<A>> {
  requireAxes("expandAxes", axes, true);
  needWhole("expandAxes", "steps", steps);
  if (!(factor > 1)) throw new RangeError(`expandAxes: a factor above 1 is required, got ${factor}`);
  const asked = asTrials(build, options);
  const { ask, costOf } = asked;
  const names = Object.keys(axes) as (keyof A & string)[];
  const first = Object.fromEntries(names.map((axis) => [axis, axes[axis]![0]!])) as Settings<A>;
  if (!(costOf(first) <= target))
    throw new RangeError(
      `expandAxes: a target of at least the ${costOf(first)} that the smallest network costs is required, got ${target}; raise it, or begin smaller`,
    );
  const start = await ask(first);
  const taken: ExpansionStep<A>[] = [];
  const kept = [start];
  while (taken.length < steps && kept.at(-1)!.cost < target) {
    const now = kept.at(-1)!;
    const larger = names.flatMap((axis) => {
      const settings = nearest(axes, axis, now.settings, factor * now.cost, costOf);
      return settings === undefined ? [] : [{ axis, settings }];
    });
    if (larger.length === 0) break;
    const tried: (Trial<A> & { readonly axis: keyof A & string })[] = [];
    for (const { axis, settings } of larger) tried.push({ axis, ...(await ask(settings)) });
    const best = tried.reduce((a, b) => (b.value > a.value || (b.value === a.value && b.cost < a.cost) ? b : a));
    taken.push({ tried, axis: best.axis });
    const { axis: _, ...trial } = best;
    kept.push(trial);
  }
  const last = kept.at(-1)!;
  const contracted = last.cost > target;
  if (contracted) {
    const [{ axis }, before] = [taken.at(-1)!, kept.at(-2)!];
    const sizes = axes[axis]!.filter((size) => size >= (before.settings[axis] as number));
    const fits = sizes.map((size) => ({ ...before.settings, [axis]: size })).filter((s) => costOf(s) <= target);
    kept[kept.length - 1] = await ask(fits.at(-1)!);
  }
  const best = kept.at(-1)!;
  const rows = kept.map(({ settings, value, cost }, i) => ({
    step: i,
    axis: taken[i - 1]?.axis ?? null,
    ...settings,
    value,
    cost,
  }));
  return {
    start,
    steps: taken,
    best,
    contracted,
    trained: asked.trained,
    table: () => frame(rows as never),
  };
}

/** The larger sizes of an axis whose cost is nearest to what is wanted, in ratio. */
function nearest<A extends Sizes>(
  axes: A,
  axis: keyof A & string,
  now: Settings<A>,
  wanted: number,
  costOf: (settings: Settings<A>) => number,
): Settings<A> | undefined {
  const before = costOf(now);
  const larger = axes[axis]!.filter((size) => size > (now[axis] as number)).map((size) => ({ ...now, [axis]: size }));
  for (const settings of larger)
    if (!(costOf(settings) > before))
      throw new RangeError(
        `expandAxes: a larger ${axis} that costs more is required, got ${costOf(settings)} after ${before}; give a cost that tells them apart`,
      );
  const off = (settings: Settings<A>): number => Math.abs(Math.log(costOf(settings) / wanted));
  return larger.reduce<Settings<A> | undefined>(
    (best, settings) => (best === undefined || off(settings) < off(best) ? settings : best),
    undefined,
  );
}
