/** Adapters that change the kernel of a layer, as a matrix with a row for each number that comes in. */
import { type Rng, tf } from "../../engine/index.ts";
import type { AdapterParts, Site } from "../adapters/adapter.ts";
import type { Params } from "../model.ts";

/** What such an adapter does with the kernel `[inputs, units]` of a layer; of a convolution the inputs are those of a window. */
export interface KernelChange extends Pick<AdapterParts, "shared" | "fixed"> {
  /** New tensors for a kernel. */
  init(rng: Rng, kernel: tf.Tensor2D, site: Site): Params;
  /** The kernel in place of the layer's own. */
  changed(own: Params, kernel: tf.Tensor2D): tf.Tensor;
}

/** A kernel as a matrix. */
export function matrixOf(kernel: tf.Tensor): tf.Tensor2D {
  return tf.reshape(kernel, [-1, kernel.shape.at(-1)!]) as tf.Tensor2D;
}

/** The layers among some that have a kernel, as pairs of inputs and units. */
export function kernelsOf(sites: readonly Site[]): (readonly [inputs: number, units: number])[] {
  return sites.flatMap(({ layer: { kernel } }) => {
    if (kernel === undefined) return [];
    const { size, shape } = kernel as tf.Tensor;
    return [[size / shape.at(-1)!, shape.at(-1)!] as const];
  });
}

/** An adapter from what it does with kernels; layers without one are left alone. It is merged as it is. */
export function onKernels({ init, changed, ...rest }: KernelChange): AdapterParts {
  return {
    ...rest,
    init(rng, site) {
      const { kernel } = site.layer;
      return kernel === undefined ? {} : init(rng, matrixOf(kernel as tf.Tensor), site);
    },
    weights(own, layer) {
      const kernel = layer.kernel as tf.Tensor;
      return { ...layer, kernel: tf.reshape(changed(own, matrixOf(kernel)), kernel.shape) };
    },
  };
}

/** `left · right`, both of an adapter's own tensors. */
export function productOf(own: Params, left: string, right: string): tf.Tensor2D {
  return tf.matMul(own[left] as tf.Tensor2D, own[right] as tf.Tensor2D);
}
