/** Makes the devices of the C interface, and says in words how they are used. */
import { api } from "./api.ts";
import { cudaStore, openLibraries } from "./cuda.ts";
import type { BoundDevice, DeviceOptions } from "./device.ts";
import { DeviceMemory, processStore } from "./memory.ts";

export type BoundName = "cuda" | "cpu-capi";

/** Opens a device. `lost` is called when it does not answer any more. */
export function boundDevice(name: BoundName, given: DeviceOptions, lost: (reason: string) => void): BoundDevice {
  const { tf32 = false, graphs = false, card = 0, memory, optimise = name === "cuda" ? "none" : "basic" } = given;
  for (const [option, value, rule] of [
    ["memory", memory ?? 1, "bytes above 0"],
    ["card", card + 1, "a number of a card from 0"],
  ] as const) {
    if (!(Number.isSafeInteger(value) && value > 0))
      throw new RangeError(`engine.use: ${rule} are required as ${option}, got ${option === "card" ? card : memory}`);
  }
  if (name === "cuda") openLibraries();
  const store = name === "cuda" ? cudaStore(card) : processStore();
  return {
    provider: name === "cuda" ? "cuda" : "cpu",
    api: api(),
    memory: new DeviceMemory(store, memory),
    options: { tf32, graphs, card, optimise },
    captured: { graphs: 0, refused: 0 },
    lost,
  };
}

/** How a device is used, in words. */
export function wayOf({ provider, options, memory }: BoundDevice): string {
  const parts = ["tensors stay on the device"];
  if (provider === "cuda") {
    parts.push(options.graphs ? "steps as CUDA graphs" : "steps in loops of one program");
    parts.push(options.tf32 ? "TF32" : "exact 32-bit arithmetic");
  }
  if (Number.isFinite(memory.limit)) parts.push(`at most ${Math.round(memory.limit / 2 ** 20)} MiB`);
  return parts.join(", ");
}
