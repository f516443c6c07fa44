/** Products with trained kernels at every place of a sequence. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import type { Mode, Params } from "../model.ts";

/** The kernel and bias of one product, drawn like those of `dense`, or as if it had `fanIn` inputs. */
export function productParams(rng: Rng, inputs: number, units: number, fanIn = inputs): Params {
  return {
    kernel: drawWeights("torch", rng.at("kernel"), [inputs, units], fanIn, units),
    bias: drawBias("torch", rng.at("bias"), units, fanIn),
  };
}

/** The kernel alone of one product. */
export function kernelParams(rng: Rng, inputs: number, units: number): Params {
  return { kernel: drawWeights("torch", rng.at("kernel"), [inputs, units], inputs, units) };
}

/** `[n, …, inputs] → [n, …, units]` by the kernel, or by two factors of it, and the bias if there is one, of a part of a layer's parameters. */
export function product(x: tf.Tensor, params: Params, part: string, mode: Mode): tf.Tensor {
  if (isFactored(params[part] as Params)) {
    const { bias, ...factors } = params[part] as Params;
    const y = product(product(x, factors, "first", mode.at(part)), factors, "second", mode.at(part));
    return bias === undefined ? y : tf.add(y, bias as tf.Tensor);
  }
  const { kernel, bias } = params[part] as { readonly kernel: tf.Tensor2D; readonly bias?: tf.Tensor };
  const [inputs, units] = kernel.shape;
  const own = mode.at(part);
  const rows = own.into(tf.reshape(x, [x.size / inputs, inputs])) as tf.Tensor2D;
  const y = tf.matMul(rows, kernel);
  const tapped = own.tapped(rows, bias === undefined ? y : tf.add(y, bias));
  return tf.reshape(tapped, [...x.shape.slice(0, -1), units]);
}

/** Whether a part's kernel is the product of two factors. */
export function isFactored(part: Params): boolean {
  return "first" in part && "second" in part;
}

/** The rank at which two factors have `times` fewer numbers than the kernel `[inputs, units]`, at least 1 and at most that of the kernel. */
export function rankFor(inputs: number, units: number, times: number): number {
  const rank = Math.floor((inputs * units) / (times * (inputs + units)));
  return Math.max(1, Math.min(rank, inputs, units));
}

/** How many times fewer numbers the two factors of every product have, or the rank of each by its name; products without a name keep one kernel. */
export type Ranks = number | { readonly [part: string]: number };

/** Parameters in which products of a kernel with two axes have two factors, drawn anew, in its place. */
export function factoredParams(rng: Rng, params: Params, ranks: Ranks): Params {
  return Object.fromEntries(
    Object.entries(params).map(([part, own]) => {
      const { kernel, ...rest } = own as { readonly kernel?: tf.Tensor };
      if (kernel?.rank !== 2) return [part, own];
      const [inputs, units] = kernel.shape as [number, number];
      const rank = typeof ranks === "number" ? rankFor(inputs, units, ranks) : ranks[part];
      if (rank === undefined) return [part, own];
      const first = kernelParams(rng.at(part, "first"), inputs, rank);
      kernel.dispose();
      return [part, { ...rest, first, second: kernelParams(rng.at(part, "second"), rank, units) }];
    }),
  );
}

/** The parameters of a normalisation. */
export function normParams(units: number): Params {
  return { scale: tf.ones([units]), shift: tf.zeros([units]) };
}
