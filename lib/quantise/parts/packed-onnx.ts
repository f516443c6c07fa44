/** Quantised networks as ONNX models with whole numbers. */
import { paths, type Tree } from "../../engine/index.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import type { Codes } from "./codes.ts";

/** The network as an ONNX model in which the kernels of these layers are codes with their scales. */
export function packedOnnx(network: TrainedNetwork, codes: ReadonlyMap<string, Codes>): Uint8Array {
  const kernels = new Map(paths(network.weights as unknown as Tree).map(([path, own]) => [path, own.dataSync()]));
  const known = [...codes].map(([path, own]) => ({ numbers: kernels.get(`${path}/kernel`)!, own }));
  return network.toOnnx({
    packing(numbers) {
      const found = known.find(
        (each) => each.numbers.length === numbers.length && each.numbers.every((value, i) => value === numbers[i]),
      );
      if (found === undefined) return undefined;
      const { units, ...own } = found.own;
      return { as: "codes", columns: units, ...own };
    },
  });
}
