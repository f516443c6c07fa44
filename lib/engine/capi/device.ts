/** The device whose programs run through ONNX Runtime's C interface, with tensors that stay there. */
import type { Api } from "./api.ts";
import type { DeviceMemory } from "./memory.ts";

/** Settings of a device. The defaults give the numbers of exact 32-bit arithmetic. */
export interface DeviceOptions {
  /** Whether matrix products and convolutions may round their inputs to TF32: faster, with 10 bits of mantissa instead of 23. Default false. */
  readonly tf32?: boolean;
  /** Whether a program without a loop is captured as a CUDA graph and replayed, and steps are taken one by one for its sake. Default false. */
  readonly graphs?: boolean;
  /** Bytes of device memory that this process may take; default: all there are. */
  readonly memory?: number;
  /** How much ONNX Runtime rewrites a program before it runs it. Default "none" on a GPU, "basic" on the processor. */
  readonly optimise?: "none" | "basic" | "all";
  /** The number of the card, from 0. Default 0. */
  readonly card?: number;
}

/** A device in use. */
export interface BoundDevice {
  readonly provider: "cpu" | "cuda";
  readonly api: Api;
  readonly memory: DeviceMemory;
  readonly options: Required<Omit<DeviceOptions, "memory">>;
  /** Programs that were captured as CUDA graphs, and those that could not be. */
  readonly captured: { graphs: number; refused: number };
  /** Called when the device is lost, with what it said. */
  lost(reason: string): void;
}

/** The device that programs are compiled for; null where they run through the binding for Node. */
export const bound: { device: BoundDevice | null } = { device: null };

/** The device does not answer any more: what lay in its memory is gone. */
export class DeviceLost extends Error {
  override readonly name = "DeviceLost";
}

/** What CUDA says when a device is gone for this process (cudaError_t; 46, 214 and 719 are the usual ones). */
const lostCodes = [46, 101, 210, 214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999];
const lost = new RegExp(`CUDA(?:\\w*) (?:failure|error) (?:${lostCodes.join("|")})\\b`);
const outOfMemory = /CUDA(?:\w*) (?:failure|error) 2\b|out of memory|Failed to allocate memory/i;

/** What an error of a run is about. */
export function kindOf(message: string): "lost" | "memory" | "other" {
  return lost.test(message) ? "lost" : outOfMemory.test(message) ? "memory" : "other";
}
