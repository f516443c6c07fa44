/**
 * Studies of rows of the systems catalogue about what linear recurrences are: `npx tsx tests/bench/linear-recurrences.studies.bench.ts`, or some of them alone, by their rows. A minute
 * or two for all.
 */

import { product, solveSymmetric, transposed } from "../../lib/engine/linear-algebra.ts";
import {
  adam,
  classes,
  digits,
  gather,
  implicitAttribution,
  type Layer,
  layers,
  net,
  random,
  type TrainedNetwork,
  tape,
  tf,
} from "../../lib/index.ts";
import type { LinearCdeOptions } from "../../lib/models/layers/ssm/linear-cde.ts";
import type { Study } from "../support/reference.ts";
import { type Mixer, raced, tasks, text } from "./parts/race.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** P214: digits as 16 pieces of 2 × 2 pixels, read by two blocks of Mamba; pieces are blackened in the order of what explains the answer. */
async function explained(): Promise<Study> {
  const [seeds, side, pieces, count] = [3, 8, 16, 200];
  const own = classes(digits())
    .split(1)
    .learn(
      net()
        .patches(2)
        .dense(24)
        .residual((n) => n.layerNorm().mamba({ state: 4 }))
        .residual((n) => n.layerNorm().mamba({ state: 4 }))
        .layerNorm()
        .globalPool(),
    )
    .with(adam({ lr: 4e-3 }))
    .train({ batch: 64, epochs: 8 });
  const run = await own.run({ seeds, quiet: true, record: false });
  const found: Record<string, number[]> = {};
  const add = (name: string, value: number): void => void (found[name] ??= []).push(value);
  for (let seed = 0; seed < seeds; seed++) {
    const network: TrainedNetwork = await run.network({ seed });
    const x = tf.tensor(
      gather(
        digits().test,
        Array.from({ length: count }, (_, i) => i),
      ),
      [count, side, side, 1],
    );
    const first = [...tf.argMax(network.predict(x), 1).dataSync()];
    /** The share of answers that stay, averaged over how many pieces are blackened. */
    const kept = (scores: readonly (readonly number[])[], sign: 1 | -1): number => {
      const orders = scores.map((row) => row.map((_, i) => i).sort((a, b) => sign * (row[b]! - row[a]!)));
      const values = x.dataSync().slice();
      const shares: number[] = [];
      for (let gone = 0; gone < pieces - 1; gone++) {
        orders.forEach((order, i) => {
          const piece = order[gone]!;
          const [row, column] = [2 * Math.floor(piece / 4), 2 * (piece % 4)];
          for (const at of [0, 1, side, side + 1]) values[i * side * side + row * side + column + at] = 0;
        });
        const now = tf.argMax(network.predict(tf.tensor(values, [count, side, side, 1])), 1).dataSync();
        shares.push(mean(first.map((label, i) => Number(now[i] === label))));
      }
      return mean(shares);
    };
    add("accuracy", mean(run.matrix({ seed }).values.at(-1)!));
    for (const [name, of] of [
      ["the whole", "weights"],
      ["the recurrence alone", "core"],
    ] as const) {
      for (const gradients of [true, false]) {
        const scores = implicitAttribution(network, x, { of, gradients, from: "mean" });
        const way = gradients ? "with gradients" : "rolled out";
        add(`answers kept, what counts most blackened first: ${name}, ${way}`, kept(scores, 1));
        add(`answers kept, what counts least blackened first: ${name}, ${way}`, kept(scores, -1));
      }
    }
  }
  const of = (way: string, name: string, gradients: string): number[] =>
    found[`answers kept, what counts ${way} blackened first: ${name}, ${gradients}`]!;
  return {
    headline:
      "Attribution through the whole implicit attention (gates and convolutions in it) explains answers better than through the attention of Mamba's recurrence alone",
    outcome: allOf(
      outcomeOf(apart(of("most", "the recurrence alone", "with gradients"), of("most", "the whole", "with gradients"))),
      outcomeOf(
        apart(of("least", "the whole", "with gradients"), of("least", "the recurrence alone", "with gradients")),
      ),
    ),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
    seeds,
  };
}

