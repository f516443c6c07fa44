/** The same images again and again, each time turned by another angle. */
import { type Dataset, mappedTogether } from "../../data/dataset.ts";
import { needOneOf, needWhole, withDefaults } from "../../data/options.ts";
import { repeatedTask } from "../parts/domains.ts";
import { type Interpolation, interpolations, rotation } from "../parts/rotation.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { dataSpec, type Seed, type Stream, source } from "../stream.ts";

/** Angles drawn at random. */
export interface DrawnAngles {
  readonly tasks: number;
  /** The lowest and highest angle in degrees; default [0, 180]. */
  readonly between?: readonly [number, number];
  /** Draws the angles; "run" for the run's own seed; default 0. */
  readonly seed?: Seed;
}

/** What else `rotated` can be told. */
export interface RotatedOptions {
  /** `"bilinear"` (default) or `"nearest"`, as torchvision turns images unless it is told otherwise. */
  readonly interpolation?: Interpolation;
}

/**
 * A stream of one task per angle, in degrees counter-clockwise. Labels are those of the data set in every task.
 *
 * Angles are a list, or drawn uniformly: `{ tasks: 20, between: [0, 180] }` is the Rotated MNIST of Lopez-Paz and Ranzato 2017
 * (arXiv:1706.08840). Pixels are turned about the middle of the image by bilinear interpolation of the raw values, or become the nearest
 * one (`{ interpolation: "nearest" }` as the third argument); outside the image is 0; bytes are rounded to the nearest. Multiples of 90° of a square image are exact.
 *
 * @example
 * ```ts
 * import { digits, rotated } from "thalweg";
 * rotated(digits(), [0, 45, 90]).length; // 3
 * ```
 */
export const rotated = source("rotated", "one", function rotated<
  K extends "image",
>(data: Dataset<K>, angles: readonly number[] | DrawnAngles, options: RotatedOptions = {}): Stream<
  "boundary" | "labels" | "length",
  K
> {
  const { interpolation } = withDefaults<Required<RotatedOptions>>("rotated", options, { interpolation: "bilinear" });
  needOneOf("rotated", "interpolation", interpolation, interpolations);
  if (data.kind !== "image" || data.shape.length !== 3)
    throw new TypeError(`rotated: a data set of images is required, got ${data.kind} of shape [${data.shape}]`);
  const drawn = "tasks" in angles ? angles : undefined;
  const list = drawn ? draw(drawn) : (angles as readonly number[]);
  const wrong = list.find((angle) => !Number.isFinite(angle));
  if (list.length === 0 || wrong !== undefined)
    throw new RangeError(`rotated: at least one angle in degrees is required, got ${wrong ?? "none"}`);
  return repeatedTask(data, {
    spec: {
      name: "rotated",
      args: [angles as never, ...(options.interpolation ? [options as never] : [])],
      data: dataSpec(data),
    },
    length: list.length,
    transform(task) {
      const turn = rotation(data.shape, list[task]!, interpolation);
      return (of) => (list[task] === 0 ? of : mappedTogether(of, turn));
    },
    ...(drawn && waiting(drawn.seed ?? 0, (seed) => rotated(data, { ...drawn, seed }, options))),
  });
});

function draw(given: DrawnAngles): number[] {
  const o = withDefaults<Required<DrawnAngles>>("rotated", given, { tasks: 0, between: [0, 180], seed: 0 });
  needWhole("rotated", "tasks", o.tasks);
  const rng = rngOf(o.seed, "rotated");
  const [low, high] = o.between;
  return Array.from({ length: o.tasks }, () => low + (high - low) * rng.uniform());
}
