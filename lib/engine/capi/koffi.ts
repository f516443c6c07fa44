/** The package koffi, which calls functions of C libraries: an optional one, as only CUDA needs it. */
import { createRequire } from "node:module";

/** An address in memory of the process or of the device. */
export type Address = bigint;

/** What we use of koffi 3. */
export interface Koffi {
  load(
    path: string | null,
    options?: { readonly lazy?: boolean; readonly global?: boolean },
  ): {
    // biome-ignore lint/suspicious/noExplicitAny: a C function takes what its declaration says
    func(declaration: string): (...args: any[]) => any;
  };
  proto(declaration: string): object;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  decode(address: Address, type: object | string, length?: number): any;
  address(array: ArrayBufferView): Address;
  config(settings: { readonly sync_stack_size: number }): unknown;
}

const require = createRequire(import.meta.url);
/** ONNX Runtime walks graphs recursively; koffi's own stack of 1 MiB is small for that. */
const stackBytes = 8 << 20;
let loaded: Koffi | undefined;

/** Whether it is installed. */
export function hasKoffi(): boolean {
  try {
    require.resolve("koffi");
    return true;
  } catch {
    return false;
  }
}

/**
 * Loads koffi.
 *
 * @throws Error where it is not installed, or does not load.
 */
export function koffi(): Koffi {
  if (loaded !== undefined) return loaded;
  if (!hasKoffi()) throw new Error("the package koffi, which calls C libraries, is not installed; `npm install koffi`");
  loaded = require("koffi") as Koffi;
  try {
    loaded.config({ sync_stack_size: stackBytes });
  } catch {
    // Someone else has used it before, and its stack stays as it is.
  }
  return loaded;
}
