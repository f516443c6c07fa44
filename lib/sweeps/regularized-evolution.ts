/** A search for settings by evolution, of which the lineage is kept. */
import { needOneOf, needWhole, withDefaults } from "../data/options.ts";
import { type Rng, random } from "../engine/index.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Axes, Settings } from "./search.ts";
import { asTrials, type Build, requireAxes, type Trial, type TrialOptions, type Trials } from "./trials.ts";

/** How settings evolve. */
export interface EvolutionOptions extends TrialOptions {
  /** How many settings are alive. Default 16. */
  readonly population?: number;
  /** How many of them are looked at for a parent, drawn with repetition; the best of those is it. Default 4. */
  readonly sample?: number;
  /** How many children are made after the first population. Default 64. */
  readonly children?: number;
  /** Who makes place for a child: the oldest, or the worst. Default "oldest". */
  readonly removes?: "oldest" | "worst";
  /** How many children are made before the first of them is known, as by that many machines. Default 1. */
  readonly atOnce?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** Settings that lived, in the order in which they were made. */
export interface Ancestor<A extends Axes = Axes> extends Trial<A> {
  /** Whose child: a place in the lineage; null for the first population. */
  readonly donor: number | null;
  /** What was changed. */
  readonly changed: (keyof A & string) | null;
  /** How many had been made when it was removed; null where it lived on. */
  readonly removed: number | null;
}

/** What an evolution came to. */
export interface Evolution<A extends Axes> {
  readonly lineage: readonly Ancestor<A>[];
  readonly best: Trial<A>;
  /** How many different settings were trained. */
  readonly trained: number;
  /** One row for each that lived. */
  table(): DataFrame;
}

/**
 * Regularised evolution: the best of a few settings drawn from the population gets a child with one axis changed, which takes the place of the oldest. Nobody lives
 * on for one lucky training; what lasts has to be inherited.
 *
 * Settings are trained once each (`trials`), however often they come back. What the lineage shows, `evolutionPatterns` counts.
 *
 * Real et al. 2019, "Regularized evolution for image classifier architecture search", arXiv:1802.01548, algorithm 1; with `removes: "worst"` the evolution that
 * it is compared with there.
 * Differs from the paper: a mutation always changes something; several children may be made at once.
 *
 * @throws RangeError where no axis has two values, or a sample is larger than the population.
 *
 * @example
 * ```ts
 * import { regularizedEvolution } from "thalweg";
 * const table = {
 *   costOf: () => 1,
 *   ask: async (settings: { a: number; b: number }) => ({ settings, value: settings.a - settings.b, cost: 1 }),
 *   trained: 9,
 * };
 * const { best } = await regularizedEvolution({ a: [0, 1, 2], b: [0, 1, 2] }, table, { population: 4, sample: 2, children: 40 });
 * best.settings; // { a: 2, b: 0 }
 * ```
 */
export async function regularizedEvolution<const A extends Axes>(
  axes: A,
  build: Build<A> | Trials<A>,
  options: EvolutionOptions = {},
): Promise<Evolution<A>> {
  const { population, sample, children, removes, atOnce, seed, seeds, metric, cost } = withDefaults<
    Required<Omit<EvolutionOptions, keyof TrialOptions>> & TrialOptions
  >("regularizedEvolution", options, {
    population: 16,
    sample: 4,
    children: 64,
    removes: "oldest",
    atOnce: 1,
    seed: 0,
    seeds: 1,
    metric: undefined as never,
    cost: undefined as never,
  });
  requireAxes("regularizedEvolution", axes);
  for (const [name, value] of Object.entries({ population, sample, atOnce }))
    needWhole("regularizedEvolution", name, value);
  needWhole("regularizedEvolution", "children", children, 0);
  needOneOf("regularizedEvolution", "removes", removes, ["oldest", "worst"]);
  if (sample > population)
    throw new RangeError(
      `regularizedEvolution: a sample of at most the ${population} of the population is required, got ${sample}`,
    );
  const open = (Object.keys(axes) as (keyof A & string)[]).filter((axis) => axes[axis]!.length > 1);
  if (open.length === 0)
    throw new RangeError("regularizedEvolution: an axis with two values is required, got one value each");
  const asked = asTrials(build, { seeds, ...(metric && { metric }), ...(cost && { cost }) } as TrialOptions);
  const rng = random(seed).at("evolution");
  const lineage: { -readonly [K in keyof Ancestor<A>]: Ancestor<A>[K] }[] = [];
  const alive: number[] = [];
  const born = async (
    settings: Settings<A>,
    donor: number | null,
    changed: (keyof A & string) | null,
  ): Promise<void> => {
    const { value, cost: price } = await asked.ask(settings);
    alive.push(lineage.length);
    lineage.push({ settings, value, cost: price, donor, changed, removed: null });
  };
  for (let i = 0; i < population; i++) await born(drawn(axes, rng.at("first", i)), null, null);
  for (let done = 0; done < children; done += atOnce) {
    const made = Array.from({ length: Math.min(atOnce, children - done) }, (_, i) => {
      const at = rng.at("child", done + i);
      const looked = Array.from({ length: sample }, () => alive[at.int(alive.length)]!);
      const donor = looked.reduce((a, b) => (lineage[b]!.value > lineage[a]!.value ? b : a));
      const axis = open[at.int(open.length)]!;
      const others = axes[axis]!.filter((value) => value !== lineage[donor]!.settings[axis]);
      const settings = { ...lineage[donor]!.settings, [axis]: others[at.int(others.length)]! };
      return { donor, axis, settings };
    });
    for (const { donor, axis, settings } of made) {
      await born(settings, donor, axis);
      const gone = removes === "oldest" ? 0 : alive.reduce((a, _, b) => (valueAt(b) < valueAt(a) ? b : a), 0);
      lineage[alive[gone]!]!.removed = lineage.length;
      alive.splice(gone, 1);
    }
  }
  function valueAt(place: number): number {
    return lineage[alive[place]!]!.value;
  }
  const best = lineage.reduce((a, b) => (b.value > a.value ? b : a));
  const rows = lineage.map(({ settings, ...rest }, at) => ({ at, ...rest, ...settings }));
  return {
    lineage,
    best: { settings: best.settings, value: best.value, cost: best.cost },
    trained: asked.trained,
    table: () => frame(rows as never),
  };
}

function drawn<A extends Axes>(axes: A, rng: Rng): Settings<A> {
  return Object.fromEntries(
    Object.entries(axes).map(([axis, values]) => [axis, values[rng.int(values.length)]!]),
  ) as Settings<A>;
}
