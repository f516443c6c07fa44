import { conv, dense, flatten, pool, relu } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { sequential } from "../sequential.ts";

/** Options of `cnn`. */
export interface CnnOptions {
  /** Filters of each block of convolution, rectifier and halving. Default [32, 64]. */
  readonly filters?: readonly number[];
  /** Side of the square windows. Default 3. */
  readonly window?: number;
  /** Units of the dense layer at the end. Default 128. */
  readonly units?: number;
}

/**
 * A small convolutional network: blocks of convolution, rectifier and max pooling, then one dense layer.
 *
 * @example
 * ```ts
 * import { cnn } from "thalweg";
 * cnn({ filters: [16, 32] }).features([28, 28, 1]); // [128]
 * ```
 */
export function cnn({ filters = [32, 64], window = 3, units = 128 }: CnnOptions = {}): Model<"image"> {
  const blocks = filters.flatMap((count) => [conv(count, window), relu(), pool(2)]);
  return Object.freeze(
    sequential<"image">("cnn", { filters, window, units }, [...blocks, flatten(), dense(units), relu()]),
  );
}
