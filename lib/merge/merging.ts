/** Several networks made one: how a rule of merging is declared, and what it gives. */
import type { Json } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import { disposeTree, type Rng, random } from "../engine/index.ts";
import type { Filter } from "../models/filter.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { meanOf, norm, type Place, placesOf, plus, type Vector, vectorOf, withVector } from "./parts/vectors.ts";

export type { Place, Vector } from "./parts/vectors.ts";

/** What every function that merges can be told. */
export interface MergeOptions {
  /** The network from which all were trained. */
  readonly base?: TrainedNetwork;
  /** Which parameters are merged; default all. Networks with heads of their own are merged by `"model"`. */
  readonly filter?: Filter;
  /** Where a rule draws; default 0. */
  readonly seed?: number;
}

/** What merging did. */
export interface MergeReport {
  readonly rule: string;
  readonly options: Json;
  readonly networks: number;
  /** Numbers that were merged, and those that were left as the first network has them. */
  readonly parameters: number;
  readonly left: number;
  /** The length of the merged change from the base divided by the mean length of the networks' changes; null where there is no base. */
  readonly moved: number | null;
  /** The share of the merged numbers that two networks change into opposite directions; null where there is no base. */
  readonly conflicts: number | null;
}

/** One network made of several. */
export interface Merged {
  /** The merged network: what was not merged, and the columns of its head, are those of the first. */
  readonly network: TrainedNetwork;
  /** The merged network with what was not merged, a head say, as the i-th network has it. It is made anew with each call. */
  of(i: number): TrainedNetwork;
  readonly report: MergeReport;
}

/** A rule with its options as plain JSON: what `mergeAfter` takes. */
export type Rule = { readonly rule: string; readonly options: { readonly [name: string]: Json } };

/** What a rule knows beside the vectors. */
export interface Given<O> {
  readonly options: O;
  readonly places: readonly Place[];
  readonly rng: Rng;
}

/** What a rule that takes one network after the other holds: the merged change, and numbers. */
export type Held = { readonly merged: Vector } & { readonly [name: string]: number | Vector };

/** How a rule merges vectors: changes from the base, or where it needs none and none is given, the weights themselves. */
export interface How<O> {
  readonly needsBase: boolean;
  /** How many networks it merges, where that is not any number. */
  readonly exactly?: number;
  /** All at once. */
  combine?(vectors: readonly Vector[], given: Given<O>): Vector;
  /** One after the other, in memory that does not grow. One of the two is required. */
  next?(held: Held | null, vector: Vector, given: Given<O>): Held;
}

/** A function that merges networks, or gives its rule. */
export interface MergeFactory<O extends Options> {
  (networks: readonly TrainedNetwork[], options?: Partial<Widened<O>> & MergeOptions): Merged;
  /** The rule alone, for `mergeAfter`. */
  (options?: Partial<Widened<O>>): Rule;
  readonly merging: string;
  readonly defaults: O;
  readonly how: How<Widened<O>>;
}

/**
 * Declares a rule of merging: its name, its options with their defaults, and how it merges vectors.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * const last = merge.merging("last", {}, { needsBase: false, combine: (vectors) => vectors.at(-1)! });
 * last(); // { rule: "last", options: {} }
 * ```
 */
export function merging<O extends Options>(name: string, defaults: O, how: How<Widened<O>>): MergeFactory<O> {
  type Own = Widened<O>;
  function make(networks: readonly TrainedNetwork[], options?: Partial<Own> & MergeOptions): Merged;
  function make(options?: Partial<Own>): Rule;
  function make(first: readonly TrainedNetwork[] | Partial<Own> = {}, second: Partial<Own> & MergeOptions = {}) {
    if (!Array.isArray(first))
      return { rule: name, options: checked(name, defaults as Options, first as Partial<Options>) } as unknown as Rule;
    const { base, filter, seed = 0, ...own } = second;
    const options = checked(name, defaults as Options, own as Partial<Options>) as unknown as Own;
    const given = { ...(base && { base }), ...(filter !== undefined && { filter }), seed };
    return mergedBy(name, options as Json, first as readonly TrainedNetwork[], given, how, (vectors, places) =>
      combined(how, vectors, { options, places, rng: random(seed).at("merge", name) }),
    );
  }
  return Object.assign(make, { merging: name, defaults, how });
}