/** P032: the same recurrence with the matrices of five architectures, on associative recall; and how near it comes to the layers that it is. */
async function framework(): Promise<Study> {
  const [seeds, length, units] = [3, 24, 16];
  const { mode } = tape(false, null, {});
  const apartFrom = (own: Layer, of: (seed: number) => Layer, size: number): number[] =>
    Array.from({ length: seeds }, (_, seed) => {
      const params = own.init!(random(seed), [length, units]);
      const x = random(seed).at("x").normals([2, length, units], 0, size);
      const [y, wanted] = [of(seed).apply(x, params, mode), own.apply(x, params, mode)];
      return tf.div(tf.max(tf.abs(tf.sub(y, wanted))), tf.max(tf.abs(wanted))).dataSync()[0]!;
    });
  const linear = apartFrom(
    layers.linearAttention(2),
    () => layers.dynamicalSystem(2, { system: "linearAttention", state: units / 2 }),
    1,
  );
  const softmax = [1, 2, 3].map((order) =>
    apartFrom(
      layers.attention(4, { causal: true }),
      () => layers.dynamicalSystem(4, { system: "softmax", state: units / 4, order }),
      1,
    ),
  );
  const ways: Record<string, Mixer> = {
    "softmax of order 2": (units) => [layers.dynamicalSystem(units / 8, { system: "softmax" })],
    "linear attention": (units) => [layers.dynamicalSystem(units / 8, { system: "linearAttention" })],
    normalised: (units) => [layers.dynamicalSystem(units / 8, { system: "normalised" })],
    selective: (units) => [layers.dynamicalSystem(units / 8)],
    "selective, 32 numbers of state": (units) => [layers.dynamicalSystem(units / 8, { state: 32 })],
    qlstm: (units) => [layers.dynamicalSystem(units / 8, { system: "qlstm" })],
  };
  const recall = Object.entries(ways).map(([name, mixer]) => {
    const found = Array.from(
      { length: seeds },
      (_, seed) =>
        raced(tasks.recall!(seed), (units) => [layers.causalConv(4), ...mixer(units)], {
          steps: 250,
          tests: 1,
          seed,
        }).curve.at(-1)!.accuracy,
    );
    console.log(name, found);
    return [name, found] as const;
  });
  return {
    headline:
      "Linear attention is a selective recurrence whose matrices its normaliser chooses, and softmax attention is approached by such recurrences with more state",
    outcome: allOf(
      outcomeOf(linear.map((error) => 1e-4 - error)),
      // chosen after a look: errors differ by powers of ten from seed to seed, so that their logarithms are compared
      outcomeOf(softmax[0]!.map((error, i) => Math.log(error / softmax[1]![i]!))),
      outcomeOf(softmax[1]!.map((error, i) => Math.log(error / softmax[2]![i]!))),
    ),
    figures: {
      "largest difference from linear attention, in its largest number": band(linear),
      ...Object.fromEntries(
        softmax.map((errors, i) => [
          `largest difference from softmax attention, in its largest number, order ${i + 1}`,
          band(errors),
        ]),
      ),
      ...Object.fromEntries(recall.map(([name, values]) => [`accuracy, associative recall, ${name}`, band(values)])),
    },
    seeds,
  };
}

/** P208: what a linear layer reads out of random recurrences: terms of the signature of paths, and the frame that a path turns. */
async function signatures(): Promise<Study> {
  const [seeds, length, count, state] = [5, 20, 400, 64];
  const { mode } = tape(false, null, {});
  const kinds: Record<string, LinearCdeOptions> = {
    "moved by the input": {},
    "moved by the input, diagonal": { transitions: "diagonal" },
    "moved by time alone": { gates: "time" },
  };
  const found: Record<string, number[]> = {};
  for (let seed = 0; seed < seeds; seed++) {
    const steps = random(seed).normals([2 * count, length, 2], 0, 1 / Math.sqrt(length));
    const x = tf.cumsum(steps, 1);
    const targets = targetsOf(steps.arraySync() as number[][][]);
    for (const [kind, options] of Object.entries(kinds)) {
      const layer = layers.linearCde(state, { step: 1 / length, ...options }) as Layer;
      const params = layer.init!(random(seed).at(kind), [length, 2]);
      const all = layer.apply(x, params, mode);
      const z = tf.reshape(tf.slice(all, [0, length - 1, 0], [2 * count, 1, state]), [2 * count, state]).dataSync();
      for (const [name, y] of Object.entries(targets))
        (found[`${name}, ${kind}`] ??= []).push(explainedBy(z as Float32Array, y, count, state));
    }
  }
  const gain = ["area", "third term", "turned frame"].map((name) =>
    outcomeOf(apart(found[`${name}, moved by the input`]!, found[`${name}, moved by time alone`]!)),
  );
  return {
    headline:
      "A random linear recurrence whose transitions the input moves holds the signature of the input, which one that time alone moves does not",
    outcome: allOf(...gain, outcomeOf(found["area, moved by the input"]!, 0.9)),
    figures: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [
        `share of the variance of new paths explained, ${name}`,
        band(values),
      ]),
    ),
    seeds,
  };
}

