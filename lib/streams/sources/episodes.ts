/** Small problems of a few classes with a few examples each, one after another. */
import { type Dataset, type Examples, type Kind, select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import type { Rng } from "../../engine/random.ts";
import { needLength } from "../parts/domains.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { needClasses } from "../parts/target.ts";
import { dataSpec, type Fact, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `episodes` can be told. */
export interface EpisodesOptions {
  /** Classes in an episode; default 5. */
  readonly ways?: number;
  /** Training examples of each; default 1. */
  readonly shots?: number;
  /** Test examples of each; default 15. */
  readonly queries?: number;
  /** How many there are; default `Infinity`. */
  readonly episodes?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * A stream of few-shot episodes: `ways` classes drawn at random, `shots` training examples and `queries` test examples of each. The label of
 * a class is its place in the episode, from 0 to `ways − 1`: the learner must learn to learn. Each episode is a task.
 *
 * O. Vinyals et al., Matching networks for one shot learning, arXiv:1606.04080.
 *
 * @example
 * ```ts
 * import { digits, episodes } from "thalweg";
 * episodes(digits(), { ways: 3, shots: 2 }).experience(1000).train.length; // 6
 * ```
 */
export const episodes = source("episodes", "one", function episodes<
  K extends Kind,
>(data: Dataset<K>, options: EpisodesOptions = {}): Stream<"boundary" | "labels" | "length", K> {
  const o = withDefaults<Required<EpisodesOptions>>("episodes", options, {
    ways: 5,
    shots: 1,
    queries: 15,
    episodes: Infinity,
    seed: 0,
  });
  needClasses("episodes", data, "megabatches(data, n) takes the others");
  for (const key of ["ways", "shots", "queries"] as const) needWhole("episodes", key, o[key]);
  needLength("episodes", o.episodes);
  const enough = data.classes
    .map((_, c) => c)
    .filter((c) => has(data.train, c, o.shots) && has(data.test, c, o.queries));
  if (enough.length < o.ways)
    throw new RangeError(
      `episodes: ${o.ways} classes with ${o.shots} training and ${o.queries} test examples are required, got ${enough.length}; ask for fewer`,
    );
  const rng = rngOf(o.seed, "episodes");
  const all = Array.from({ length: o.ways }, (_, i) => i);
  const drawn = (task: number, name: "train" | "test", count: number): Examples => {
    const chosen = [...rng.at("classes", task).sample(enough.length, o.ways)].map((i) => enough[i]!);
    return shown(data[name], chosen, count, rng.at(name, task));
  };
  const facts: Fact[] = o.episodes === Infinity ? ["boundary", "labels"] : ["boundary", "labels", "length"];
  return makeStream<"boundary" | "labels" | "length", K>({
    spec: { name: "episodes", args: [options as never], data: dataSpec(data) },
    kind: data.kind,
    shape: data.shape,
    facts: facts as ("boundary" | "labels" | "length")[],
    length: o.episodes,
    classes: all.map((i) => `way ${i}`),
    countOf: () => o.ways * o.shots,
    classesOf: () => all,
    test: (task) => ({ examples: drawn(task, "test", o.queries), classes: all }),
    experience: (index) => ({
      index,
      task: index,
      classes: all,
      train: drawn(index, "train", o.shots),
      validation: null,
      test: drawn(index, "test", o.queries),
    }),
    ...waiting(o.seed, (seed) => episodes(data, { ...options, seed })),
  });
});

function has(of: Examples, label: number, count: number): boolean {
  return (byClass(of.labels).get(label)?.length ?? 0) >= count;
}

/** `count` examples of each chosen class, labelled with the class's place in the choice. */
function shown(of: Examples, chosen: readonly number[], count: number, rng: Rng): Examples {
  const rows = new Uint32Array(chosen.length * count);
  const labels = new Int32Array(rows.length);
  chosen.forEach((label, place) => {
    const group = byClass(of.labels).get(label)!;
    rng.sample(group.length, count).forEach((i, k) => {
      rows[place * count + k] = group[i]!;
      labels[place * count + k] = place;
    });
  });
  return select(of, rows, labels);
}
