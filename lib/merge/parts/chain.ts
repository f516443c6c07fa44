/** Networks whose layers are in a row, seen as kernels between groups of units. */
import type { Examples } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { logitsOf, rowsOf, someOf } from "./data.ts";
import { type Place, part, placesOf, type Vector } from "./vectors.ts";

/**
 * A layer with a kernel: rows of it are `turns` rounds of its input's units, one for each pixel of a window or of a flattened image; columns
 * are its own units.
 */
export interface Link {
  readonly path: string;
  readonly kernel: Place;
  readonly bias: Place | undefined;
  readonly turns: number;
  readonly inputs: number;
  readonly units: number;
}

/** Layers that act on each unit by itself, or only move pixels. */
const passing = ["relu", "leakyRelu", "gelu", "silu", "tanh", "sigmoid", "dropout", "pool", "globalPool", "flatten"];

/** The links of a network, the head last. Throws where its layers are not such a row. */
export function linksOf(
  where: string,
  { model, structure, weights }: TrainedNetwork,
): {
  readonly places: readonly Place[];
  readonly links: readonly Link[];
} {
  const places = placesOf(where, weights, structure.kindOf);
  const { stack, names } = model;
  const odd = stack?.find(({ name }) => ![...passing, "dense", "conv"].includes(name));
  if (stack === undefined || odd !== undefined || model.adapters !== undefined)
    throw new TypeError(
      `${where}: a network of dense layers, convolutions, rectifiers and pools in a row is required, got ${model.spec.name}${odd === undefined ? "" : ` with ${odd.name}`}`,
    );
  const paths = stack.flatMap(({ name }, i) => (name === "dense" || name === "conv" ? [`model/${names![i]}`] : []));
  let before: number | undefined;
  const links = [...paths, "head"].map((path): Link => {
    const kernel = places.find((place) => place.path === `${path}/kernel`);
    if (kernel === undefined)
      throw new TypeError(`${where}: a head with a kernel is required, got ${structure.head.spec.name}`);
    const units = kernel.shape.at(-1)!;
    const rows = kernel.size / units;
    const inputs = before ?? (kernel.shape.length === 4 ? kernel.shape[2]! : rows);
    before = units;
    return {
      path,
      kernel,
      bias: places.find((place) => place.path === `${path}/bias`),
      turns: rows / inputs,
      inputs,
      units,
    };
  });
  return { places, links };
}

/** Puts the units of one link, and the inputs of the next, into another order: the i-th becomes what `order[i]` was. In place. */
export function reorder(vector: Vector, from: Link, to: Link, order: Uint32Array): void {
  const own = part(vector, from.kernel);
  const before = own.slice();
  const { units } = from;
  for (let at = 0; at < own.length; at++) own[at] = before[at - (at % units) + order[at % units]!]!;
  if (from.bias !== undefined) {
    const bias = part(vector, from.bias);
    const old = bias.slice();
    for (let i = 0; i < units; i++) bias[i] = old[order[i]!]!;
  }
  const next = part(vector, to.kernel);
  const was = next.slice();
  for (let turn = 0; turn < to.turns; turn++)
    for (let i = 0; i < units; i++)
      next.set(
        was.subarray((turn * units + order[i]!) * to.units, (turn * units + order[i]! + 1) * to.units),
        (turn * units + i) * to.units,
      );
}

/** What the units of every link give before their activation, `[rows, units]` by the link's path, for some examples of a table. */
export function outputsOf(
  { structure, statistics }: TrainedNetwork,
  weights: Weights,
  table: Examples,
  samples: number,
): Map<string, { readonly values: Float32Array; readonly units: number }> {
  const found = new Map<string, { values: Float32Array; units: number }>();
  const x = rowsOf(table, someOf(table, samples));
  tf.tidy(() => {
    logitsOf(structure, weights, statistics, x, (path, _input, output) => {
      found.set(path.join("/"), { values: output.dataSync() as Float32Array, units: output.shape.at(-1)! });
      return output;
    });
  });
  x.dispose();
  return found;
}

/** The mean and the deviation of each unit. */
export function momentsOf({ values, units }: { readonly values: Float32Array; readonly units: number }): {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
} {
  const n = values.length / units;
  const [mean, deviation] = [new Float64Array(units), new Float64Array(units)];
  values.forEach((x, at) => {
    mean[at % units]! += x / n;
  });
  values.forEach((x, at) => {
    deviation[at % units]! += (x - mean[at % units]!) ** 2 / n;
  });
  return { mean, deviation: deviation.map(Math.sqrt) };
}
