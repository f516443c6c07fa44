/** How quickly a network learns again what it was to forget. */
import { type Examples, gather } from "../data/dataset.ts";
import {
  cloneTree,
  disposeTree,
  jit,
  mapTensors,
  random,
  scoped,
  type Tree,
  tf,
  valueAndGrad,
} from "../engine/index.ts";
import { tape } from "../models/model.ts";
import { crossEntropies, type Weights } from "../models/network.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { sgd } from "../optim/optimizers/sgd.ts";

/** Settings of `relearnTime`. */
export interface RelearnOptions {
  /** The accuracy on the table at which it is learnt again; default 0.9. */
  readonly until?: number;
  /** Default 0.05. */
  readonly lr?: number;
  readonly batch?: number;
  /** Steps at most; default 500. */
  readonly most?: number;
  readonly seed?: number;
}

/**
 * The steps of gradient descent until a network is right again about examples that it was to forget; `Infinity` where it never is. A network
 * that only hides what it knew relearns faster than one that was never trained on it.
 *
 * Golatkar, Achille and Soatto 2020, "Eternal sunshine of the spotless net", arXiv:1911.04933, section 6 (the relearn time).
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, random, relearnTime, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const big = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
 * relearnTime(big, blobs({ classes: 2, dimensions: 3 }).train, { until: 0 }); // 0
 * ```
 */
export function relearnTime(
  { structure, weights, statistics }: TrainedNetwork,
  table: Examples,
  { until = 0.9, lr = 0.05, batch = 32, most = 500, seed = 0 }: RelearnOptions = {},
): number {
  if (table.length === 0) throw new RangeError("relearnTime: a table with examples is required, got an empty one");
  const optimizer = sgd({ lr });
  const logits = (at: Weights, x: tf.Tensor): tf.Tensor =>
    structure.logits(at, structure.features(at, x, tape(false, null, statistics).mode));
  type Now = { weights: Weights; state: Tree };
  const step = jit(
    (now: Now, x: tf.Tensor, y: tf.Tensor): Now => {
      const { grads } = valueAndGrad(
        (at: Weights) => tf.mean(crossEntropies(logits(at, x), y)) as tf.Scalar,
        now.weights,
      );
      const [moves, state] = optimizer.update(
        grads as unknown as Tree,
        now.state,
        now.weights as unknown as Tree,
        tf.scalar(lr),
      );
      return { weights: mapTensors((w, move) => tf.add(w, move!), now.weights, moves as unknown as Weights), state };
    },
    { name: "relearn", donate: [0] },
  );
  const all = Uint32Array.from({ length: table.length }, (_, i) => i);
  const [whole, labels] = [tf.tensor(gather(table, all), [table.length, ...table.shape]), table.labels];
  const accuracy = (at: Weights): number =>
    tf.tidy(
      () =>
        tf
          .argMax(logits(at, whole), -1)
          .dataSync()
          .filter((label, i) => label === labels[i]).length,
    ) / table.length;
  const rng = random(seed).at("relearn");
  let now: Now = { weights: cloneTree(weights), state: scoped(() => optimizer.init(weights as unknown as Tree)) };
  let steps = 0;
  while (accuracy(now.weights) < until && steps < most) {
    const at = rng.at(steps).sample(table.length, Math.min(batch, table.length));
    const x = tf.tensor(gather(table, at), [at.length, ...table.shape]);
    const y = tf.tensor1d(
      Int32Array.from(at, (i) => labels[i]!),
      "int32",
    );
    now = step(now, x, y);
    disposeTree([x, y]);
    steps++;
  }
  const reached = accuracy(now.weights) >= until;
  disposeTree([now, whole] as unknown as Tree);
  return reached ? steps : Number.POSITIVE_INFINITY;
}
