/** Makes the backend known to TensorFlow.js, every kernel recorded or run by the fallback. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { Arr } from "../graph/arr.ts";
import "../kernels/index.ts";
import { type Inputs, lowerings } from "../kernels/registry.ts";
import { backend, backendName } from "./backend.ts";
import { fallback } from "./fallback.ts";

const shared = (info: tf.TensorInfo, shape: number[]): tf.TensorInfo => {
  backend.incRef(info.dataId);
  return { dataId: info.dataId, shape, dtype: info.dtype };
};

/** Kernels that give their input's numbers under another shape, or as they are. */
const views: { readonly [kernel: string]: (info: tf.TensorInfo, attrs: never) => number[] } = {
  Identity: (x) => x.shape,
  StopGradient: (x) => x.shape,
  Reshape: (x, attrs: { shape: number[] }) =>
    tf.util.inferFromImplicitShape(attrs.shape, tf.util.sizeFromShape(x.shape)),
  ExpandDims: (x, attrs: { dim: number }) => {
    const shape = [...x.shape];
    tf.util.assert(
      -(x.shape.length + 1) <= attrs.dim && attrs.dim <= x.shape.length,
      () => `Axis must be in the interval [${-(x.shape.length + 1)}, ${x.shape.length}]`,
    );
    shape.splice(attrs.dim < 0 ? x.shape.length + attrs.dim + 1 : attrs.dim, 0, 1);
    return shape;
  },
};

const recordable = (info: tf.TensorInfo | undefined): boolean =>
  !info || info.dtype === "float32" || info.dtype === "int32" || info.dtype === "bool";

function kernelFunction(name: string): tf.KernelFunc {
  const lowering = lowerings.get(name);
  const view = views[name];
  return ({ inputs, attrs }) => {
    if (view) {
      const info = (inputs as { x?: tf.TensorInfo }).x ?? (inputs as { input?: tf.TensorInfo }).input!;
      return shared(info, view(info, attrs as never));
    }
    if (
      name === "Cast" &&
      (inputs as { x: tf.TensorInfo }).x.dtype === (attrs as { dtype?: string } | undefined)?.dtype
    ) {
      return shared((inputs as { x: tf.TensorInfo }).x, (inputs as { x: tf.TensorInfo }).x.shape);
    }
    if (name === "Complex") {
      const { real, imag } = inputs as { real: tf.TensorInfo; imag: tf.TensorInfo };
      const parts = { real: shared(real, real.shape), imag: shared(imag, imag.shape) };
      return { dataId: backend.wrap(parts, "complex64"), shape: real.shape, dtype: "complex64" };
    }
    if (name === "Real" || name === "Imag") {
      const { input } = inputs as { input: tf.TensorInfo };
      const { real, imag } = backend.entry(input.dataId).other!;
      return shared(name === "Real" ? real! : imag!, input.shape);
    }
    if (lowering && Object.values(inputs).every(recordable)) {
      backend.begin(name);
      const recorded: Record<string, Arr> = {};
      for (const key in inputs) {
        const info = inputs[key] as tf.TensorInfo | undefined;
        if (info) recorded[key] = backend.arr(info);
      }
      const result = lowering(backend.graph, recorded as unknown as Inputs, (attrs ?? {}) as never);
      if (result) return Array.isArray(result) ? result.map((one) => backend.make(one)) : backend.make(result);
    }
    return fallback(name, inputs, attrs);
  };
}

/** Registers the backend; it becomes the default by its priority. */
export function register(priority: number): void {
  const names = new Set(tf.getKernelsForBackend("cpu").map((kernel) => kernel.kernelName));
  for (const name of [...names, ...lowerings.keys(), ...Object.keys(views)]) {
    if (!tf.getKernel(name, backendName))
      tf.registerKernel({ kernelName: name, backendName, kernelFunc: kernelFunction(name) });
  }
  tf.registerBackend(backendName, () => backend, priority);
}
