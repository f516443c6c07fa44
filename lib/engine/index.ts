/** Where arrays are computed. Nothing above this folder knows which backend it is. */
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-layers"; // registers the gradients of all ops, and is the home of tf.layers models

import { bound } from "./capi/device.ts";
import { type DeviceName, device, devices, isChosen, use, useNamed, variant } from "./devices.ts";
import { driverLater } from "./gpu/card.ts";
import { type GpuStatus, gpuStatus } from "./gpu/status.ts";
import "./gradients.ts";
import "./methods.ts";
import { register } from "./runtime/register.ts";
import { gpuTraffic } from "./runtime/gpu-buffer.ts";
import { runtime } from "./runtime/session.ts";
import { warnOnce } from "./runtime/where.ts";

const native = runtime();
if (native instanceof Error)
  warnOnce(
    `engine: ONNX Runtime is required for speed, got "${native.message}"; arrays are computed by tfjs-cpu, which is slow. Install onnxruntime-node for this platform.`,
  );
// The backend with the highest priority is the default; tfjs-cpu has 1.
register(native instanceof Error ? 0 : 10);

/** Where arrays are computed: `engine.use("webgpu")`, `engine.devices()`, `engine.device`, `await engine.gpu()`. */
export const engine = {
  use,
  devices,
  /** NVIDIA's driver and cards as they are now (memory, how busy), what is installed for CUDA, and what is missing. */
  gpu: async (): Promise<GpuStatus> => gpuStatus(await driverLater()),
  /** The name of the device in use. */
  get device(): DeviceName {
    return device();
  },
  /** What a run depends on besides the device: `tf32+graphs`, or "" for the defaults. */
  get variant(): string {
    return variant();
  },
  /** Whether somebody has said where to compute; where nobody has, a study may run where it is fastest. */
  get isChosen(): boolean {
    return isChosen();
  },
  /** Bytes that went to the device and came back since it is in use, and that are held there; null where tensors lie on the host. */
  get traffic(): { readonly in: number; readonly out: number; readonly held: number } | null {
    if (device() === "webgpu") return { ...gpuTraffic };
    const memory = bound.device?.memory;
    return memory === undefined ? null : { ...memory.crossed, held: memory.taken };
  },
} as const;

const wanted = process.env.THALWEG_DEVICE;
if (wanted) {
  // Reported, not thrown: a machine without the device still opens the notebook.
  try {
    useNamed(wanted).catch((error: Error) => warnOnce(`THALWEG_DEVICE: ${error.message}`));
  } catch (error) {
    warnOnce(`THALWEG_DEVICE: ${(error as Error).message}; computing on "${device()}"`);
  }
}

export * as tf from "@tensorflow/tfjs-core";
export * as tfLayers from "@tensorflow/tfjs-layers";
export { associativeScan, type PrefixOptions } from "./associative-scan.ts";
export * from "./deer.ts";
export { DeviceLost, type DeviceOptions } from "./capi/device.ts";
export { OutOfMemory } from "./capi/memory.ts";
export type { Device, DeviceName } from "./devices.ts";
export * from "./complex.ts";
export * from "./export.ts";
export * from "./fft-convolve.ts";
export { gpuCommand, gpuUsage } from "./gpu/command.ts";
export type { GpuStatus } from "./gpu/status.ts";
export * from "./grad.ts";
export * from "./jit.ts";
export * from "./linear-scan.ts";
export * from "./live-bytes.ts";
export * from "./model-files.ts";
export * as nn from "./nn.ts";
export * from "./random.ts";
export * from "./scan.ts";
export { flopsDone } from "./runtime/tally.ts";
export * from "./serialize.ts";
export * from "./tree.ts";
export * from "./when.ts";
export * from "./without-gradient.ts";
