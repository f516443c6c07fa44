// Written by `npm run gen`.
import * as sources from "../streams/sources/index.ts";
import { fluentSource } from "./stream.ts";

/**
 * A stream of one experience that holds all classes of a data set.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const stream = operators.split(5)(classes(digits()));
 * stream.length; // 5
 * ```
 */
export const classes = fluentSource(sources.classes);

/**
 * A stream of `n` tasks over all classes, each with its own fixed random permutation of the numbers of an example; `Infinity` for a
 * stream that never ends. Labels are those of the data set in every task.
 *
 * I. Goodfellow et al., An empirical investigation of catastrophic forgetting, arXiv:1312.6211; J. Kirkpatrick et al. 2017.
 *
 * @example
 * ```ts
 * import { digits, permuted } from "thalweg";
 * permuted(digits(), 10).length; // 10
 * ```
 */
export const permuted = fluentSource(sources.permuted);

/**
 * A stream of one task per angle, in degrees counter-clockwise. Labels are those of the data set in every task.
 *
 * Angles are a list, or drawn uniformly: `{ tasks: 20, between: [0, 180] }` is the Rotated MNIST of Lopez-Paz and Ranzato 2017
 * (arXiv:1706.08840). Pixels are turned about the middle of the image by bilinear interpolation of the raw values; outside the image is 0;
 * bytes are rounded to the nearest. Multiples of 90° of a square image are exact.
 *
 * @example
 * ```ts
 * import { digits, rotated } from "thalweg";
 * rotated(digits(), [0, 45, 90]).length; // 3
 * ```
 */
export const rotated = fluentSource(sources.rotated);
