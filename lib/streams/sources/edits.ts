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
  /** Ways of saying each relation, which are tokens of their own; default 1. */
  readonly phrases?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * A table of facts (subject, relation → object), and `n` edits of it. The first experience holds all facts; each later one gives `batch`
 * facts, no two edits the same, a new object. An example is two tokens: the subject, and the relation numbered after all subjects; with several
 * `phrases` those of a relation follow one another. All facts are learnt in every phrase; an edit gives the first one only.
 *
 * Task 0 is tested on the facts that are never edited, in every phrase: whether the rest stays known (locality). Each edit is a task tested on its
 * own facts, with their new objects (efficacy). With several phrases task `n + i` is edit `i` asked for in the other ones (generality).
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
    phrases: 1,
    seed: 0,
  });
  needWhole("edits", "n", n);
  for (const key of ["subjects", "relations", "batch", "phrases"] as const) needWhole("edits", key, o[key]);
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
  const every = Array.from({ length: o.phrases }, (_, phrase) => phrase);
  const said = (which: Uint32Array, objects: Int32Array, phrases: readonly number[]): Examples => {
    const x = new Float32Array(2 * which.length * phrases.length);
    for (const [k, phrase] of phrases.entries())
      which.forEach((fact, i) => {
        const at = 2 * (k * which.length + i);
        x[at] = Math.floor(fact / o.relations);
        x[at + 1] = o.subjects + (fact % o.relations) * o.phrases + phrase;
      });
    const labels = new Int32Array(which.length * phrases.length);
    for (const k of phrases.keys()) labels.set(objects, k * which.length);
    return table(x, labels, [2], 1);
  };
  const isEdited = new Set(edited);
  const rest = Uint32Array.from(before.keys()).filter((fact) => !isEdited.has(fact));
  const all = Array.from({ length: o.objects }, (_, i) => i);
  const edit = (task: number, phrases: readonly number[]): Examples => {
    const [from, to] = [(task - 1) * o.batch, task * o.batch];
    return said(edited.slice(from, to), after.slice(from, to), phrases);
  };
  const locality = (): Examples =>
    said(
      rest,
      Int32Array.from(rest, (fact) => before[fact]!),
      every,
    );
  const test = (task: number): Examples => {
    if (task === 0) return locality();
    return task <= n ? edit(task, [0]) : edit(task - n, every.slice(1));
  };
  return makeStream<"boundary" | "labels" | "length", "sequence">({
    spec: { name: "edits", args: [n, options as never] },
    kind: "sequence",
    recall: true,
    shape: [2],
    facts: ["boundary", "labels", "length"],
    length: n + 1,
    tasks: o.phrases > 1 ? 2 * n + 1 : n + 1,
    taskOf: (index) => index,
    classes: all.map((i) => `object ${i}`),
    countOf: (index) => (index === 0 ? facts * o.phrases : o.batch),
    classesOf: () => all,
    test: (task) => ({ examples: test(task), classes: all }),
    experience: (index) => ({
      index,
      task: index,
      classes: all,
      train: index === 0 ? said(Uint32Array.from(before.keys()), before, every) : edit(index, [0]),
      validation: null,
      test: test(index),
    }),
    ...waiting(o.seed, (seed) => edits(n, { ...options, seed })),
  });
});
