import type { Examples } from "../data/dataset.ts";
import { needShare, needWhole } from "../data/options.ts";
import { disposeTree, jit, paths, scoped, type Tree, tf, unflatten, valueAndGrad } from "../engine/index.ts";
import { singular } from "../engine/linear-algebra.ts";
import type { Params } from "../models/model.ts";
import { tape } from "../models/model.ts";
import type { Network, Weights } from "../models/network.ts";
import { type TrainedNetwork, trained } from "../models/trained.ts";
import { adam } from "../optim/optimizers/adam.ts";
import type { MergeOptions, Place, Vector } from "./merging.ts";
import { logitsOf, requireTables, rowsOf, someOf } from "./parts/data.ts";
import { part, placesOf, plus, vectorOf, withVector } from "./parts/vectors.ts";
import { taskArithmetic } from "./task-arithmetic.ts";

/** What `twin` can be told. */
export interface TwinOptions extends Omit<MergeOptions, "filter" | "seed"> {
  /** What the sum of the changes is multiplied by in what all share; default 0.3. */
  readonly scale?: number;
  /** The share of the singular directions of each matrix that an expert keeps; default 0.2. */
  readonly rank?: number;
  /** Examples of each table that the router is trained on, at most, default 256, and its steps, default 200. */
  readonly samples?: number;
  readonly steps?: number;
}

/**
 * Twin-Merging: what the networks share is merged, what each has beyond that is compressed, and for every example a router says how much of
 * each is added back.
 *
 * With the merged network θ and `vᵢ = θᵢ − θ`, of whose matrices the main singular directions are kept, an example is predicted by
 * `θ + Σ wᵢ vᵢ`; w is a softmax over the merged network's features. The router learns from the tables to which network an example belongs; it
 * needs no labels beside that. Every example has weights of its own, so examples are predicted one by one: it is slow. The network that is
 * given cannot be saved as a network of its own.
 *
 * Implements: P349 Twin-Merging
 *
 * Lu et al. 2024, arXiv:2406.15479, section 3.2 and algorithm 1.
 * Differs from the paper: the router is one linear layer over the features; tensors that are no matrices are not compressed.
 *
 * @throws TypeError without a base; RangeError unless there is a table for each network.
 *
 * @example
 * ```ts
 * import { blobs, merge, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [4] });
 * const made = (seed: number) => trained({ model, input: [3], weights: network(model, [3]).init(random(seed), 2) });
 * const { train } = blobs({ classes: 2, dimensions: 3 });
 * merge.twin([made(1), made(2)], [train, train], { base: made(0), steps: 5 }).network.classes.length; // 2
 * ```
 */
export function twin(
  networks: readonly TrainedNetwork[],
  tables: readonly Examples[],
  { base, scale = 0.3, rank = 0.2, samples = 256, steps = 200 }: TwinOptions = {},
): { readonly network: TrainedNetwork; readonly report: { readonly rule: string; readonly kept: number } } {
  needShare("merge.twin", "rank", rank);
  needWhole("merge.twin", "samples", samples);
  needWhole("merge.twin", "steps", steps);
  requireTables("twin", networks, tables);
  const shared = taskArithmetic(networks, { ...(base && { base }), scale }).network;
  const places = placesOf("merge.twin", shared.weights, shared.structure.kindOf);
  const origin = vectorOf(shared.weights, places);
  const extras = networks.map(({ weights }) => compressed(plus(vectorOf(weights, places), origin, -1), places, rank));
  const experts = extras.map(({ vector }) => withVector(shared.weights, places, vector));
  const router = routed(shared, tables, samples, steps);
  const { structure } = shared;
  const network = trained({
    ...shared.parts,
    predicting: {
      strategies: [{ name: "twin", options: { scale, rank, samples, steps } }],
      states: { experts, router } as unknown as { readonly [name: string]: Tree },
      predict(weights, statistics, states, x) {
        const held = states as unknown as { experts: readonly Weights[]; router: Router };
        const shares = tf.softmax(choice(held.router, featuresOf(structure, weights, statistics, x)));
        return tf.concat(
          Array.from({ length: x.shape[0]! }, (_, row) =>
            logitsOf(structure, mixed(weights, held.experts, shares, row), statistics, tf.slice(x, row, 1)),
          ),
        );
      },
    },
  });
  disposeTree([experts, router] as unknown as Tree);
  shared.dispose();
  const kept = extras.reduce((sum, { numbers }) => sum + numbers, 0) / (networks.length * origin.length);
  return { network, report: { rule: "twin", kept } };
}

