/** What the lineage of an evolution shows: who is a donor, for how long, and what is worth keeping at hand. */
import { needWhole, withDefaults } from "../data/options.ts";
import type { Ancestor } from "./regularized-evolution.ts";
import type { Axes, Settings } from "./search.ts";

/** How a lineage is looked at. */
export interface PatternOptions {
  /** How many children a window has. Default 32. */
  readonly window?: number;
}

/** How often one architecture was a donor. */
export interface Popularity<A extends Axes> {
  readonly settings: Settings<A>;
  /** Children it had in all. */
  readonly children: number;
  /** By places in the lineage: its first child, and its last one. */
  readonly first: number;
  readonly last: number;
  /** The largest share of a window's children that were its, and the window, by the place of its last child. */
  readonly peak: { readonly share: number; readonly at: number };
  /** Its share in each window, from the first full one on. */
  readonly shares: readonly number[];
}

/** What a lineage shows. */
export interface Patterns<A extends Axes> {
  /** Architectures that were donors, those with most children first. */
  readonly donors: readonly Popularity<A>[];
  /** The mean number of different donors in a window. */
  readonly distinct: number;
  /** For each child how many had been made since its donor was. */
  readonly ages: readonly number[];
  /** The share of children whose donor is among the last so many that were asked for, by a cache that forgets what was longest not used. */
  hits(size: number): number;
  /** The share of children whose settings had been tried before. */
  readonly repeated: number;
  /** The mean share of axes before the first that a child has otherwise than its donor: layers that need not be computed again. */
  readonly prefix: number;
}

/**
 * Counts the patterns of an evolution: how often each architecture is a donor in a window that slides over the children, when it rises and falls, how old donors
 * are, and how many of them a small cache would have had at hand. Architectures with equal settings count as one.
 *
 * Implements: P191 NAS evolution patterns
 * Underwood, Madhastha, Burns and Nicolae 2023, "Understanding patterns of deep learning model evolution in network architecture search", arXiv:2309.12576.
 * Written from the abstract: windows slide over children one by one; the cache forgets what was longest not used; what a child shares with its donor is the axes
 * before the first difference, in the order in which they are said.
 *
 * @throws RangeError for a lineage with fewer children than a window has.
 *
 * @example
 * ```ts
 * import { evolutionPatterns } from "thalweg";
 * const one = (a: number, donor: number | null) => ({ settings: { a, b: 0 }, value: 0, cost: 1, donor, changed: null, removed: null });
 * const { donors, hits } = evolutionPatterns([one(0, null), one(1, 0), one(2, 0), one(3, 1)], { window: 2 });
 * donors[0]!.shares; // [1, 0.5]
 * hits(1); // 0.3333333333333333
 * ```
 */
export function evolutionPatterns<A extends Axes>(
  lineage: readonly Ancestor<A>[],
  options: PatternOptions = {},
): Patterns<A> {
  const { window } = withDefaults<Required<PatternOptions>>("evolutionPatterns", options, { window: 32 });
  needWhole("evolutionPatterns", "window", window);
  const children = lineage.flatMap(({ donor }, at) => (donor === null ? [] : [{ at, donor }]));
  if (children.length < window)
    throw new RangeError(
      `evolutionPatterns: at least the ${window} children of a window are required, got ${children.length}; take a smaller one`,
    );
  const keys = lineage.map(({ settings }) => JSON.stringify(Object.entries(settings)));
  const asked = children.map(({ donor }) => keys[donor]!);
  const windows = children.length - window + 1;
  const donors = [...new Set(asked)].map((key): Popularity<A> => {
    const own = asked.map((other) => Number(other === key));
    const shares = Array.from({ length: windows }, (_, i) => sum(own.slice(i, i + window)) / window);
    const top = shares.indexOf(Math.max(...shares));
    return {
      settings: lineage[keys.indexOf(key)]!.settings,
      children: sum(own),
      first: children[own.indexOf(1)]!.at,
      last: children[own.lastIndexOf(1)]!.at,
      peak: { share: shares[top]!, at: children[top + window - 1]!.at },
      shares,
    };
  });
  const different = Array.from({ length: windows }, (_, i) => new Set(asked.slice(i, i + window)).size);
  return {
    donors: donors.sort((a, b) => b.children - a.children || a.first - b.first),
    distinct: sum(different) / windows,
    ages: children.map(({ at, donor }) => at - donor),
    hits: (size) => hits(asked, needWhole("evolutionPatterns", "size", size)),
    repeated: sum(children.map(({ at }) => Number(keys.indexOf(keys[at]!) < at))) / children.length,
    prefix:
      sum(children.map(({ at, donor }) => shared(lineage[at]!.settings, lineage[donor]!.settings))) / children.length,
  };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** The share of requests that a cache of so many places answers. */
function hits(asked: readonly string[], size: number): number {
  const held: string[] = [];
  let found = 0;
  for (const key of asked) {
    const at = held.indexOf(key);
    if (at >= 0) {
      found++;
      held.splice(at, 1);
    }
    held.push(key);
    if (held.length > size) held.shift();
  }
  return found / asked.length;
}

/** The share of axes before the first that differs. */
function shared(a: object, b: object): number {
  const [ours, theirs] = [Object.values(a), Object.values(b)];
  const at = ours.findIndex((value, i) => value !== theirs[i]);
  return at < 0 ? 1 : at / ours.length;
}
