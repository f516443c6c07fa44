/** A model that is not trained: a function from examples to features, for streams of features. */
import { createHash } from "node:crypto";
import { type Json, type Shape, sizeOf } from "../data/dataset.ts";
import { cloneTree, jit, leaves, random, type Tree, tf } from "../engine/index.ts";
import type { Backbone } from "../streams/operators/features.ts";
import { type Model, type Params, tape } from "./model.ts";

/** What `backbone` can be told. */
export interface BackboneOptions {
  /** Draws the weights where none are given; default 0. */
  readonly seed?: number;
  /** Trained weights: `learner.weights.model` of a run's session. They are copied. */
  readonly weights?: Params;
  /** Running statistics that belong to the weights; default new ones. */
  readonly statistics?: Params;
}

/**
 * A model with the weights it has, in evaluation mode, as a function from examples to features: `stream.features(backbone(cnn()))`.
 *
 * Without weights they are drawn from `seed`, so that its JSON says all of it. Of given weights the JSON has a checksum alone: it tells
 * studies apart, but no stream can be made of it again. `backbone(from(network))` has the weights of a trained network, and its JSON
 * finds them again as that of a study does.
 *
 * @example
 * ```ts
 * import { backbone, classes, digits, mlp } from "thalweg";
 * classes(digits()).features(backbone(mlp({ hidden: [32] }))).shape; // [32]
 * ```
 */
export function backbone(model: Model, { seed = 0, weights, statistics }: BackboneOptions = {}): Backbone {
  const own = new Map<string, { readonly params: Params; readonly statistics: Params }>();
  const held = weights && { params: kept(weights), statistics: statistics && kept(statistics) };
  const partsFor = (shape: Shape): { readonly params: Params; readonly statistics: Params } => {
    const found = own.get(String(shape));
    if (found !== undefined) return found;
    const made = {
      params: held?.params ?? kept(model.init(random(seed).at("init").at("model"), shape)),
      statistics: held?.statistics ?? kept(model.statistics(shape)),
    };
    own.set(String(shape), made);
    return made;
  };
  const run = jit(
    (params: Params, statistics: Params, x: tf.Tensor) => model.apply(params, x, tape(false, null, statistics).mode),
    { name: "backbone" },
  );
  const spec: Json = {
    model: model.toJSON() as unknown as Json,
    ...(weights === undefined ? { seed } : { weights: checksum([weights, statistics ?? {}]) }),
  };
  return {
    apply(batch, count, shape) {
      const { params, statistics } = partsFor(shape);
      // always as many rows, so that one program is compiled and a row's features do not depend on how many come with it
      const rows = new Float32Array(blockRows * sizeOf(shape));
      rows.set(batch);
      const x = tf.tensor(rows, [blockRows, ...shape]);
      const out = run(params, statistics, x);
      const features = out.dataSync() as Float32Array;
      tf.dispose([x, out]);
      return features.slice(0, (features.length / blockRows) * count);
    },
    toJSON: () => spec,
  };
}

/** Rows in a pass. */
const blockRows = 256;

/** A copy that no `tidy` around it frees. */
function kept(params: Params): Params {
  const copy = cloneTree(params as Tree) as Params;
  for (const tensor of leaves(copy as Tree)) tf.keep(tensor);
  return copy;
}

function checksum(trees: readonly Params[]): string {
  const hash = createHash("sha256");
  for (const tensor of leaves(trees as unknown as Tree))
    hash.update(JSON.stringify(tensor.shape)).update(new Uint8Array(tensor.dataSync().slice().buffer));
  return hash.digest("hex").slice(0, 16);
}