/** Of each path the increment, the signed area between its coordinates, a term of third degree, and a number of the frame that it turns about two axes. */
function targetsOf(paths: readonly (readonly (readonly number[])[])[]): Record<string, number[]> {
  const targets: Record<string, number[]> = { increment: [], area: [], "third term": [], "turned frame": [] };
  for (const path of paths) {
    let [a, b, ab, ba, aab] = [0, 0, 0, 0, 0];
    let frame = [1, 0, 0];
    for (const [da, db] of path as readonly (readonly [number, number])[]) {
      // Chen's identity for a straight line, the longest word first
      aab += ((a * a) / 2) * db + (a * da * db) / 2 + (da * da * db) / 6;
      [ab, ba] = [ab + a * db + (da * db) / 2, ba + b * da + (da * db) / 2];
      [a, b] = [a + da, b + db];
      // about the axis (da, db, 0) by its length
      const angle = Math.hypot(da, db);
      const [kx, ky] = [da / angle, db / angle];
      const [vx, vy, vz] = frame as [number, number, number];
      const [cos, sin, along] = [Math.cos(angle), Math.sin(angle), (kx * vx + ky * vy) * (1 - Math.cos(angle))];
      frame = [
        vx * cos + ky * vz * sin + kx * along,
        vy * cos - kx * vz * sin + ky * along,
        vz * cos + (kx * vy - ky * vx) * sin,
      ];
    }
    targets.increment!.push(a);
    targets.area!.push(ab - ba);
    targets["third term"]!.push(aab);
    targets["turned frame"]!.push(frame[2]!);
  }
  return targets;
}

/** The share of the variance of the second half that a ridge regression on the first half explains. */
function explainedBy(z: Float32Array, y: readonly number[], count: number, width: number): number {
  const wide = width + 1;
  const rows = (from: number): Float64Array =>
    Float64Array.from({ length: count * wide }, (_, i) => {
      const column = i % wide;
      return column === width ? 1 : z[(from + Math.floor(i / wide)) * width + column]!;
    });
  const x = rows(0);
  const gram = product(transposed(x, count, wide), x, wide, count, wide);
  for (let i = 0; i < wide; i++) gram[i * wide + i]! += 1e-3;
  const right = product(transposed(x, count, wide), Float64Array.from(y.slice(0, count)), wide, count, 1);
  const said = product(rows(count), solveSymmetric(gram, right, wide, 1), count, wide, 1);
  const wanted = y.slice(count);
  const middle = mean(wanted);
  return 1 - mean(wanted.map((v, i) => (v - said[i]!) ** 2)) / mean(wanted.map((v) => (v - middle) ** 2));
}

/** P086: the titles of the catalogue, letter by letter, in pieces of 96: the loss in the end, and in the last third of a piece beside the middle one. */
async function learnedWithin(): Promise<Study> {
  const [seeds, length] = [3, 96];
  const ways: Record<string, Mixer> = {
    ttt: (units) => [layers.causalConv(4), layers.ttt(units / 8)],
    mamba: () => [layers.mamba({ state: 8 })],
    attention: (units) => [layers.causalConv(4), layers.attention(units / 8, { positions: "rotary" })],
  };
  const found: Record<string, number[]> = {};
  for (const [name, mixer] of Object.entries(ways))
    for (let seed = 0; seed < seeds; seed++) {
      const { curve, byPlace } = raced(text(length), mixer, { steps: 100, tests: 1, seed });
      const third = (k: number): number => mean(byPlace.slice((k * length) / 3, ((k + 1) * length) / 3));
      (found[`loss, ${name}`] ??= []).push(curve.at(-1)!.loss);
      (found[`loss of the middle third less that of the last, ${name}`] ??= []).push(third(1) - third(2));
      console.log(name, curve.at(-1)!.loss);
    }
  return {
    headline:
      "A layer whose state is a model that learns within the sequence predicts text as well as attention and Mamba (within 0.05 of the loss), and better with more context",
    outcome: allOf(
      outcomeOf(apart(found["loss, attention"]!, found["loss, ttt"]!), -0.05),
      outcomeOf(apart(found["loss, mamba"]!, found["loss, ttt"]!), -0.05),
      outcomeOf(found["loss of the middle third less that of the last, ttt"]!),
    ),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const all: Record<string, () => Promise<Study>> = {
  P214: explained,
  P032: framework,
  P208: signatures,
  P086: learnedWithin,
};
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
