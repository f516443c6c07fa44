/** What somebody looked at, one thing after another: what is next? */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needShare, needWhole, withDefaults } from "./options.ts";

/** What `itemSequences` can be told. */
export interface ItemSequencesOptions {
  /** Default 60. */
  readonly items?: number;
  /** Groups of items that are looked at together; default 6. */
  readonly groups?: number;
  /** Items in an example; default 8. */
  readonly length?: number;
  /** How probable it is that the next item is of the same group; default 0.9. */
  readonly loyalty?: number;
  /** Default 2000. */
  readonly examples?: number;
  /** Default 500. */
  readonly testExamples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Sessions of a random walk over items in groups: within a group each item is most often followed by one other, and commoner items (by the
 * power of their rank) come up more often. An example is a session, the class is the item that follows.
 *
 * @example
 * ```ts
 * import { itemSequences } from "thalweg";
 * itemSequences({ items: 30, length: 5 }).shape; // [5]
 * ```
 */
export function itemSequences(options: ItemSequencesOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<ItemSequencesOptions>>("itemSequences", options, {
    items: 60,
    groups: 6,
    length: 8,
    loyalty: 0.9,
    examples: 2000,
    testExamples: 500,
    seed: 0,
  });
  for (const key of ["items", "groups", "length", "examples", "testExamples"] as const)
    needWhole("itemSequences", key, o[key]);
  needShare("itemSequences", "loyalty", o.loyalty);
  if (o.items < o.groups)
    throw new RangeError(`itemSequences: at least one item in each of ${o.groups} groups is required, got ${o.items}`);
  const root = random(o.seed).at("items");
  const members = Array.from({ length: o.groups }, (_, g) =>
    [...Array(o.items).keys()].filter((item) => item % o.groups === g),
  );
  const follower = Int32Array.from({ length: o.items });
  members.forEach((group, g) => {
    const order = root.at("group", g).permutation(group.length);
    order.forEach((at, i) => {
      follower[group[at]!] = group[order[(i + 1) % group.length]!]!;
    });
  });
  const part = (count: number, name: string) => {
    const rng = root.at(name);
    const common = (group: readonly number[]): number =>
      group[Math.min(group.length - 1, Math.floor(group.length * rng.uniform() ** 2))]!;
    const x = new Float32Array(count * o.length);
    const labels = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      let item = common(members[rng.int(o.groups)]!);
      for (let j = 0; j <= o.length; j++) {
        if (j < o.length) x[i * o.length + j] = item;
        else labels[i] = item;
        const stays = rng.uniform() < o.loyalty;
        if (stays && rng.uniform() < 0.7) item = follower[item]!;
        else item = common(members[stays ? item % o.groups : rng.int(o.groups)]!);
      }
    }
    return table(x, labels, [o.length], 1);
  };
  return makeDataset({
    name: "item-sequences",
    kind: "sequence",
    classes: Array.from({ length: o.items }, (_, i) => `item ${i}`),
    train: part(o.examples, "train"),
    test: part(o.testExamples, "test"),
    source: `itemSequences(${JSON.stringify(options)}), made by the library`,
  });
}
