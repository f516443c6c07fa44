import type { Examples } from "../data/dataset.ts";
import { needOneOf, needWhole } from "../data/options.ts";
import { disposeTree, random } from "../engine/index.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { commonPlaces, type Merged, packed } from "./merging.ts";
import { assignment } from "./parts/assignment.ts";
import { type Link, linksOf, momentsOf, outputsOf, reorder } from "./parts/chain.ts";
import { part, sumOf, type Vector, vectorOf, withVector } from "./parts/vectors.ts";
import { type RepairOptions, repair } from "./repair.ts";

/** What `rebasin` can be told. */
export interface RebasinOptions {
  /** Whether units are matched by their weights (the default), or by what they answer to the examples of `data`. */
  readonly match?: "weights" | "activations";
  /** How far from the first network to the second; default 0.5. */
  readonly t?: number;
  /** What is brought back in the merged network's units, by the examples of `data`; default "none". */
  readonly renorm?: "none" | NonNullable<RepairOptions["renorm"]>;
  /** Examples, for matching by activations and for renormalisation. */
  readonly data?: Examples;
  /** Examples that units are measured on, at most; default 256. */
  readonly samples?: number;
  /** In which order layers are matched by weights; default 0. */
  readonly seed?: number;
}

/** Two networks made one in the order of the first one's units. */
export interface Rebasined extends Merged {
  /** The second network in the order of the first one's units: it answers as before. */
  readonly aligned: TrainedNetwork;
  /** Of each hidden layer the unit of the second network that came to each place, by the layer's path. */
  readonly permutations: Readonly<Record<string, Uint32Array>>;
}

/**
 * Git re-basin: the units of a network are put into the order in which they are most like those of another, which changes nothing of its
 * answers, and then the two are averaged.
 *
 * By weights, the orders are found layer by layer, each as the assignment with the greatest inner product of all kernels it touches, until
 * none changes; by activations, each is the assignment with the greatest sum of correlations. Averaged units are less spread than those
 * they were made of: `renorm` brings that back.
 *
 * Ainsworth, Hayase and Srinivasa 2022, arXiv:2209.04836, section 3.1 and algorithm 1 (weights), section 3.2 (activations); Li et al. 2015,
 * arXiv:1511.07543 (correlations). Renormalisation: `repair`.
 *
 * @throws TypeError unless the layers are in a row: dense, convolutions, rectifiers, pools, with a linear head.
 *
 * @example
 * ```ts
 * import { merge, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [4] });
 * const made = (seed: number) => trained({ model, input: [3], weights: network(model, [3]).init(random(seed), 2) });
 * [...merge.rebasin([made(0), made(0)]).permutations["model/2-dense"]!]; // [0, 1, 2, 3]
 * ```
 */
export function rebasin(networks: readonly TrainedNetwork[], options: RebasinOptions = {}): Rebasined {
  const { match = "weights", t = 0.5, renorm = "none", data, samples = 256, seed = 0 } = options;
  needOneOf("merge.rebasin", "match", match, ["weights", "activations"]);
  needOneOf("merge.rebasin", "renorm", renorm, ["none", "rescale", "reshift", "both"]);
  needWhole("merge.rebasin", "samples", samples);
  if (data === undefined && (match === "activations" || renorm !== "none"))
    throw new TypeError(
      `merge.rebasin: examples are required to ${match === "activations" ? "match activations" : "renormalise"}, got none; name them: { data }`,
    );
  commonPlaces("rebasin", networks, {}, 2);
  const [a, b] = networks as readonly [TrainedNetwork, TrainedNetwork];
  const { places, links } = linksOf("merge.rebasin", a);
  const [first, second] = [vectorOf(a.weights, places), vectorOf(b.weights, places)];
  const orders =
    match === "weights"
      ? byWeights(first, second, links, seed)
      : links.slice(0, -1).map(({ path }) => byActivations(a, b, path, data!, samples));
  if (match === "activations")
    for (const [k, order] of orders.entries()) reorder(second, links[k]!, links[k + 1]!, order);
  const merged = packed("rebasin", { match, t, renorm, samples }, [a, b], places, sumOf([first, second], [1 - t, t]));
  const weights = withVector(b.weights, places, second);
  const aligned = b.with({ weights });
  disposeTree(weights);
  const network = renorm === "none" ? merged.network : repair(merged.network, [a, aligned], data!, { renorm, samples });
  if (network !== merged.network) merged.network.dispose();
  return {
    ...merged,
    network,
    of: (i) => network.with(i === 0 ? {} : { classes: b.classes }),
    aligned,
    permutations: Object.fromEntries(orders.map((order, k) => [links[k]!.path, order])),
  };
}

/** Orders that bring the second vector's units nearest to the first's; the second is put into them in place. */
function byWeights(a: Vector, b: Vector, links: readonly Link[], seed: number): Uint32Array[] {
  const rng = random(seed).at("rebasin");
  const orders = links.slice(0, -1).map(({ units }) => Uint32Array.from({ length: units }, (_, i) => i));
  for (let round = 0; round < 100; round++) {
    let changed = false;
    for (const k of rng.at(round).permutation(orders.length)) {
      const [from, to] = [links[k]!, links[k + 1]!];
      const order = assignment(likeness(a, b, from, to), from.units);
      if (order.every((unit, i) => unit === i)) continue;
      changed = true;
      reorder(b, from, to, order);
      orders[k] = order.map((unit) => orders[k]![unit]!);
    }
    if (!changed) break;
  }
  return orders;
}

/** Inner products of all weights of each unit of the one with those of each unit of the other. */
function likeness(a: Vector, b: Vector, from: Link, to: Link): Float64Array {
  const n = from.units;
  const gains = new Float64Array(n * n);
  const add = (x: Vector, y: Vector, stride: number, width: number, rounds: number): void => {
    for (let round = 0; round < rounds; round++)
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          const [p, q] = [(round * n + i) * stride, (round * n + j) * stride];
          for (let c = 0; c < width; c++) sum += x[p + c]! * y[q + c]!;
          gains[i * n + j]! += sum;
        }
  };
  add(part(a, from.kernel), part(b, from.kernel), 1, 1, from.kernel.size / n); // columns: a row of the kernel is a round of units
  if (from.bias !== undefined) add(part(a, from.bias), part(b, from.bias), 1, 1, 1);
  add(part(a, to.kernel), part(b, to.kernel), to.units, to.units, to.turns);
  return gains;
}

/** The order by correlations of what units answer. */
function byActivations(
  a: TrainedNetwork,
  b: TrainedNetwork,
  path: string,
  data: Examples,
  samples: number,
): Uint32Array {
  const [x, y] = [a, b].map((each) => {
    const found = outputsOf(each, each.weights, data, samples).get(path)!;
    const { mean, deviation } = momentsOf(found);
    const { units } = found;
    return {
      units,
      values: Float64Array.from(
        found.values,
        (v, at) => (v - mean[at % units]!) / Math.max(deviation[at % units]!, 1e-9),
      ),
    };
  }) as [{ units: number; values: Float64Array }, { units: number; values: Float64Array }];
  const n = x.units;
  const gains = new Float64Array(n * n);
  for (let at = 0; at < x.values.length; at += n)
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gains[i * n + j]! += x.values[at + i]! * y.values[at + j]!;
  return assignment(gains, n);
}
