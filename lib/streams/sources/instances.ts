/** The same classes, each time other instances of them under other conditions. */
import { type Dataset, type Examples, mapped, type Raw, select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import { part } from "../parts/chunks.ts";
import { rotation } from "../parts/rotation.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { dataSpec, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `instances` can be told. */
export interface InstancesOptions {
  /** The camera is turned by up to so many degrees; default 20. */
  readonly degrees?: number;
  /** Light is multiplied by up to so much more or less: 0.4 is 60 % to 140 %; default 0.4. */
  readonly light?: number;
  /** Draws which instances come when, and the conditions; default 0. */
  readonly seed?: Seed;
}

/**
 * A stream of `n` sessions: every class is there each time, with its own share of the training images, under one angle and one light for
 * all images of the session. Each training image is in one session; the test images of a session are all, under its conditions.
 *
 * After the new-instances scenario of CORe50 (V. Lomonaco and D. Maltoni, arXiv:1705.03550), with conditions made, not filmed.
 *
 * @example
 * ```ts
 * import { digits, instances } from "thalweg";
 * instances(digits(), 8).experience(2).classes.length; // 10
 * ```
 */
export const instances = source("instances", "one", function instances<
  K extends "image",
>(data: Dataset<K>, n: number, options: InstancesOptions = {}): Stream<"boundary" | "labels" | "length", K> {
  const o = withDefaults<Required<InstancesOptions>>("instances", options, { degrees: 20, light: 0.4, seed: 0 });
  needWhole("instances", "n", n);
  if (data.kind !== "image") throw new TypeError(`instances: a data set of images is required, got ${data.kind}`);
  const groups = byClass(data.train.labels);
  const fewest = Math.min(...[...groups.values()].map((at) => at.length));
  if (n > fewest)
    throw new RangeError(`instances: at most ${fewest} sessions are possible, for the rarest class, got ${n}`);
  const rng = rngOf(o.seed, "instances");
  const all = data.classes.map((_, i) => i);
  const orders = new Map([...groups].map(([label, at]) => [label, rng.at("order", label).permutation(at.length)]));
  const rowsOf = (session: number): Uint32Array => {
    const rows = [...groups].flatMap(([label, at]) => {
      const [from, to] = part(at.length, n, session);
      return [...orders.get(label)!.subarray(from, to)].map((i) => at[i]!);
    });
    return Uint32Array.from(rows).sort();
  };
  const seen = (of: Examples, session: number): Examples => {
    const draw = rng.at("conditions", session);
    const turn = rotation(of.shape, o.degrees * (2 * draw.uniform() - 1));
    const light = 1 + o.light * (2 * draw.uniform() - 1);
    const most = 1 / of.scale;
    return mapped(of, (row: Raw, out: Raw) => {
      turn(row, out);
      for (let j = 0; j < out.length; j++) out[j] = Math.min(most, out[j]! * light);
    });
  };
  return makeStream({
    spec: { name: "instances", args: [n, options as never], data: dataSpec(data) },
    kind: data.kind,
    ...(data.target && { target: data.target }),
    shape: data.shape,
    facts: ["boundary", "labels", "length"],
    length: n,
    classes: data.classes,
    countOf: (index) => rowsOf(index).length,
    classesOf: () => all,
    test: (task) => ({ examples: seen(data.test, task), classes: all }),
    experience: (index) => ({
      index,
      task: index,
      classes: all,
      train: seen(select(data.train, rowsOf(index)), index),
      validation: null,
      test: seen(data.test, index),
    }),
    ...waiting(o.seed, (seed) => instances(data, n, { ...options, seed })),
  });
});
