/**
 * Studies of recurrent, implicit and other layers: `npx tsx tests/bench/recurrent.studies.bench.ts`, or some of them alone, by their rows.
 */

import { solveSymmetric } from "../../lib/engine/linear-algebra.ts";
import { type Model, net, type Rng, random, tape, tf } from "../../lib/index.ts";
import { fixedPoint } from "../../lib/models/parts/fixed-point.ts";
import type { Study } from "../support/reference.ts";
import { type Drawn, entropy, fit, given, right, squared } from "./parts/fitting.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const bands = (found: Readonly<Record<string, readonly number[]>>): Study["figures"] =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)]));
const seedsOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** P037: numbers in ascending order, by a pointer network and by a network with an output for each place. */
function sorting(): Study {
  const [length, longer, steps] = [6, 9, 700];
  const draw =
    (count: number, length: number, told: boolean) =>
    (rng: Rng): Drawn => {
      const rows = Array.from({ length: count }, () => Array.from({ length }, () => rng.uniform()));
      const order = rows.map((row) => [...row.keys()].sort((a, b) => row[a]! - row[b]!));
      const x = rows.map((row, i) => (told ? [...row, ...order[i]!] : row));
      return { x: tf.tensor2d(x), y: tf.tensor2d(order) };
    };
  const pointing = (length: number): Model =>
    net()
      .inputs({ points: [length, 1], order: [length] })
      .take("points")
      .pointer(32, { teacher: "order", once: true }) as never;
  const fixed = net().reshape([length, 1]).lstm(32, { bidirectional: true }).lstm(32).dense(length) as unknown as Model;
  const found = {
    "pointer, places right": [] as number[],
    "pointer at one and a half times the length": [] as number[],
    "an output for each place": [] as number[],
  };
  for (const seed of seedsOf(3)) {
    const pointer = fit(pointing(length), [2 * length], draw(64, length, true), entropy, { steps, seed, lr: 5e-3 });
    const plain = fit(fixed, [length], draw(64, length, false), entropy, { steps, seed, lr: 5e-3 });
    const test = (length: number, told: boolean): Drawn => draw(300, length, told)(random(1000 + seed));
    const [same, long, bare] = [test(length, true), test(longer, true), test(length, false)];
    found["pointer, places right"].push(right(given(pointing(length), pointer.params, same.x), same.y));
    found["pointer at one and a half times the length"].push(
      right(given(pointing(longer), pointer.params, long.x), long.y),
    );
    found["an output for each place"].push(right(given(fixed, plain.params, bare.x), bare.y));
  }
  const [own, long, other] = Object.values(found) as [number[], number[], number[]];
  return {
    headline:
      "Pointing at places is more accurate than outputs for each place, and goes beyond the lengths that were trained",
    outcome: allOf(outcomeOf(apart(own, other)), outcomeOf(long, 1 / longer + 0.2)),
    figures: bands(found),
    seeds: 3,
  };
}

/** P109: evaluations of an equilibrium that a network predicts, and of one that begins at 0. */
function equilibria(): Study {
  const target = random(77).normals([6, 4], 0, 1);
  const draw = (rng: Rng): Drawn => {
    const x = rng.normals([32, 6], 0, 1);
    return { x, y: tf.sin(tf.matMul(x as tf.Tensor2D, target as tf.Tensor2D)) };
  };
  const inner = net().dense(24).tanh();
  const of = (options: object): Model =>
    net()
      .dense(24)
      .deq(inner as never, { tolerance: 1e-3, steps: 16, ...options })
      .dense(4) as never;
  const ways: Record<string, Model> = {
    "from 0": of({}),
    "from a prediction": of({ predict: net().dense(24) as never, weight: 0.1 }),
    "from one pass": of({ from: "once", weight: 0.1 }),
  };
  const found: Record<string, number[]> = {};
  const count = (name: string, value: number): void => {
    found[name] = [...(found[name] ?? []), value];
  };
  for (const seed of seedsOf(5))
    for (const [name, model] of Object.entries(ways)) {
      const { params, losses, milliseconds } = fit(model, [6], draw, squared, { steps: 150, seed });
      const { x } = draw(random(500 + seed));
      const before = given(net().dense(24) as never, { "1-dense": params["1-dense"]! }, x);
      const own = params["2-deq"] as { readonly [name: string]: never };
      const run = (z: tf.Tensor): tf.Tensor =>
        inner.apply({ "1-dense": own["1-dense"]! }, z, tape(false, null, {}).mode);
      const first =
        name === "from 0"
          ? tf.zerosLike(before)
          : name === "from one pass"
            ? run(before)
            : given(net().dense(24) as never, own.predict!, before);
      const { evaluations } = fixedPoint(
        (z) => run(tf.add(z, before)),
        first,
        {},
        { solver: "broyden", steps: 16, tolerance: 1e-3 },
      );
      count(`evaluations ${name}`, evaluations.dataSync()[0]! + (name === "from one pass" ? 1 : 0));
      count(`loss ${name}`, mean(losses.slice(-20)));
      count(`milliseconds of 150 steps ${name}`, milliseconds);
    }
  const ratio = found["evaluations from 0"]!.map((all, i) => all / found["evaluations from a prediction"]![i]!);
  return {
    headline:
      "Where the equilibrium is predicted explicitly, and the prediction is trained beside it, it is met 1.1 to 3.2 times as fast",
    outcome: outcomeOf(ratio, 1.1),
    figures: { ...bands(found), "evaluations saved, as a factor": band(ratio) },
    seeds: 5,
  };
}

