/** Two neighbouring classes at a time, in rounds, while the images of every class turn through a full circle. */
import { type Dataset, type Examples, type Raw, sizeOf, table } from "../../data/dataset.ts";
import { needOneOf, needWhole, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import type { Rng } from "../../engine/random.ts";
import { part as share } from "../parts/chunks.ts";
import { type Interpolation, interpolations, rotation } from "../parts/rotation.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { needClasses } from "../parts/target.ts";
import { dataSpec, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `revolving` can be told. */
export interface RevolvingOptions {
  /** How many classes take part, from the first; default one less than there are, at most 9 (a 9 on its head is a 6). */
  readonly classes?: number;
  /** How often every pair of neighbours comes; default 3. */
  readonly rounds?: number;
  /** Whether an image may come again within its part; default false: each image comes once. */
  readonly replace?: boolean;
  /** `"bilinear"` (default) or `"nearest"`: how images are turned. */
  readonly interpolation?: Interpolation;
  /** Draws which image comes when; default 0. */
  readonly seed?: Seed;
}

/** One place of the stream: an image of the training set, and the angle under which it is seen. */
interface Shown {
  readonly row: number;
  readonly degrees: number;
}

/**
 * A stream without boundaries in which classes come back and their looks drift: the classes 0 and 1 mixed, then 1 and 2, and so on around
 * to the first again, `rounds` times over. The images of each class are cut into `2 · rounds` parts, one for each pair it is in, and are
 * turned from image to image until, at the end, they have gone through 360°; class c begins at (c − 1) · 60°. Each pair is an experience,
 * in which the two classes come in turns; it ends when one of its parts is used up. There is one task: its test images are turned likewise
 * through a full circle from 0°. Train it with `shuffle: false`, so that images come in their order.
 *
 * MNIST-360 of P. Buzzega et al., Dark experience for general continual learning, NeurIPS 2020, arXiv:2004.07211, section 4.2, as in
 * its code, where images may come again within a part (`replace: true`) and pixels are the nearest ones (`interpolation: "nearest"`).
 *
 * @example
 * ```ts
 * import { digits, revolving } from "thalweg";
 * revolving(digits()).length; // 27
 * ```
 */
export const revolving = source("revolving", "one", function revolving<
  K extends "image",
>(data: Dataset<K>, options: RevolvingOptions = {}): Stream<"labels" | "length", K> {
  const o = withDefaults<Required<RevolvingOptions>>("revolving", options, {
    classes: Math.min(9, data.classes.length - 1),
    rounds: 3,
    replace: false,
    interpolation: "bilinear",
    seed: 0,
  });
  needOneOf("revolving", "interpolation", o.interpolation, interpolations);
  if (data.kind !== "image" || data.shape.length !== 3)
    throw new TypeError(`revolving: a data set of images is required, got ${data.kind} of shape [${data.shape}]`);
  needWhole("revolving", "rounds", o.rounds);
  if (!(Number.isInteger(o.classes) && o.classes >= 2 && o.classes <= data.classes.length))
    throw new RangeError(
      `revolving: classes must be a whole number from 2 to ${data.classes.length}, got ${o.classes}`,
    );
  needClasses("revolving", data, "rotated(data, angles) turns the images of any");
  const rng = rngOf(o.seed, "revolving");
  const groups = byClass(data.train.labels);
  const rowsOf = (label: number): Uint32Array => Uint32Array.from(groups.get(label) ?? []);
  for (let label = 0; label < o.classes; label++)
    if (rowsOf(label).length < 2 * o.rounds)
      throw new RangeError(
        `revolving: ${2 * o.rounds} images of each class are required for ${o.rounds} rounds, got ${rowsOf(label).length} of ${data.classes[label]}`,
      );
  let made: Shown[][] | undefined;
  const stages = (): Shown[][] => {
    made ??= schedule(o, rowsOf, rng);
    return made;
  };
  const all = Array.from({ length: o.classes }, (_, c) => c);
  const turned = (of: Examples, shown: readonly Shown[]): Examples => {
    const size = sizeOf(of.shape);
    const raw = (n: number): Raw => (of.bytes ? new Uint8Array(n) : new Float32Array(n));
    const [own, out] = [raw(size), raw(shown.length * size)];
    shown.forEach(({ row, degrees }, i) => {
      of.read(Uint32Array.of(row), own);
      rotation(of.shape, degrees, o.interpolation)(own, out.subarray(i * size, (i + 1) * size));
    });
    return table(
      out,
      Int32Array.from(shown, ({ row }) => of.labels[row]!),
      of.shape,
      of.scale,
    );
  };
  let tested: Examples | undefined;
  const test = (): Examples => {
    const rows = byClass(data.test.labels);
    tested ??= turned(
      data.test,
      all.flatMap((label) =>
        [...(rows.get(label) ?? [])].map((row, i, { length }) => ({ row, degrees: (360 * i) / length })),
      ),
    );
    return tested;
  };
  return makeStream<"labels" | "length", K>({
    spec: { name: "revolving", args: [options as never], data: dataSpec(data) },
    kind: data.kind,
    shape: data.shape,
    facts: ["labels", "length"],
    length: o.classes * o.rounds,
    tasks: 1,
    classes: data.classes.slice(0, o.classes),
    countOf: (index) => stages()[index]!.length,
    taskOf: () => 0,
    classesOf: () => all,
    test: () => ({ examples: test(), classes: all }),
    experience: (index) => ({
      index,
      task: 0,
      classes: [index % o.classes, (index + 1) % o.classes].sort((a, b) => a - b),
      train: turned(data.train, stages()[index]!),
      validation: null,
      test: test(),
    }),
    ...waiting(o.seed, (seed) => revolving(data, { ...options, seed })),
  });
});

/** What is shown in each experience. */
function schedule(
  { classes, rounds, replace }: Required<RevolvingOptions>,
  rowsOf: (label: number) => Uint32Array,
  rng: Rng,
): Shown[][] {
  const parts = 2 * rounds;
  const own = Array.from({ length: classes }, (_, label) => ({ rows: rowsOf(label), taken: 0, shown: 0 }));
  /** The next part of a class, and how it is gone through. */
  const opened = (label: number): { left: number; next(): Shown } => {
    const of = own[label]!;
    const part = of.rows.subarray(...share(of.rows.length, parts, of.taken));
    const draw = rng.at("part", label * parts + of.taken);
    const order = replace ? null : draw.permutation(part.length);
    of.taken++;
    let at = 0;
    return {
      left: part.length,
      next() {
        const row = part[order === null ? draw.int(part.length) : order[at]!]!;
        const degrees = (label - 1) * 60 + (360 * of.shown) / of.rows.length;
        at++;
        of.shown++;
        return { row, degrees };
      },
    };
  };
  return Array.from({ length: classes * rounds }, (_, index) => {
    const pair = [opened(index % classes), opened((index + 1) % classes)] as const;
    const shown: Shown[] = [];
    while (pair[0].left > 0 && pair[1].left > 0) {
      const one = pair[0].left > pair[1].left ? pair[0] : pair[1];
      shown.push(one.next());
      one.left--;
    }
    return shown;
  });
}
