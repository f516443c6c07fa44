/** What stands for a trained network in the JSON of a study, and the numbers behind it, which outlive its tensors. */
import type { NetworkEntry, TrainedNetwork } from "../trained.ts";
import { type PackedNetwork, packedNetwork } from "./packed.ts";
import { registered } from "./registry.ts";

const packed = new WeakMap<TrainedNetwork, PackedNetwork>();

/** The numbers of a network, read from its tensors once. */
export function numbersOf(network: TrainedNetwork): PackedNetwork {
  const found = packed.get(network) ?? packedNetwork(network);
  packed.set(network, found);
  return found;
}

/** The entry of a network, behind which its numbers are known in this session. */
export function entryOf(network: TrainedNetwork): NetworkEntry {
  return registered({ ...network.toJSON() }, numbersOf(network));
}

/** Whether a value is a trained network. */
export function isTrained(value: unknown): value is TrainedNetwork {
  return typeof value === "object" && value !== null && "structure" in value && "checksum" in value;
}