/** What a rule makes of vectors. */
export function combined<O>(how: How<O>, vectors: readonly Vector[], given: Given<O>): Vector {
  if (how.combine !== undefined) return how.combine(vectors, given);
  return vectors.reduce<Held | null>((held, vector) => how.next!(held, vector, given), null)!.merged;
}

/** Merges networks by what `combine` makes of their vectors, which are changes where there is a base. */
export function mergedBy(
  name: string,
  options: Json,
  networks: readonly TrainedNetwork[],
  given: MergeOptions,
  { needsBase, exactly }: Pick<How<never>, "needsBase" | "exactly">,
  combine: (vectors: readonly Vector[], places: readonly Place[], base: Vector | null) => Vector,
): Merged {
  const { base: origin } = given;
  const places = commonPlaces(name, networks, given, exactly);
  if (needsBase && origin === undefined)
    throw new TypeError(
      `merge.${name}: the network from which all were trained is required, got none; name it: { base }`,
    );
  const base = origin === undefined ? null : vectorOf(origin.weights, places);
  const vectors = networks.map(({ weights }) => {
    const own = vectorOf(weights, places);
    return base === null ? own : plus(own, base, -1);
  });
  const change = combine(vectors, places, base);
  return packed(name, options, networks, places, base === null ? change : plus(base, change), {
    moved: base === null ? null : norm(change) / (vectors.reduce((sum, v) => sum + norm(v), 0) / vectors.length),
    conflicts: base === null ? null : conflicts(vectors),
  });
}

/** A merged network of the numbers at places. */
export function packed(
  name: string,
  options: Json,
  networks: readonly TrainedNetwork[],
  places: readonly Place[],
  numbers: Vector,
  told: Pick<MergeReport, "moved" | "conflicts"> = { moved: null, conflicts: null },
): Merged {
  const of = (i: number): TrainedNetwork => {
    const own = networks[i];
    if (own === undefined)
      throw new RangeError(
        `merge.${name}: the number of a network from 0 to ${networks.length - 1} is required, got ${i}`,
      );
    const weights = withVector(own.weights, places, numbers);
    const statistics = meanOf(networks.map((each) => each.statistics));
    try {
      return own.with({ weights, statistics });
    } finally {
      disposeTree([weights, statistics]);
    }
  };
  const { parameters } = networks[0]!;
  return {
    network: of(0),
    of,
    report: {
      rule: name,
      options,
      networks: networks.length,
      parameters: numbers.length,
      left: parameters - numbers.length,
      ...told,
    },
  };
}

/** The places that all networks have; throws where there are too few networks, or they are not alike. */
export function commonPlaces(
  name: string,
  networks: readonly TrainedNetwork[],
  { base, filter }: MergeOptions,
  exactly?: number,
): readonly Place[] {
  if (networks.length === 0 || (exactly !== undefined && networks.length !== exactly))
    throw new RangeError(
      `merge.${name}: ${exactly === undefined ? "at least one network is" : `${exactly} networks are`} required, got ${networks.length}`,
    );
  const [first, ...others] = networks.map(({ weights, structure }) =>
    placesOf(`merge.${name}`, weights, structure.kindOf, filter),
  );
  if (base !== undefined) others.push(placesOf(`merge.${name}`, base.weights, base.structure.kindOf, filter));
  const text = (place: Place | undefined): string => (place === undefined ? "none" : `${place.path} [${place.shape}]`);
  for (const own of others)
    for (let i = 0; i < Math.max(first!.length, own.length); i++)
      if (text(own[i]) !== text(first![i]))
        throw new RangeError(
          `merge.${name}: networks with the same parameters are required, got ${text(first![i])} and ${text(own[i])}; merge what they share: { filter: "model" }`,
        );
  return first!;
}

/** The share of numbers that are positive in one vector and negative in another. */
function conflicts(vectors: readonly Vector[]): number {
  let found = 0;
  for (let i = 0; i < vectors[0]!.length; i++) {
    const signs = new Set(vectors.map((vector) => Math.sign(vector[i]!)));
    if (signs.has(1) && signs.has(-1)) found++;
  }
  return found / Math.max(1, vectors[0]!.length);
}