type Router = { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };

const choice = ({ kernel, bias }: Router, features: tf.Tensor): tf.Tensor =>
  tf.add(tf.matMul(features as tf.Tensor2D, kernel as tf.Tensor2D), bias);

const featuresOf = (structure: Network, weights: Weights, statistics: Params, x: tf.Tensor): tf.Tensor =>
  structure.features(weights, x, tape(false, null, statistics).mode);

/** What all share, with as much of each expert as a row of shares says. */
function mixed(weights: Weights, experts: readonly Weights[], shares: tf.Tensor, row: number): Weights {
  const all = experts.map((expert) => paths(expert as unknown as Tree));
  return unflatten(
    weights,
    paths(weights as unknown as Tree).map(([, leaf], i) =>
      tf.addN([leaf, ...all.map((expert, k) => tf.mul(tf.slice(shares, [row, k], [1, 1]).reshape([]), expert[i]![1]))]),
    ),
  ) as unknown as Weights;
}

/** A change with a share of the singular directions of each matrix, and how many numbers that takes. */
function compressed(change: Vector, places: readonly Place[], rank: number): { vector: Vector; numbers: number } {
  const vector = change.slice();
  let numbers = 0;
  for (const place of places) {
    const columns = place.shape.at(-1) ?? 1;
    const rows = place.size / columns;
    const count = Math.max(1, Math.round(rank * Math.min(rows, columns)));
    numbers += place.shape.length < 2 ? place.size : Math.min(place.size, count * (rows + columns + 1));
    if (place.shape.length < 2) continue;
    const own = part(vector, place).fill(0);
    const { values, left, right } = singular(part(change, place), rows, columns);
    for (let k = 0; k < Math.min(count, values.length); k++)
      for (let at = 0; at < own.length; at++)
        own[at]! += values[k]! * left[k]![Math.floor(at / columns)]! * right[k]![at % columns]!;
  }
  return { vector, numbers };
}

/** A linear layer that says from which table an example is. */
function routed(shared: TrainedNetwork, tables: readonly Examples[], samples: number, steps: number): Router {
  const { features, labels } = scoped(() => {
    const parts = tables.map((table) => rowsOf(table, someOf(table, samples)));
    const rows = parts.flatMap((x, k) =>
      Array.from({ length: x.shape[0]! }, () => tables.map((_, t) => Number(t === k))),
    );
    return {
      features: tf.concat(parts.map((x) => featuresOf(shared.structure, shared.weights, shared.statistics, x))),
      labels: tf.tensor2d(rows, [rows.length, tables.length]),
    };
  });
  const rate = 0.02;
  const optimizer = adam({ lr: rate });
  const step = jit(
    ({ router, state }: { router: Router; state: Tree }, x: tf.Tensor, y: tf.Tensor) => {
      const { grads } = valueAndGrad(
        (at: Router) => tf.neg(tf.mean(tf.sum(tf.mul(y, tf.logSoftmax(choice(at, x))), -1))) as tf.Scalar,
        router,
      );
      const [moves, next] = optimizer.update(grads as Tree, state, router, tf.scalar(rate));
      const { kernel, bias } = moves as unknown as Router;
      return { router: { kernel: tf.add(router.kernel, kernel), bias: tf.add(router.bias, bias) }, state: next };
    },
    { name: "router", donate: [0] },
  );
  const router: Router = { kernel: tf.zeros([features.shape.at(-1)!, tables.length]), bias: tf.zeros([tables.length]) };
  let now = { router, state: scoped(() => optimizer.init(router)) };
  for (let i = 0; i < steps; i++) now = step(now, features, labels);
  disposeTree([features, labels, now.state] as unknown as Tree);
  return now.router;
}
