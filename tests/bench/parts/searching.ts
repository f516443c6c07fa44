/** The studies of networks that are found by search, by row. */
import {
  adam,
  classes,
  type Dataset,
  digits,
  type Study as Experiment,
  evolutionPatterns,
  expandAxes,
  giantFormula,
  type Model,
  makeDataset,
  net,
  random,
  regularizedEvolution,
  select,
  tinyFormula,
  trials,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { evolvedBeginning } from "./beginning.ts";
import { compressed, shallower } from "./depths.ts";
import { gated } from "./gated.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Digits of which some training examples stand in for the test examples, so that a search looks at none of those. */
function held(): Dataset<"image"> {
  const { train, ...rest } = digits();
  const rows = (from: number, to: number): Uint32Array => Uint32Array.from({ length: to - from }, (_, i) => from + i);
  return makeDataset({
    ...rest,
    name: "digits-held",
    train: select(train, rows(0, 600)),
    test: select(train, rows(600, 1437)),
  });
}
const looking = classes(held()).split(1).limit({ train: 400 });
const showing = classes(digits()).split(1).limit({ train: 400 });

/** What a network of convolutions may be told. */
interface Shape {
  readonly resolution: number;
  readonly depth: number;
  readonly width: number;
}

/** Convolutions of one width over images that were made smaller by means. */
function convolutions({ resolution, depth, width }: Shape): Model {
  let made = net() as unknown as { conv(...args: unknown[]): never; globalPool(): Model };
  const by = (name: string, ...args: unknown[]): void => {
    made = (made as never as Record<string, (...args: unknown[]) => typeof made>)[name]!(...args);
  };
  if (resolution < 8) by("pool", 9 - resolution, { stride: 1, keep: "mean" });
  for (let i = 0; i < depth; i++) {
    by("conv", width, 3, i === 1 ? { stride: 2 } : {});
    by("batchNorm");
    by("relu");
  }
  return made.globalPool();
}
const learn = (stream: typeof looking, shape: Shape) =>
  stream
    .learn(convolutions(shape) as never)
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 32, steps: 80 })
    .evaluate({ every: "end", share: 0, atStart: false }) as unknown as Experiment<never>;
const shown = (shape: Shape): Promise<number[]> => accuracies(learn(showing, shape), seeds);
const asked = trials<{ resolution: number[]; depth: number[]; width: number[] }>(
  (shape) => learn(looking, shape) as never,
);

const widths = [2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48];
/** The width at which a network costs most nearly so much. */
const widthFor = (shape: Omit<Shape, "width">, cost: number): number => {
  const off = (width: number): number => Math.abs(Math.log(asked.costOf({ ...shape, width }) / cost));
  return Array.from({ length: 63 }, (_, i) => i + 2).reduce((a, b) => (off(b) < off(a) ? b : a));
};
const parameters = ({ depth, width }: Shape): number =>
  9 * width + (depth - 1) * 9 * width ** 2 + 3 * depth * width + 10 * width + 10;

/** P157: a network expanded step by step, and one of a common form that costs 4.8 times as much. */
async function expandedAxes(): Promise<Study> {
  const target = 60_000;
  const { best, steps, trained } = await expandAxes(
    { resolution: [4, 5, 6, 7, 8], depth: [1, 2, 3, 4, 5], width: widths },
    asked,
    { target },
  );
  const common = { resolution: 8, depth: 2 };
  const large = { ...common, width: widthFor(common, 4.8 * best.cost) };
  const even = { ...common, width: widthFor(common, best.cost) };
  const [own, other, same] = [await shown(best.settings as Shape), await shown(large), await shown(even)];
  return {
    headline:
      "A network expanded one axis at a time is not 0.01 worse than one of a common form with 4.8 times its multiplications and additions",
    outcome: outcomeOf(apart(own, other), -0.01),
    figures: {
      "accuracy, expanded stepwise": band(own),
      "accuracy, common form, 4.8 times the cost": band(other),
      "accuracy, common form, the same cost": band(same),
      "FLOPs, expanded": best.cost,
      "FLOPs, share of the large one": Number((best.cost / asked.costOf(large)).toFixed(3)),
      "parameters, share of the large one": Number((parameters(best.settings as Shape) / parameters(large)).toFixed(3)),
      steps: steps.length,
      "networks trained": trained,
      ...best.settings,
    },
    seeds,
  };
}

