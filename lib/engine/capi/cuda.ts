/** Memory of an NVIDIA card, through CUDA's runtime; its libraries are opened by their path, in the order in which they need one another. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { libraryFolder } from "../gpu/install.ts";
import { DeviceLost, kindOf } from "./device.ts";
import { type Address, koffi } from "./koffi.ts";
import type { Store } from "./memory.ts";

/** Libraries that are opened before the provider, which asks for them by name alone: what is open already is found under its name. */
const order = [
  /^libcudart\.so/,
  /^libnvrtc-builtins\.so/,
  /^libnvrtc\.so/,
  /^libcublasLt\.so/,
  /^libcublas\.so/,
  /^libcurand\.so/,
  /^libcudnn\.so/,
];

/** Opens what was installed; where nothing was, the system's own libraries are found as always. */
export function openLibraries(folder: string = libraryFolder()): string[] {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const paths = order.flatMap((name) => files.filter((file) => name.test(file)).map((file) => join(folder, file)));
  for (const path of paths) koffi().load(path, { global: true });
  return paths;
}

const [toDevice, toHost] = [1, 2];

/** What CUDA's runtime does for us; every function gives an error code. */
interface Runtime {
  cudaSetDevice(card: number): number;
  cudaMalloc(out: [Address | null], bytes: number): number;
  cudaFree(at: Address): number;
  cudaMemcpy(to: Address | Uint8Array, from: Address | Uint8Array, bytes: number, kind: number): number;
  cudaStreamSynchronize(stream: null): number;
  cudaGetErrorString(code: number): string;
}

function runtime(): Runtime {
  const path = join(libraryFolder(), "libcudart.so.13");
  const c = koffi().load(existsSync(path) ? path : "libcudart.so.13");
  return {
    cudaSetDevice: c.func("int cudaSetDevice(int)"),
    cudaMalloc: c.func("int cudaMalloc(_Out_ void**, size_t)"),
    cudaFree: c.func("int cudaFree(void*)"),
    cudaMemcpy: c.func("int cudaMemcpy(void*, void*, size_t, int)"),
    cudaStreamSynchronize: c.func("int cudaStreamSynchronize(void*)"),
    cudaGetErrorString: c.func("const char* cudaGetErrorString(int)"),
  };
}

const noRoom = 2;

/** Memory of one card. */
export function cudaStore(card: number, cuda: Runtime = runtime()): Store {
  const check = (code: number, what: string): void => {
    if (code === 0) return;
    const message = `CUDA error ${code} in ${what}: ${cuda.cudaGetErrorString(code)}`;
    throw kindOf(message) === "lost" ? new DeviceLost(message) : new Error(message);
  };
  check(cuda.cudaSetDevice(card), "cudaSetDevice");
  return {
    name: "Cuda",
    card,
    take(bytes) {
      const out: [Address | null] = [null];
      const code = cuda.cudaMalloc(out, bytes);
      if (code === noRoom) return null;
      check(code, "cudaMalloc");
      return out[0];
    },
    give: (at) => void cuda.cudaFree(at), // one that fails has nothing left to free
    write(at, from) {
      check(cuda.cudaMemcpy(at, from, from.byteLength, toDevice), "cudaMemcpy to the device");
      // The copy may still be under way when the call returns, and ONNX Runtime's stream does not wait for this one.
      check(cuda.cudaStreamSynchronize(null), "cudaStreamSynchronize");
    },
    read(at, into) {
      check(cuda.cudaMemcpy(into, at, into.byteLength, toHost), "cudaMemcpy from the device");
    },
  };
}
