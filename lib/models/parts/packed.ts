/** A trained network as plain numbers and JSON: what outlives its tensors, travels to other processes and is written to files. */
import type { Json, Shape, Target } from "../../data/dataset.ts";
import { disposeTree } from "../../engine/index.ts";
import type { Model, ModelSpec, Params } from "../model.ts";
import type { Weights } from "../network.ts";
import { type Predicting, type TrainedNetwork, type TrainedParts, trained } from "../trained.ts";
import { type HostTree, hostTree, tensorTree } from "./host.ts";

/** What a packed network says of itself besides its numbers. A type, so that it is JSON. */
export type PackedAbout = {
  readonly model: ModelSpec;
  readonly input: Shape;
  readonly scale: number;
  /** Where it is not as the scale says. */
  readonly bytes?: boolean;
  /** Where it is not one class. */
  readonly target?: Target;
  readonly classes: readonly string[];
  readonly scenario: "single" | "multi" | "growing";
  readonly told: boolean;
  readonly met?: readonly number[];
  /** The columns of each task; null where tasks never end. */
  readonly tasks: readonly (readonly number[])[] | null;
  readonly strategies: readonly { readonly name: string; readonly options: Json }[];
};

/** A network without tensors. */
export interface PackedNetwork {
  readonly about: PackedAbout;
  /** `weights`, `statistics`, and the `states` of strategies that predict. */
  readonly numbers: HostTree;
}

/** A network as plain numbers and JSON; it stays as it is. */
export function packedNetwork({
  parts,
  model,
  input,
  scale,
  classes,
  weights,
  statistics,
}: TrainedNetwork): PackedNetwork {
  const { scenario = "single", told = scenario === "multi", met, tasks, predicting, bytes, target } = parts;
  return {
    about: {
      model: plainSpec(model.spec),
      input: [...input],
      scale,
      ...(bytes === undefined || bytes === (scale !== 1) ? {} : { bytes }),
      ...(target === undefined || target === "class" ? {} : { target }),
      classes: [...classes],
      scenario,
      told,
      ...(met === undefined ? {} : { met }),
      tasks: typeof tasks === "function" ? null : (tasks ?? [classes.map((_, i) => i)]),
      strategies: predicting?.strategies ?? [],
    },
    numbers: hostTree({ weights, statistics, states: predicting?.states ?? {} }),
  };
}

/** The network that was packed, with the model and the way of predicting that its JSON says. */
export function unpackedNetwork(
  { about, numbers }: PackedNetwork,
  model: Model,
  own: Omit<Predicting, "states"> | undefined,
  file?: string,
): TrainedNetwork {
  const {
    weights,
    statistics,
    states = {},
  } = tensorTree<{
    weights: Weights;
    statistics: Params;
    states?: Predicting["states"];
  }>(numbers);
  const { model: _, tasks, strategies: __, ...rest } = about;
  const parts: TrainedParts = {
    ...rest,
    model,
    weights,
    statistics,
    tasks:
      tasks ??
      ((task) => {
        throw new RangeError(
          `network: the columns of task ${task} are required, got a network that was saved from a stream without end; make it again with { tasks }`,
        );
      }),
    ...(own === undefined ? {} : { predicting: { ...own, states } }),
    ...(file === undefined ? {} : { file }),
  };
  try {
    return trained(parts);
  } finally {
    disposeTree([weights, statistics, states]);
  }
}

/** The spec of a model, and of those inside of it, without where its weights began: a network that has all its weights begins from no other. */
export function plainSpec({ from: _, layers, ...spec }: ModelSpec): ModelSpec {
  return layers === undefined ? spec : { ...spec, layers: layers.map(plainSpec) };
}
