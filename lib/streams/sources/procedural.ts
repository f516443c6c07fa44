/** Rendered scenes whose factors change over time, without end. */
import { type Examples, table } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { needLength } from "../parts/domains.ts";
import { type Factors, type ShapeName, scene, shapes } from "../parts/scene.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { type Fact, makeStream, type Seed, type Stream, source } from "../stream.ts";

export type { ShapeName } from "../parts/scene.ts";

/** How a factor changes: it stays, goes once from one value to another, swings between two, or is drawn anew each time. */
export type Course =
  | number
  | {
      readonly from: number;
      readonly to: number;
      readonly over: number;
      readonly course?: "once" | "swing" | "random";
    };

/** What `procedural` can be told. */
export interface ProceduralOptions {
  /** The shapes to be told apart, which are the classes; default all six. */
  readonly classes?: readonly ShapeName[];
  /** Pixels on a side; default 16. */
  readonly sizePixels?: number;
  /** Brightness of the object, 0–1; default 1. */
  readonly light?: Course;
  /** Brightness of the background, 0–1; default 0. */
  readonly background?: Course;
  /** Size of the object as a share of the picture; default 0.6. */
  readonly scale?: Course;
  /** Degrees by which the object is turned; default 0. */
  readonly angle?: Course;
  /** Specks strewn over the picture; default 0. */
  readonly clutter?: Course;
  /** Deviation of the noise of every pixel; default 0.02. */
  readonly noise?: Course;
  /** Training examples of an experience; default 200. */
  readonly examples?: number;
  /** Test examples of an experience; default 100. */
  readonly testExamples?: number;
  /** Default `Infinity`. */
  readonly experiences?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

const factorNames = ["light", "background", "scale", "angle", "clutter", "noise"] as const;

/**
 * An endless stream of small rendered pictures of shapes, whose factors follow courses over time: `{ from, to, over, course }` goes from one
 * value to another in `over` experiences once, swings there and back, or is drawn anew for each experience. Where an object is in the
 * picture, and small differences of size and angle, are drawn for every example. Each experience is a task under its own factors.
 *
 * After T. Hess et al., A procedural world generation framework for systematic evaluation of continual learning, arXiv:2106.02585, in two
 * dimensions.
 *
 * Implements: P176 Procedural world generator
 *
 * @example
 * ```ts
 * import { procedural } from "thalweg";
 * const night = procedural({ light: { from: 1, to: 0.3, over: 10 } });
 * night.experience(10_000).train.shape; // [16, 16, 1]
 * ```
 */
export const procedural = source("procedural", "none", function procedural(options: ProceduralOptions = {}): Stream<
  "boundary" | "labels" | "length",
  "image"
> {
  const o = withDefaults<Required<ProceduralOptions>>("procedural", options, {
    classes: Object.keys(shapes) as ShapeName[],
    sizePixels: 16,
    light: 1,
    background: 0,
    scale: 0.6,
    angle: 0,
    clutter: 0,
    noise: 0.02,
    examples: 200,
    testExamples: 100,
    experiences: Infinity,
    seed: 0,
  });
  for (const key of ["sizePixels", "examples", "testExamples"] as const) needWhole("procedural", key, o[key]);
  needLength("procedural", o.experiences);
  const unknown = o.classes.find((name) => !(name in shapes));
  if (o.classes.length === 0 || unknown !== undefined)
    throw new TypeError(
      `procedural: classes of ${Object.keys(shapes).join(", ")} are required, got ${unknown ?? "none"}`,
    );
  const rng = rngOf(o.seed, "procedural");
  const factorsOf = (index: number): Factors =>
    Object.fromEntries(
      factorNames.map((name) => [name, valueAt(o[name], index, rng.at("factor", name))]),
    ) as unknown as Factors;
  const rendered = (index: number, count: number, draw: Rng): Examples => {
    const size = o.sizePixels ** 2;
    const [x, labels, factors] = [new Uint8Array(count * size), new Int32Array(count), factorsOf(index)];
    for (let i = 0; i < count; i++) {
      labels[i] = i % o.classes.length;
      scene(o.classes[labels[i]!]!, factors, o.sizePixels, draw, x.subarray(i * size, (i + 1) * size));
    }
    return table(x, labels, [o.sizePixels, o.sizePixels, 1], 1 / 255);
  };
  const all = o.classes.map((_, i) => i);
  const test = (task: number) => rendered(task, o.testExamples, rng.at("test", task));
  const facts: Fact[] = o.experiences === Infinity ? ["boundary", "labels"] : ["boundary", "labels", "length"];
  return makeStream<"boundary" | "labels" | "length", "image">({
    spec: { name: "procedural", args: [options as never] },
    kind: "image",
    shape: [o.sizePixels, o.sizePixels, 1],
    facts: facts as ("boundary" | "labels" | "length")[],
    length: o.experiences,
    classes: o.classes,
    countOf: () => o.examples,
    classesOf: () => all,
    test: (task) => ({ examples: test(task), classes: all }),
    experience: (index) => ({
      index,
      task: index,
      classes: all,
      train: rendered(index, o.examples, rng.at("train", index)),
      validation: null,
      test: test(index),
    }),
    ...waiting(o.seed, (seed) => procedural({ ...options, seed })),
  });
});

/** The value of a factor in an experience. */
function valueAt(course: Course, index: number, rng: Rng): number {
  if (typeof course === "number") return course;
  const { from, to, over } = course;
  if (!(over >= 1)) throw new RangeError(`procedural: a course over at least 1 experience is required, got ${over}`);
  if (course.course === "random") return from + (to - from) * rng.at(index).uniform();
  if (course.course === "swing") return from + (to - from) * 0.5 * (1 - Math.cos((Math.PI * index) / over));
  return from + (to - from) * Math.min(1, index / over);
}
