/** A model that begins with the weights of a trained network. */
import type { Shape } from "../data/dataset.ts";
import { needOneOf } from "../data/options.ts";
import { disposeTree, random } from "../engine/index.ts";
import type { Model, ModelParts, ModelSpec, Params, Start } from "./model.ts";
import { type HostTree, hostPaths, hostTree, tensorTree } from "./parts/host.ts";
import { packedNetwork } from "./parts/packed.ts";
import { registered } from "./parts/registry.ts";
import type { NetworkEntry, TrainedNetwork } from "./trained.ts";
import { makeModel } from "./verbs.ts";

/** What `from` can be told. */
export interface FromOptions {
  /**
   * Whether the trained head goes on, "keep", or the scenario makes a new one, "new" (the default). A kept head needs a stream whose first
   * classes are the network's; columns for further classes are drawn.
   */
  readonly head?: "keep" | "new";
}

/** What stands for the network in the JSON of a model that begins from it. A type, so that it is JSON. */
export type FromEntry = NetworkEntry & { readonly head: "keep" | "new" };

/**
 * A model that begins as a trained network ended: its weights and running statistics, whatever the seed. The network stays as it is.
 *
 * In the JSON of a study stands the model with the network's checksum, and the file it was loaded from; `specFromJson` takes the
 * network from that file or from those it is given. What strategies trained beside the network (`added`) is not taken over.
 *
 * @throws RangeError when a study begins whose examples do not have the shape that the weights ask for; TypeError when the head is to be
 * kept and the stream has other classes.
 *
 * @example
 * ```ts
 * import { classes, digits, from, mlp } from "thalweg";
 * const quiet = { quiet: true, record: false } as const;
 * const [first, second] = [classes(digits()).split(5).slice(0, 1), classes(digits()).split(5).slice(1, 2)];
 * const big = await (await first.learn(mlp({ hidden: [32] })).run(quiet)).network();
 * const run = await second.learn(from(big)).run(quiet);
 * (run.spec as { model: { from: { head: string } } }).model.from.head; // "new"
 * ```
 */
export function from(network: TrainedNetwork, { head = "new" }: FromOptions = {}): Model {
  needOneOf("from", "head", head, ["keep", "new"]);
  const { model, input, classes } = network;
  const packed = packedNetwork(network);
  const held = packed.numbers as { readonly weights: { readonly model: HostTree; readonly head: HostTree } } & HostTree;
  const spec: ModelSpec = {
    ...packed.about.model,
    from: registered({ ...network.toJSON(), head }, packed),
  };
  const { start: _, ...rest } = model;
  const requireFit = (shape: Shape): void => {
    if (String(shape) !== String(input)) requireShapes(model, shape, input, held.weights.model);
  };
  const made: ModelParts = {
    ...rest,
    spec,
    init(_rng, shape) {
      requireFit(shape);
      return tensorTree<Params>(held.weights.model);
    },
    statistics(shape) {
      requireFit(shape);
      return tensorTree<Params>(held.statistics as HostTree);
    },
    toJSON: () => spec,
  };
  if (head === "new") return makeModel(made);
  const start = (): Start => ({
    head: tensorTree<Params>(held.weights.head),
    columns: classes.length,
    classes,
  });
  return makeModel({ ...made, start });
}

/** Throws unless the model has weights of the same shapes for other examples, as one that averages over an image has. */
function requireShapes(model: ModelParts, shape: Shape, input: Shape, had: HostTree): void {
  const drawn = model.init(random(0), shape);
  const wanted = hostPaths(hostTree(drawn)).map(([path, { shape }]) => `${path} [${shape}]`);
  disposeTree(drawn);
  const given = hostPaths(had).map(([path, { shape }]) => `${path} [${shape}]`);
  const differs = wanted.findIndex((each, i) => each !== given[i]);
  if (differs >= 0 || wanted.length !== given.length)
    throw new RangeError(
      `from: examples of shape [${input}], as the network was trained on, are required, got [${shape}], for which ${wanted[differs]} were required and the network has ${given[differs]}; resize the examples`,
    );
}
