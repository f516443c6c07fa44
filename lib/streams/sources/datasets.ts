/** Unlike data sets, one after another. */
import { type Dataset, type Examples, type Kind, relabelled, type Shape, select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { fittedTo } from "../parts/fit-shape.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { relabelOf } from "../parts/tables.ts";
import { needClasses } from "../parts/target.ts";
import { dataSpec, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `datasets` can be told. */
export interface DatasetsOptions {
  /** The shape that all examples are brought to; default the largest size in each direction. `[length]` makes vectors of images too. */
  readonly shape?: Shape;
  /** At most so many training examples of each data set, drawn at random: one number, or one for each; default all. */
  readonly examples?: number | readonly number[];
  /** Draws the examples; default 0. */
  readonly seed?: Seed;
}

/**
 * A stream of one task per data set, in the order given, of unlike shapes and classes: images are resized to one shape, vectors filled up
 * with 0, and every data set's classes get columns of their own, named "data set: class". A chronological list with a budget of examples
 * for each is the shape of NEVIS'22 (J. Bornschein et al., arXiv:2211.11747).
 *
 * @example
 * ```ts
 * import { blobs, datasets } from "thalweg";
 * datasets([blobs({ classes: 2 }), blobs({ classes: 3, dimensions: 5 })]).classes.length; // 5
 * ```
 */
export const datasets = source("datasets", "many", function datasets<
  K extends Kind,
>(data: readonly Dataset<K>[], options: DatasetsOptions = {}): Stream<"boundary" | "labels" | "length", K> {
  const o = withDefaults<Required<DatasetsOptions>>("datasets", options, {
    shape: options.shape ?? largest(data),
    examples: Infinity,
    seed: 0,
  });
  const [first] = data as readonly [Dataset<K>, ...Dataset<K>[]];
  const bytes = first.train.bytes;
  const flat = o.shape.length === 1 && data.every(({ kind }) => kind !== "sequence");
  for (const set of data) needClasses("datasets", set, "domains(data) takes others that ask for the same");
  const unlike = data.find((set) => set.kind !== first.kind);
  if (unlike !== undefined && !flat)
    throw new TypeError(
      `datasets: data sets of one kind are required, got ${first.kind} [${first.shape}] and ${unlike.kind} [${unlike.shape}]; bring images and vectors to one length with { shape: [length] }`,
    );
  if (!flat && first.shape.length !== o.shape.length)
    throw new TypeError(
      `datasets: a shape like those of the data sets is required, got [${o.shape}] for examples of shape [${first.shape}]`,
    );
  const most = data.map((_, i) => (typeof o.examples === "number" ? o.examples : (o.examples[i] ?? Infinity)));
  for (const n of most) if (n !== Infinity) needWhole("datasets", "examples", n);
  const starts: number[] = [];
  let columns = 0;
  for (const set of data) {
    starts.push(columns);
    columns += set.classes.length;
  }
  const rng = rngOf(o.seed, "datasets");
  const classesOf = data.map((set, i) => set.classes.map((_, c) => starts[i]! + c));
  const view = (of: Examples, i: number): Examples => {
    const placed = relabelled(
      of,
      relabelOf(of, (label) => label + starts[i]!),
    );
    return asFloats(fittedTo(placed, o.shape), !bytes || data.some((set) => set.train.bytes !== bytes));
  };
  return makeStream({
    spec: { name: "datasets", args: options === undefined ? [] : [options as never], data: dataSpec(...data) },
    kind: flat ? ("vector" as K) : first.kind,
    shape: o.shape,
    facts: ["boundary", "labels", "length"],
    length: data.length,
    classes: data.flatMap((set) => set.classes.map((name) => `${set.name}: ${name}`)),
    countOf: (index) => Math.min(most[index]!, data[index]!.train.length),
    classesOf: (task) => classesOf[task]!,
    test: (task) => ({ examples: view(data[task]!.test, task), classes: classesOf[task]! }),
    experience(index) {
      const { train, test } = data[index]!;
      const few = fewer(train, most[index]!, rng.at(index));
      const classes = classesOf[index]!;
      return { index, task: index, classes, train: view(few, index), validation: null, test: view(test, index) };
    },
    ...waiting(o.seed, (seed) => datasets(data, { ...options, seed })),
  });
});

function largest(data: readonly Dataset[]): Shape {
  const [first] = data;
  if (first === undefined) throw new RangeError("datasets: at least one data set is required, got none");
  return first.shape.map((_, axis) => Math.max(...data.map((set) => set.shape[axis] ?? 0)));
}

function fewer(of: Examples, most: number, rng: Rng): Examples {
  return most >= of.length ? of : select(of, rng.sample(of.length, most).sort());
}

/** The table as floats of scale 1, where bytes and floats must meet. */
function asFloats(of: Examples, needed: boolean): Examples {
  if (!needed || (!of.bytes && of.scale === 1)) return of;
  return {
    ...of,
    bytes: false,
    scale: 1,
    read(at, out, offset = 0) {
      const size = of.shape.reduce((a, b) => a * b, 1);
      const raw = of.bytes ? new Uint8Array(at.length * size) : new Float32Array(at.length * size);
      of.read(at, raw);
      for (let i = 0; i < raw.length; i++) out[offset + i] = raw[i]! * of.scale;
    },
  };
}