/** P047: functions of two numbers, fitted by networks of one family and of four, of as many trained numbers. */
function families(): Study {
  const functions: Record<string, (a: number, b: number) => number> = {
    "sin(5a) b": (a, b) => Math.sin(5 * a) * b,
    "exp(sin(πa) + b²)": (a, b) => Math.exp(Math.sin(Math.PI * a) + b * b),
    "a step": (a, b) => (a + b > 0.3 ? 1 : 0),
  };
  const one = ["spline", "chebyshev", "fourier", "gauss"] as const;
  const nets: Record<string, Model> = {
    "all four": net().kan(6, { bases: one, grid: 4 }).kan(1, { bases: one, grid: 4 }) as never,
    spline: net().kan(6, { grid: 22 }).kan(1, { grid: 22 }) as never,
    chebyshev: net()
      .kan(6, { bases: ["chebyshev"], grid: 24 })
      .kan(1, { bases: ["chebyshev"], grid: 24 }) as never,
    fourier: net()
      .kan(6, { bases: ["fourier"], grid: 12 })
      .kan(1, { bases: ["fourier"], grid: 12 }) as never,
    gauss: net()
      .kan(6, { bases: ["gauss"], grid: 24 })
      .kan(1, { bases: ["gauss"], grid: 24 }) as never,
  };
  const found: Record<string, number[]> = Object.fromEntries(Object.keys(nets).map((name) => [name, []]));
  for (const seed of seedsOf(3))
    for (const of of Object.values(functions)) {
      const draw =
        (count: number) =>
        (rng: Rng): Drawn => {
          const points = Array.from({ length: count }, () => [2 * rng.uniform() - 1, 2 * rng.uniform() - 1]);
          return { x: tf.tensor2d(points), y: tf.tensor2d(points.map(([a, b]) => [of(a!, b!)])) };
        };
      const test = draw(500)(random(900 + seed));
      for (const [name, model] of Object.entries(nets)) {
        const { params } = fit(model, [2], draw(64), squared, { steps: 250, seed, lr: 1e-2 });
        found[name]!.push(Math.log10(squared(given(model, params, test.x), test.y).dataSync()[0]!));
      }
    }
  const own = found["all four"]!;
  const others = Object.entries(found).filter(([name]) => name !== "all four");
  return {
    headline: "Units that select among families of functions fit functions better than those of any one family",
    outcome: allOf(...others.map(([, values]) => outcomeOf(apart(values, own)))),
    figures: bands(
      Object.fromEntries(Object.entries(found).map(([name, values]) => [`log₁₀ of the error, ${name}`, values])),
    ),
    seeds: 3,
  };
}

