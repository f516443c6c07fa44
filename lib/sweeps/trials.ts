/** Settings that a search asks about: each is trained once, whatever asks for it again. */
import { disposeTree, random, type Tree } from "../engine/index.ts";
import { averageAccuracy } from "../metrics/average-accuracy.ts";
import type { Metric } from "../metrics/metric.ts";
import { type Network, network, type Weights } from "../models/network.ts";
import { flopsPerExample } from "../models/parts/flops.ts";
import { silent } from "../runs/progress.ts";
import type { RunSpec } from "../train/spec.ts";
import { isDivergence } from "../train/stepped.ts";
import { runMany } from "./many.ts";
import type { Axes, Settings } from "./search.ts";
import { meanOf } from "./sweep.ts";

/** A study of settings. */
export type Build<A extends Axes> = (settings: Settings<A>) => { readonly spec: RunSpec };

/** How settings are tried. */
export interface TrialOptions {
  /** How many seeds each setting is trained with, or which. Default 1. */
  readonly seeds?: number | readonly number[];
  /** What makes one better than another. Default `averageAccuracy`. */
  readonly metric?: Metric;
  /** What a setting costs; default the multiplications and additions of its network for one example. */
  readonly cost?: (spec: RunSpec) => number;
}

/** Settings that were tried. */
export interface Trial<A extends Axes> {
  readonly settings: Settings<A>;
  /** The mean of the metric over the seeds, larger being better (its negative, where the metric says that less is better); −∞ where the loss was not finite. */
  readonly value: number;
  readonly cost: number;
}

/** What a search asks. */
export interface Trials<A extends Axes> {
  costOf(settings: Settings<A>): number;
  ask(settings: Settings<A>): Promise<Trial<A>>;
  /** How many different settings were trained. */
  readonly trained: number;
}

/**
 * Settings of a study that searches may ask about, which each are trained once, whoever asks: `expandAxes` and `regularizedEvolution` take it in the place of a
 * function, so that several of them share what was trained. An object with the same functions may stand for a table of accuracies that are known.
 *
 * @example
 * ```ts
 * import { blobs, classes, mlp, trials } from "thalweg";
 * const stream = classes(blobs({ classes: 2, dimensions: 3 }));
 * const asked = trials<{ width: number[] }>(({ width }) => stream.learn(mlp({ hidden: [width] })).train({ batch: 8, steps: 5 }));
 * asked.costOf({ width: 4 }); // 40
 * const [one, two] = [await asked.ask({ width: 4 }), await asked.ask({ width: 4 })];
 * one === two; // true
 * asked.trained; // 1
 * ```
 */
export function trials<A extends Axes>(
  build: Build<A>,
  { seeds = 1, metric = averageAccuracy, cost = flopsOf }: TrialOptions = {},
): Trials<A> {
  const costs = new Map<string, number>();
  const known = new Map<string, Promise<Trial<A>>>();
  const once = <X>(in_: Map<string, X>, settings: Settings<A>, make: () => X): X => {
    const key = JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
    const found = in_.get(key) ?? make();
    in_.set(key, found);
    return found;
  };
  const costOf = (settings: Settings<A>): number => once(costs, settings, () => cost(build(settings).spec));
  const trial = async (settings: Settings<A>): Promise<Trial<A>> => {
    const run = runMany(build(settings).spec, { seeds, record: false, progress: silent });
    const value = await run
      .then((ended) => meanOf(ended, metric))
      .catch((error: Error) => {
        if (!isDivergence(error)) throw error;
        return undefined;
      });
    const worth = value === undefined ? Number.NEGATIVE_INFINITY : metric.higherIsBetter ? value : -value;
    return { settings, value: worth, cost: costOf(settings) };
  };
  return {
    costOf,
    ask: (settings) => once(known, settings, () => trial(settings)),
    get trained() {
      return known.size;
    },
  };
}

/** What a search was given, as trials. */
export function asTrials<A extends Axes>(given: Build<A> | Trials<A>, options: TrialOptions): Trials<A> {
  return typeof given === "function" ? trials(given, options) : given;
}

/** The multiplications and additions of a study's network for one example. */
export function flopsOf(spec: RunSpec): number {
  return ofNetwork(spec, flopsPerExample);
}

/** What is measured on a study's network as it begins. */
export function ofNetwork({ model, stream }: RunSpec, measure: (made: Network, weights: Weights) => number): number {
  const made = network(model, stream.shape);
  const weights = made.init(random(0), Math.max(1, stream.classes.length));
  const found = measure(made, weights);
  disposeTree(weights as unknown as Tree);
  return found;
}

/** Throws unless every setting has values, ascending numbers where they have to be. */
export function requireAxes(where: string, axes: Axes, ascending = false): void {
  if (Object.keys(axes).length === 0) throw new RangeError(`${where}: at least one axis is required, got none`);
  for (const [name, values] of Object.entries(axes)) {
    if (values.length === 0) throw new RangeError(`${where}: at least one value of ${name} is required, got none`);
    const rises = values.every((value, i) => typeof value === "number" && (i === 0 || value > Number(values[i - 1])));
    if (ascending && !rises)
      throw new RangeError(
        `${where}: numbers from small to large are required for ${name}, got ${values.join(", ")}; what comes later must cost more`,
      );
  }
}
