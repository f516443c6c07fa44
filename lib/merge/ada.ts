import type { Examples } from "../data/dataset.ts";
import { needOneOf, needWhole } from "../data/options.ts";
import { disposeTree, jit, paths, random, type Tree, tf, unflatten, valueAndGrad } from "../engine/index.ts";
import type { Weights } from "../models/network.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { adam } from "../optim/optimizers/adam.ts";
import { type Merged, type MergeOptions, mergedBy, type Place } from "./merging.ts";
import { logitsOf, requireTables, rowsOf } from "./parts/data.ts";

/** What `ada` can be told. */
export interface AdaOptions extends MergeOptions {
  /** One coefficient for each network, or for each network and layer (the default). */
  readonly level?: "task" | "layer";
  /** Default 200. */
  readonly steps?: number;
  /** Learning rate of the coefficients; default 0.001. */
  readonly lr?: number;
  /** Where coefficients begin; default 0.3. */
  readonly start?: number;
  /** Examples of each table in a step; default 16. */
  readonly batch?: number;
}

/**
 * AdaMerging: what the networks have changed is added up with coefficients that are learnt: those with which the merged network's
 * predictions for examples without labels, of all networks' tasks, are most certain.
 *
 * The entropy of the predictions goes down by Adam; each task is predicted with what of its own network is not merged, its head say.
 *
 * Implements: P335 AdaMerging
 *
 * Yang et al. 2023, arXiv:2310.02575, eq. 4–6.
 * Differs from the paper: learning rate and number of steps are options for small networks; its 0.001 and 500 are for a CLIP.
 *
 * @throws TypeError without a base; RangeError unless there is a table for each network.
 *
 * @example
 * ```ts
 * import { blobs, merge, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [4] });
 * const made = (seed: number) => trained({ model, input: [3], weights: network(model, [3]).init(random(seed), 2) });
 * const { test } = blobs({ classes: 2, dimensions: 3 });
 * const merged = merge.ada([made(1), made(2)], [test, test], { base: made(0), level: "task", steps: 2 });
 * merged.coefficients.length; // 2
 * ```
 */
export function ada(
  networks: readonly TrainedNetwork[],
  tables: readonly Examples[],
  options: AdaOptions = {},
): Merged & { readonly coefficients: readonly (readonly number[])[] } {
  const { level = "layer", steps = 200, lr = 1e-3, start = 0.3, batch = 16, ...given } = options;
  needOneOf("merge.ada", "level", level, ["task", "layer"]);
  needWhole("merge.ada", "steps", steps, 0);
  needWhole("merge.ada", "batch", batch);
  requireTables("ada", networks, tables);
  let coefficients: number[][] = [];
  const told = { level, steps, lr, start, batch };
  const merged = mergedBy("ada", told, networks, given, { needsBase: true }, (vectors, places) => {
    const layers = [...new Set(places.map((place) => layerOf(place, level)))];
    coefficients = learnt(networks, tables, given, { ...told, layers, places });
    const out = new Float64Array(vectors[0]!.length);
    for (const place of places) {
      const layer = layers.indexOf(layerOf(place, level));
      for (let i = place.from; i < place.from + place.size; i++)
        out[i] = vectors.reduce((sum, vector, k) => sum + coefficients[k]![layer]! * vector[i]!, 0);
    }
    return out;
  });
  return { ...merged, coefficients };
}

const layerOf = ({ path }: Place, level: "task" | "layer"): string =>
  level === "task"
    ? ""
    : path
        .split("/")
        .slice(0, path.startsWith("model/") ? 2 : 1)
        .join("/");

interface Learning {
  readonly level: "task" | "layer";
  readonly steps: number;
  readonly lr: number;
  readonly start: number;
  readonly batch: number;
  readonly layers: readonly string[];
  readonly places: readonly Place[];
}

/** The coefficients of each network and layer. */
function learnt(
  networks: readonly TrainedNetwork[],
  tables: readonly Examples[],
  { base, seed = 0 }: MergeOptions,
  { level, steps, lr, start, batch, layers, places }: Learning,
): number[][] {
  const at = new Map(places.map((place) => [place.path, layers.indexOf(layerOf(place, level))]));
  const mixed = (own: Weights, origin: Weights, all: readonly Weights[], c: tf.Tensor): Weights => {
    const [of, from, each] = [own, origin, all].map((tree) => paths(tree as unknown as Tree));
    const count = of!.length;
    return unflatten(
      own,
      of!.map(([path, leaf], i) => {
        const layer = at.get(path);
        if (layer === undefined) return leaf;
        const moves = networks.map((_, k) =>
          tf.mul(tf.slice(c, [k, layer], [1, 1]).reshape([]), tf.sub(each![k * count + i]![1], from![i]![1])),
        );
        return tf.add(from![i]![1], tf.addN(moves));
      }),
    ) as unknown as Weights;
  };
  const optimizer = adam({ lr });
  const step = jit(
    (now: { c: tf.Tensor; state: Tree }, origin: Weights, all: readonly Weights[], xs: readonly tf.Tensor[]) => {
      const { grads } = valueAndGrad(
        ({ c }: { c: tf.Tensor }) =>
          tf.addN(
            networks.map(({ structure, statistics }, k) => {
              const z = logitsOf(structure, mixed(all[k]!, origin, all, c), statistics, xs[k]!);
              return tf.neg(tf.mean(tf.sum(tf.mul(tf.softmax(z), tf.logSoftmax(z)), -1))) as tf.Scalar;
            }),
          ) as tf.Scalar,
        { c: now.c },
      );
      const [updates, state] = optimizer.update(grads as Tree, now.state, { c: now.c }, tf.scalar(lr));
      return { c: tf.add(now.c, (updates as { c: tf.Tensor }).c), state };
    },
    { name: "ada", donate: [0] },
  );
  let now = { c: tf.fill([networks.length, layers.length], start) as tf.Tensor, state: [] as Tree };
  now.state = optimizer.init({ c: now.c });
  const rng = random(seed).at("ada");
  for (let i = 0; i < steps; i++) {
    const xs = tables.map((table, k) =>
      rowsOf(table, rng.at(i, k).sample(table.length, Math.min(batch, table.length))),
    );
    now = step(
      now,
      base!.weights,
      networks.map(({ weights }) => weights),
      xs,
    );
    disposeTree(xs);
  }
  const found = (now.c as tf.Tensor2D).arraySync();
  disposeTree(now as unknown as Tree);
  return found;
}