/** P401: networks by the rule learnt from the front of random ones, and by the inverse of compound scaling. */
async function tiny(): Promise<Study> {
  const base = { resolution: 8, depth: 4, width: 24 };
  const whole = asked.costOf(base);
  const rng = random(0).at("sampled");
  const networks = [];
  for (let i = 0; i < 24; i++) {
    const at = rng.at(i);
    const shape = { resolution: 4 + at.int(5), depth: 1 + at.int(6), width: 4 + at.int(24) };
    const { value, cost } = await asked.ask(shape);
    networks.push({ cost: cost / whole, resolution: shape.resolution / 8, depth: shape.depth / 4, accuracy: value });
  }
  const rule = tinyFormula(networks, { share: 0.4 });
  const made = (from: typeof rule, cost: number): Shape => {
    const { resolution, depth } = from(cost);
    const shape = {
      resolution: Math.min(8, Math.max(4, Math.round(8 * resolution))),
      depth: Math.max(1, Math.round(4 * depth)),
    };
    return { ...shape, width: widthFor(shape, cost * whole) };
  };
  const figures: Record<string, Study["figures"][string]> = {};
  const gains: number[][] = [];
  for (const cost of [0.2, 0.05]) {
    const shapes = { tiny: made(rule, cost), giant: made(giantFormula, cost) };
    const [own, other] = [await shown(shapes.tiny), await shown(shapes.giant)];
    gains.push(apart(own, other));
    for (const [name, values] of [
      ["tiny", own],
      ["giant", other],
    ] as const) {
      const { resolution, depth, width } = shapes[name];
      figures[`accuracy, ${name} formula, cost ${cost}: ${resolution} pixels, ${depth} layers, ${width} units`] =
        band(values);
      figures[`cost, ${name} formula, ${cost} wanted`] = Number((asked.costOf(shapes[name]) / whole).toFixed(3));
    }
  }
  return {
    headline:
      "Networks made smaller by a formula from the front of random ones are better than those of inverse compound scaling at equal cost",
    outcome: outcomeOf(gains[0]!.map((_, seed) => mean(gains.map((gain) => gain[seed]!)))),
    figures: {
      ...figures,
      "gain, mean of both costs": band(gains[0]!.map((_, seed) => mean(gains.map((gain) => gain[seed]!)))),
    },
    seeds,
  };
}

/** P191: donors of an evolution over perceptrons, each of which is trained once. */
async function patterns(): Promise<Study> {
  const axes = {
    first: [4, 8, 16, 32],
    second: [0, 8, 16, 32],
    form: ["relu", "tanh", "sigmoid"],
    norm: [false, true],
  } as const;
  const table = trials<typeof axes>(({ first, second, form, norm }) => {
    let made: unknown = net().flatten();
    const by = (name: string, ...args: unknown[]): void => {
      made = (made as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);
    };
    for (const units of second === 0 ? [first] : [first, second]) {
      by("dense", units);
      if (norm) by("batchNorm");
      by(form);
    }
    return looking
      .learn(made as never)
      .with(adam({ lr: 3e-3 }))
      .train({ batch: 32, steps: 60 })
      .evaluate({ every: "end", share: 0, atStart: false }) as never;
  });
  const [population, window] = [16, 32];
  const found = { oldest: [] as number[][], worst: [] as number[][] };
  for (const removes of ["oldest", "worst"] as const)
    for (let seed = 0; seed < seeds; seed++) {
      const { lineage, best } = await regularizedEvolution(axes, table, { population, children: 240, removes, seed });
      const seen = evolutionPatterns(lineage, { window });
      const top = seen.donors.slice(0, 5);
      const fell = top.map(({ shares, peak }) => Number(shares.at(-1)! <= peak.share / 2));
      const spans = top.map(({ first, last }) => last - first);
      found[removes].push([
        mean(fell),
        seen.hits(population / 2),
        seen.hits(4),
        mean(spans),
        seen.distinct,
        seen.repeated,
        best.value,
      ]);
    }
  const column = (of: keyof typeof found, k: number): number[] => found[of].map((row) => row[k]!);
  const figures = Object.fromEntries(
    (["oldest", "worst"] as const).flatMap((removes) =>
      [
        "share of the five most popular donors that fell to half of their peak",
        "donors found in a cache of half the population",
        "donors found in a cache of four",
        "children between the first and the last of a popular donor",
        "different donors in 32 children",
        "children that were tried before",
        "accuracy of the best",
      ].map((name, k) => [`${name}, the ${removes} removed`, band(column(removes, k))]),
    ),
  );
  return {
    headline:
      "Popular donors of a regularised evolution rise and fall, and a small cache has most of those that are asked for",
    outcome: allOf(outcomeOf(column("oldest", 0), 0.5), outcomeOf(column("oldest", 1), 0.5)),
    figures,
    seeds,
  };
}

export const searching: Record<string, () => Promise<Study>> = {
  P157: expandedAxes,
  P401: tiny,
  P191: patterns,
  P304: evolvedBeginning,
  P190: shallower,
  P013: compressed,
  P030: gated,
};
