/** Facts to be learnt, and then to be changed a few at a time. */
import { type Examples, table } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `edits` can be told. */
export interface EditsOptions {
  /** Default 50. */
  readonly subjects?: number;
  /** Default 4. */
  readonly relations?: number;
  /** Default 20. */
  readonly objects?: number;
  /** Facts that change together; default 1. */
  readonly batch?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * A table of facts (subject, relation → object), and `n` edits of it. The first experience holds all facts; each later one gives `batch`
 * facts, no two edits the same, a new object. An example is two tokens: the subject, and the relation numbered after all subjects.
 *
 * Task 0 is tested on the facts that are never edited: whether the rest stays known (locality). Each edit is a task tested on its own facts,
 * with their new objects (efficacy).
 *
 * @example
 * ```ts
 * import { edits } from "thalweg";
 * edits(10).experience(3).train.length; // 1
 * ```
 */
export const edits = source("edits", "none", function edits(n: number, options: EditsOptions = {}): Stream<
  "boundary" | "labels" | "length",
  "sequence"
> {
  const o = withDefaults<Required<EditsOptions>>("edits", options, {
    subjects: 50,
    relations: 4,
    objects: 20,
    batch: 1,
    seed: 0,
  });
  needWhole("edits", "n", n);
  for (const key of ["subjects", "relations", "batch"] as const) needWhole("edits", key, o[key]);
  needWhole("edits", "objects", o.objects, 2);
  const facts = o.subjects * o.relations;
  if (n * o.batch >= facts)
    throw new RangeError(`edits: fewer than ${facts} facts can be edited, got ${n} × ${o.batch}; take more subjects`);
  const rng = rngOf(o.seed, "edits");
  const draw = rng.at("facts");
  const before = Int32Array.from({ length: facts }, () => draw.int(o.objects));
  const edited = rng.at("which").sample(facts, n * o.batch);
  const change = rng.at("new");
  const after = Int32Array.from(edited, (fact) => (before[fact]! + 1 + change.int(o.objects - 1)) % o.objects);
  const said = (which: Uint32Array, objects: Int32Array): Examples => {
    const x = new Float32Array(2 * which.length);
    which.forEach((fact, i) => {
      x[2 * i] = Math.floor(fact / o.relations);
      x[2 * i + 1] = o.subjects + (fact % o.relations);
    });
    return table(x, objects, [2], 1);
  };
  const isEdited = new Set(edited);
  const rest = Uint32Array.from(before.keys()).filter((fact) => !isEdited.has(fact));
  const all = Array.from({ length: o.objects }, (_, i) => i);
  const edit = (task: number): Examples => {
    const [from, to] = [(task - 1) * o.batch, task * o.batch];
    return said(edited.slice(from, to), after.slice(from, to));
  };
  const test = (task: number) =>
    task === 0
      ? said(
          rest,
          Int32Array.from(rest, (fact) => before[fact]!),
        )
      : edit(task);
  return makeStream<"boundary" | "labels" | "length", "sequence">({
    spec: { name: "edits", args: [n, options as never] },
    kind: "sequence",
    recall: true,
    shape: [2],
    facts: ["boundary", "labels", "length"],
    length: n + 1,
    classes: all.map((i) => `object ${i}`),
    countOf: (index) => (index === 0 ? facts : o.batch),
    classesOf: () => all,
    test: (task) => ({ examples: test(task), classes: all }),
    experience: (index) => ({
      index,
      task: index,
      classes: all,
      train: index === 0 ? said(Uint32Array.from(before.keys()), before) : edit(index),
      validation: null,
      test: test(index),
    }),
    ...waiting(o.seed, (seed) => edits(n, { ...options, seed })),
  });
});
