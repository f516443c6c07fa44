/** Studies of what is trained on when, of searched rates, and of what minima and oscillations look like, by row. */
import { readFileSync } from "node:fs";
import { gather } from "../../../lib/data/dataset.ts";
import { jit, mapTensors, valueAndGrad } from "../../../lib/engine/index.ts";
import {
  adam,
  autoLrs,
  classes,
  cosine,
  digits,
  type Study as Experiment,
  fromSources,
  gpt,
  mlp,
  network,
  nn,
  opposingSignals,
  type Params,
  permuted,
  random,
  sequence,
  sgd,
  sineNet,
  stability,
  tape,
  tf,
  type Weights,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const quiet = { quiet: true, record: false } as const;
const seedsTo = (n: number): number[] => Array.from({ length: n }, (_, seed) => seed);

/** P457: special tasks first, then a general one with a little of them. */
async function dualStages(): Promise<Study> {
  const seeds = 5;
  const stream = permuted(digits(), 3);
  const run = async (of: unknown, parts: number): Promise<{ special: number[]; general: number[] }> => {
    const study = (of as typeof stream)
      .learn(mlp({ hidden: [64] }))
      .train({ batch: 16, epochs: parts })
      .with(sgd({ lr: 0.1 }))
      .evaluate({ atStart: false });
    const made = await (study as unknown as Experiment).run({ seeds, ...quiet });
    const rows = seedsTo(seeds).map((seed) => made.matrix({ seed }).values.at(-1)!);
    return { special: rows.map((row) => mean(row.slice(0, -1))), general: rows.map((row) => row.at(-1)!) };
  };
  const [own, turns] = [await run(stream.dualStage({ replay: 0.05 }), 4), await run(stream, 4)];
  return {
    headline:
      "Two stages with a little of the first in the second keep special abilities that one task after the other forgets, and the general one: not 0.02 worse",
    outcome: allOf(outcomeOf(apart(own.special, turns.special)), outcomeOf(apart(own.general, turns.general), -0.02)),
    figures: {
      "accuracy on special tasks, two stages": band(own.special),
      "accuracy on special tasks, in turn": band(turns.special),
      "accuracy on the general task, two stages": band(own.general),
      "accuracy on the general task, in turn": band(turns.general),
    },
    seeds,
  };
}

/** P337: names of sources before texts, on two thirds of the data. */
async function metadata(): Promise<Study> {
  const seeds = 3;
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8").slice(0, 16_000);
  const whole = {
    prose: read("../../../lib/engine/README.md"),
    code: read("../../../lib/engine/jit.ts"),
    list: read("../../support/systems.tsv"),
  };
  const cut = Object.fromEntries(
    Object.entries(whole).map(([name, text]) => {
      const end = Math.round(text.length * 0.9);
      return [name, text.slice(0, Math.round((end * 2) / 3)) + text.slice(end)];
    }),
  );
  const losses = async (texts: Record<string, string>, cooldown: number, test: number): Promise<number[]> => {
    const data = fromSources(texts, { length: 48, cooldown, test });
    const study = sequence(data, 10)
      .learn(gpt({ tokens: data.classes.length, width: 32, depth: 1, heads: 2 }))
      .train({ batch: 8, epochs: 3 })
      .with(adam({ lr: 0.003 }))
      .evaluate({ every: "end", atStart: false });
    const { logs } = await (study as unknown as Experiment).run({ seeds, ...quiet });
    return logs.map(({ events }) => mean(events.flatMap((event) => (event.type === "evaluated" ? [event.loss] : []))));
  };
  const size =
    Object.values(cut).reduce((sum, text) => sum + text.length, 0) /
    Object.values(whole).reduce((sum, text) => sum + text.length, 0);
  const [own, plain, short] = [
    await losses(cut, 0.1, 0.1 / size),
    await losses(whole, 1, 0.1),
    await losses(cut, 1, 0.1 / size),
  ];
  return {
    headline:
      "With the names of sources two thirds of the data give as low a loss on plain text as all of it without: not 0.02 worse",
    outcome: outcomeOf(apart(plain, own), -0.02),
    figures: {
      "test loss, names and two thirds": band(own),
      "test loss, no names and all": band(plain),
      "test loss, no names and two thirds": band(short),
    },
    seeds,
  };
}

/** P320: searched rates against the best of some cosine schedules. */
async function searched(): Promise<Study> {
  const seeds = 4;
  const steps = 240;
  const base = classes(digits())
    .split(1)
    .learn(mlp({ hidden: [64] }))
    .train({ batch: 32, steps })
    .evaluate({ every: "end", atStart: false, share: 0 });
  const end = (losses: readonly number[]): number => mean(losses.slice(-24));
  const own: number[] = [];
  for (const seed of seedsTo(seeds)) {
    const { events } = await autoLrs(({ lr }) => base.with(sgd({ lr })), {
      lr: [0.003, 3],
      stage: 60,
      stages: 4,
      trials: 8,
      trial: 10,
      seed,
    });
    own.push(end(events.flatMap((event) => (event.type === "step" ? [event.loss] : []))));
  }
  let best: number[] = [];
  for (const lr of [0.03, 0.1, 0.3, 1]) {
    const { logs } = await (base.with(sgd({ lr }), cosine()) as unknown as Experiment).run({ seeds, ...quiet });
    const now = logs.map(({ events }) => end(events.flatMap((event) => (event.type === "step" ? [event.loss] : []))));
    if (best.length === 0 || mean(now) < mean(best)) best = now;
  }
  return {
    headline:
      "Rates searched for stage by stage end at a lower loss than a tuned schedule in as many steps, trials not counted",
    outcome: outcomeOf(apart(best, own)),
    figures: { "training loss, searched": band(own), "training loss, best cosine": band(best) },
    seeds,
  };
}

/** P212: a blob that moves by several pixels, by chains of U-Nets of equal size. */
async function waves(): Promise<Study> {
  const [seeds, size, steps] = [3, 12, 400];
  const moved = (rng: ReturnType<typeof random>, n: number): { x: Float32Array; y: Float32Array } => {
    const [x, y] = [new Float32Array(n * size * size * 2), new Float32Array(n * size * size)];
    for (let i = 0; i < n; i++) {
      const [cx, cy, vx, vy, wide] = [
        4 + 4 * rng.uniform(),
        4 + 4 * rng.uniform(),
        1.5 * rng.normal(),
        1.5 * rng.normal(),
        1.2 + 0.6 * rng.uniform(),
      ];
      const at = (row: number, column: number, t: number): number =>
        Math.exp(-((row - cy - vy * t) ** 2 + (column - cx - vx * t) ** 2) / (2 * wide ** 2 * (1 + 0.2 * t)));
      for (let p = 0; p < size * size; p++) {
        const [row, column] = [Math.floor(p / size), p % size];
        x[(i * size * size + p) * 2] = at(row, column, -0.5);
        x[(i * size * size + p) * 2 + 1] = at(row, column, 0);
        y[i * size * size + p] = at(row, column, 2);
      }
    }
    return { x, y };
  };
  const count = (chain: number, growth: number): number =>
    sineNet({ waves: chain, filters: 8, levels: 2, growth, gives: "image" })
      .summary([size, size, 2])
      .reduce((sum, { parameters }) => sum + parameters, 0);
  const goal = count(4, 1);
  const growths = [1, 2, 4].map((chain) => {
    const all = Array.from({ length: 40 }, (_, i) => 1 + i / 10);
    return [
      chain,
      all.reduce((a, b) => (Math.abs(count(chain, b) - goal) < Math.abs(count(chain, a) - goal) ? b : a)),
    ] as const;
  });
  const errors: number[][] = [];
  for (const [chain, growth] of growths) {
    const model = sineNet({ waves: chain, filters: 8, levels: 2, growth, gives: "image" });
    const apply = (p: { model: Params; out: tf.Tensor }, x: tf.Tensor): tf.Tensor =>
      tf.squeeze(tf.sum(tf.mul(model.apply(p.model, x, tape(false, null, {}).mode), p.out), -1, true), [3]);
    const optimizer = adam({ lr: 0.005 });
    const step = jit((p: { model: Params; out: tf.Tensor }, state: never, x: tf.Tensor, y: tf.Tensor) => {
      const { value, grads } = valueAndGrad((at: typeof p) => tf.mean(tf.squaredDifference(apply(at, x), y)), p);
      const [updates, next] = optimizer.update(grads as never, state, p as never, tf.scalar(0.005));
      return [mapTensors((w, u) => tf.add(w, u!), p, updates as unknown as typeof p), next, value] as const;
    });
    const test = jit((p: { model: Params; out: tf.Tensor }, x: tf.Tensor, y: tf.Tensor) =>
      tf.mean(tf.squaredDifference(apply(p, x), y)),
    );
    errors.push(
      seedsTo(seeds).map((seed) => {
        const rng = random(seed).at("blobs");
        let p = { model: model.init(random(seed), [size, size, 2]), out: random(seed).at("out").normals([8], 0, 0.3) };
        let state = optimizer.init(p as never) as never;
        const tensors = (n: number): [tf.Tensor, tf.Tensor] => {
          const { x, y } = moved(rng, n);
          return [tf.tensor(x, [n, size, size, 2]), tf.tensor(y, [n, size, size])];
        };
        for (let i = 0; i < steps; i++) {
          const [next, after] = step(p, state, ...tensors(8)) as unknown as [typeof p, never];
          [p, state] = [next, after];
        }
        return 100 * test(p, ...tensors(128)).dataSync()[0]!;
      }),
    );
  }
  const [one, two, four] = errors as [number[], number[], number[]];
  return {
    headline: "At equal parameters the error falls as there are more waves",
    outcome: allOf(outcomeOf(apart(one, two)), outcomeOf(apart(two, four))),
    figures: {
      "squared error (%), one wave": band(one),
      "squared error (%), two waves": band(two),
      "squared error (%), four waves": band(four),
      ...Object.fromEntries(
        growths.map(([chain, growth]) => [`parameters, ${chain} wave${chain === 1 ? "" : "s"}`, count(chain, growth)]),
      ),
    },
    seeds,
  };
}

/** P408: minima of descent over all examples and over one at a time, of a diagonal linear network. */
async function minima(): Promise<Study> {
  const [seeds, n, d, lr] = [5, 20, 40, 0.008];
  const ends = seedsTo(seeds).map((seed) => {
    const rng = random(seed);
    const x = Array.from({ length: n }, () => Float64Array.from({ length: d }, () => rng.normal()));
    const y = x.map((row) => row[0]! - row[1]! + row[2]!);
    const trained = (batch: "all" | "one") => {
      const [u, v] = [new Float64Array(d).fill(1), new Float64Array(d).fill(1)];
      const order = random(seed).at("order");
      for (let step = 0; step < (batch === "all" ? 20_000 : 60_000); step++) {
        const rows = batch === "all" ? x.keys() : [order.int(n)];
        const [du, dv] = [new Float64Array(d), new Float64Array(d)];
        const count = batch === "all" ? n : 1;
        for (const i of rows) {
          const error = x[i]!.reduce((sum, value, j) => sum + value * (u[j]! ** 2 - v[j]! ** 2), 0) - y[i]!;
          for (let j = 0; j < d; j++) {
            du[j]! += (2 * error * x[i]![j]! * u[j]!) / count;
            dv[j]! -= (2 * error * x[i]![j]! * v[j]!) / count;
          }
        }
        for (let j = 0; j < d; j++) {
          u[j]! -= lr * du[j]!;
          v[j]! -= lr * dv[j]!;
        }
      }
      const [tx, ty] = [tf.tensor2d(x.map((row) => [...row])), tf.tensor1d(y)];
      const loss = (p: { u: tf.Tensor; v: tf.Tensor }): tf.Tensor => {
        const given = tf.squeeze(
          tf.matMul(tx, tf.expandDims(tf.sub(tf.square(p.u), tf.square(p.v)), 1) as tf.Tensor2D),
          [1],
        );
        return tf.div(tf.mean(tf.squaredDifference(given, ty)), 2);
      };
      return stability(loss, { u: tf.tensor1d([...u]), v: tf.tensor1d([...v]) }, { lr, samples: 256 });
    };
    return { all: trained("all"), one: trained("one") };
  });
  const shares = (of: (end: (typeof ends)[number]) => number): number[] => ends.map((end) => of(end) * (lr / 2));
  const [traceOne, topAll, traceAll] = [
    shares(({ one }) => one.trace),
    shares(({ all }) => all.top),
    shares(({ all }) => all.trace),
  ];
  return {
    headline:
      "Where descent over single examples ends the sum of curvatures is within 2 over the rate; descent over all bounds the largest alone",
    outcome: allOf(
      outcomeOf(traceOne.map((v) => 1.05 - v)),
      outcomeOf(topAll.map((v) => 1.05 - v)),
      outcomeOf(traceAll.map((v) => v - 1)),
    ),
    figures: {
      "sum of curvatures in bounds, single examples": band(traceOne),
      "largest curvature in bounds, all examples": band(topAll),
      "sum of curvatures in bounds, all examples": band(traceAll),
    },
    seeds,
  };
}

/** P456: descent over all examples at the edge of stability: of the rates 1.2, 2, 4 and 8 the first at which losses oscillate for all seeds. */
async function opposed(): Promise<Study> {
  const [seeds, n, count, lr] = [6, 400, 16, 4];
  const { train } = classes(digits()).split(1).experience(0);
  const whole = network(mlp({ hidden: [32] }), train.shape);
  const at = Uint32Array.from({ length: n }, (_, i) => i);
  const x = tf.tensor(gather(train, at), [n, ...train.shape]);
  const y = tf.tensor1d(Int32Array.from(train.labels.slice(0, n)), "int32");
  const each = (w: Weights): tf.Tensor =>
    nn.crossEntropies(whole.logits(w, whole.features(w, x, tape(false, null, {}).mode)), y);
  const step = jit((w: Weights) => {
    const { grads } = valueAndGrad((p: Weights) => tf.mean(each(p)), w);
    return [mapTensors((a, g) => tf.sub(a, tf.mul(g!, lr)), w, grads), each(w)] as const;
  });
  const found = seedsTo(seeds).map((seed) => {
    let w = whole.init(random(seed), 10);
    const losses: Float32Array[] = [];
    for (let k = 0; k < 260; k++) {
      const [next, now] = step(w) as unknown as [Weights, tf.Tensor];
      losses.push(now.dataSync().slice() as Float32Array);
      w = next;
    }
    const [back, share]: [number[], number[]] = [[], []];
    for (let k = 200; k < 258; k++) {
      const pair = opposingSignals(losses[k]!, losses[k + 1]!, { count });
      const change = (rows: readonly number[]): number =>
        mean(rows.map((i) => losses[k + 2]![i]! - losses[k + 1]![i]!));
      if (pair.rising.length === 0 || pair.falling.length === 0) continue;
      back.push(change(pair.rising) < 0 && change(pair.falling) > 0 ? 1 : 0);
      share.push(pair.share);
    }
    return { back: mean(back), share: mean(share) };
  });
  const [back, share] = [found.map((one) => one.back), found.map((one) => one.share)];
  return {
    headline:
      "A few examples whose losses move oppositely turn round at the next step, and have more than twice their share of all change",
    outcome: allOf(outcomeOf(back, 0.5), outcomeOf(share, (4 * count) / n)),
    figures: {
      "share of steps at which both groups turn round": band(back),
      "share of all change of the two groups": band(share),
      "their share of the examples": (2 * count) / n,
    },
    seeds,
  };
}

export const composingStudies: Readonly<Record<string, () => Promise<Study>>> = {
  P212: waves,
  P320: searched,
  P337: metadata,
  P408: minima,
  P456: opposed,
  P457: dualStages,
};