/** P188: the parity of bits so far, by recurrent heads and by attention, at the length that was trained and at twice that. */
function parity(): Study {
  const length = 12;
  const draw =
    (count: number, length: number) =>
    (rng: Rng): Drawn => {
      const bits = Array.from({ length: count }, () => Array.from({ length }, () => rng.int(2)));
      const sums = bits.map((row) =>
        row.map(
          (
            (sum) => (bit: number) =>
              (sum = (sum + bit) % 2)
          )(0),
        ),
      );
      return { x: tf.tensor3d(bits.map((row) => row.map((bit) => [bit]))), y: tf.tensor2d(sums) };
    };
  const nets: Record<string, Model> = {
    "lstm of 4 heads": net().lstm(32, { heads: 4 }).dense(2) as never,
    "slstm of 4 heads": net().slstm(32, { heads: 4 }).dense(2) as never,
    "gru of 4 heads": net().gru(32, { heads: 4 }).dense(2) as never,
    attention: net().dense(32).positions({ kind: "sinusoidal" }).transformer(4).transformer(4).dense(2) as never,
  };
  const found: Record<string, number[]> = {};
  for (const seed of seedsOf(3))
    for (const [name, model] of Object.entries(nets)) {
      const { params } = fit(model, [length, 1], draw(64, length), entropy, { steps: 500, seed, lr: 1e-2 });
      for (const [where, size] of [
        ["", length],
        [" at twice the length", 2 * length],
      ] as const) {
        const { x, y } = draw(300, size)(random(700 + seed));
        found[name + where] = [...(found[name + where] ?? []), right(given(model, params, x), y)];
      }
    }
  const far = (name: string): number[] => found[`${name} at twice the length`]!;
  return {
    headline: "Recurrent networks of several heads track states that attention does not",
    outcome: outcomeOf(
      apart(
        far("gru of 4 heads").map((v, i) => Math.max(v, far("lstm of 4 heads")[i]!, far("slstm of 4 heads")[i]!)),
        far("attention"),
      ),
      0.1,
    ),
    figures: bands(found),
    seeds: 3,
  };
}

/** P180: the next number of a damped wave, by a quantum circuit that is trained and by one of which only the readout is. */
function reservoirs(): Study {
  const series = Array.from({ length: 120 }, (_, t) => Math.exp(-0.02 * t) * Math.sin(t / 2));
  const window = 8;
  const all = series.slice(window).map((y, i) => ({ x: series.slice(i, i + window), y }));
  const [train, test] = [all.slice(0, 75), all.slice(75)];
  const asTensors = (of: typeof all): Drawn => ({
    x: tf.tensor3d(of.map(({ x }) => x.map((v) => [v]))),
    y: tf.tensor2d(of.map(({ y }) => [y])),
  });
  const [seen, unseen] = [asTensors(train), asTensors(test)];
  const found: Record<string, number[]> = {};
  const note = (name: string, value: number): void => {
    found[name] = [...(found[name] ?? []), value];
  };
  const trained = net().quantumRnn(4).last().dense(1) as unknown as Model;
  const cells = { circuit: net().quantumRnn(4).last(), rnn: net().rnn(4).last() } as unknown as Record<string, Model>;
  /** The error of a ridge regression on what a cell gives as it is drawn, and how long that took. */
  const readOut = (cell: Model, seed: number): { readonly error: number; readonly milliseconds: number } => {
    const began = process.cpuUsage();
    const params = cell.init(random(seed).at("model"), [window, 1]);
    const [states, later] = [seen, unseen].map(({ x }) =>
      tf.concat([given(cell, params, x), tf.ones([x.shape[0]!, 1])], 1),
    ) as [tf.Tensor2D, tf.Tensor2D];
    const gram = Float64Array.from(tf.add(tf.matMul(states, states, true), tf.mul(tf.eye(5), 1e-4)).dataSync());
    const cross = Float64Array.from(tf.matMul(states, seen.y as tf.Tensor2D, true).dataSync());
    const weights = tf.tensor2d(Float32Array.from(solveSymmetric(gram, cross, 5, 1)), [5, 1]);
    const error = squared(tf.matMul(later, weights), unseen.y).dataSync()[0]!;
    const { user, system } = process.cpuUsage(began);
    return { error: Math.log10(error), milliseconds: (user + system) / 1000 };
  };
  for (const seed of seedsOf(5)) {
    const { params, milliseconds } = fit(trained, [window, 1], () => seen, squared, { steps: 200, seed, lr: 2e-2 });
    note(
      "log₁₀ of the error, circuit trained",
      Math.log10(squared(given(trained, params, unseen.x), unseen.y).dataSync()[0]!),
    );
    note("milliseconds of 200 epochs, circuit trained", milliseconds);
    for (const [name, cell] of Object.entries(cells)) {
      const { error, milliseconds } = readOut(cell, seed);
      note(`log₁₀ of the error, ${name} as drawn`, error);
      note(`milliseconds with compiling, ${name} as drawn`, milliseconds);
    }
  }
  const worse = apart(found["log₁₀ of the error, circuit as drawn"]!, found["log₁₀ of the error, circuit trained"]!);
  return {
    headline:
      "A quantum circuit of which only the readout is trained comes near one that is trained: within a factor of two of its error",
    outcome: outcomeOf(worse.map((by) => Math.log10(2) - by)),
    figures: bands(found),
    seeds: 5,
  };
}

const studies: Record<string, () => Study | Promise<Study>> = {
  P037: sorting,
  P109: equilibria,
  P047: families,
  P188: parity,
  P180: reservoirs,
};
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries(studies))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
