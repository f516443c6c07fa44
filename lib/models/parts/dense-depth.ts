/** Means of what several layers gave, weighed anew at every place. */
import { nn, type Rng, tf } from "../../engine/index.ts";
import type { Mode, Params } from "../model.ts";
import { kernelParams, product } from "./product.ts";

/** The parameters of `ways` means of `count` layers: all begin as the last layer. */
export function aggregateParams(rng: Rng, units: number, ways: number, count: number): Params {
  const wide = ways * count;
  const last = Float32Array.from({ length: wide }, (_, i) => ((i + 1) % count === 0 ? 1 : 0));
  return {
    up: kernelParams(rng.at("up"), units, wide),
    down: { kernel: tf.zeros([wide, wide]), bias: tf.tensor1d(last) },
  };
}

/** The means of `[n, places, units]` sequences, by weights that come of the last: `W₂ gelu(W₁ x / rms(x)) + b`. */
export function aggregated(all: readonly tf.Tensor[], params: Params, mode: Mode): tf.Tensor[] {
  const x = all.at(-1)!;
  const [n, places, units] = x.shape as [number, number, number];
  const normal = nn.rmsNormalise(x, tf.ones([units]));
  const shares = product(nn.gelu(product(normal, params, "up", mode), "exact"), params, "down", mode);
  const ways = shares.shape[2]! / all.length;
  // a product of a few rows at each place
  const stacked = tf.reshape(tf.concat([...all], 2), [n * places, all.length, units]);
  const means = tf.matMul(tf.reshape(shares, [n * places, ways, all.length]), stacked);
  const beside = tf.reshape(means, [n, places, ways * units]);
  return ways === 1 ? [beside] : tf.split(beside, ways, 2);
}
