/** Gaussian blobs: the smallest classification problem there is. */
import { type Rng, random } from "../engine/random.ts";
import { type Dataset, type Examples, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `blobs` can be told. */
export interface BlobsOptions {
  /** Default 4. */
  readonly classes?: number;
  /** Numbers per example; default 2. */
  readonly dimensions?: number;
  /** Training examples of each class; default 100. */
  readonly perClass?: number;
  /** Test examples of each class; default 50. */
  readonly testPerClass?: number;
  /** Standard deviation of a blob around its centre; default 0.2. */
  readonly spread?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Gaussian blobs, one per class, around centres drawn uniformly from [−1, 1] in each dimension.
 *
 * @example
 * ```ts
 * import { blobs } from "thalweg";
 * blobs({ classes: 6 }).train.length; // 600
 * ```
 */
export function blobs(options: BlobsOptions = {}): Dataset<"vector"> {
  const o = withDefaults<Required<BlobsOptions>>("blobs", options, {
    classes: 4,
    dimensions: 2,
    perClass: 100,
    testPerClass: 50,
    spread: 0.2,
    seed: 0,
  });
  if (!(o.spread >= 0)) throw new RangeError(`blobs: spread must be a number from 0, got ${o.spread}`);
  for (const key of ["classes", "dimensions", "perClass", "testPerClass"] as const) needWhole("blobs", key, o[key]);
  const rng = random(o.seed).at("blobs");
  const middle = rng.at("centres");
  const centres = Float64Array.from({ length: o.classes * o.dimensions }, () => 2 * middle.uniform() - 1);
  return makeDataset({
    name: "blobs",
    kind: "vector",
    classes: Array.from({ length: o.classes }, (_, i) => String(i)),
    train: around(centres, o, o.perClass, rng.at("train")),
    test: around(centres, o, o.testPerClass, rng.at("test")),
    source: `blobs(${JSON.stringify(options)}), made by the library`,
  });
}

/** Examples of class 0, 1, …, 0, 1, … in turn. */
function around(centres: Float64Array, o: Required<BlobsOptions>, perClass: number, rng: Rng): Examples {
  const { classes, dimensions } = o;
  const x = new Float32Array(perClass * classes * dimensions);
  const labels = new Int32Array(perClass * classes);
  for (let i = 0; i < labels.length; i++) {
    const label = (labels[i] = i % classes);
    for (let j = 0; j < dimensions; j++)
      x[i * dimensions + j] = centres[label * dimensions + j]! + o.spread * rng.normal();
  }
  return table(x, labels, [dimensions], 1);
}
