/**
 * The race of layers along sequences, and studies of rows of the systems catalogue about them: `npx tsx tests/bench/sequence.studies.bench.ts`, or some of them alone:
 * `race`, `text`, `images`, `lengths`, `steps`, `universality`, and of the race some tasks or layers: `race parity gru`. Twenty minutes for all on one thread; times are of the processor.
 */
import {
  gpt,
  layers,
  type Model,
  net,
  network,
  random,
  stepping,
  type TrainedNetwork,
  tf,
  trained,
} from "../../lib/index.ts";
import { record, reference } from "../support/reference.ts";
import { accuracyAt, type Mixer, type Result, raced, tasks, text } from "./parts/race.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";
import { universality } from "./parts/universality.ts";

const conv = layers.causalConv(4);
const attention = (units: number) => layers.attention(units / 8, { positions: "rotary" });
/** Whose blocks have a short convolution within; all others get one before. */
const selective: Readonly<Record<string, Mixer>> = {
  mamba: () => [layers.mamba({ state: 8 })],
  longhorn: () => [layers.longhorn({ state: 8 })],
  "mamba and attention": (units) => [layers.mamba({ state: 8 }), attention(units)],
};
const bare: Readonly<Record<string, Mixer>> = {
  attention: (units) => [attention(units)],
  linearAttention: (units) => [layers.linearAttention(units / 8)],
  retention: (units) => [layers.retention(units / 8)],
  gla: (units) => [layers.gla(units / 8)],
  deltaNet: (units) => [layers.deltaNet(units / 8)],
  "deltaNet, gated": (units) => [layers.deltaNet(units / 8, { gated: true })],
  mlstm: (units) => [layers.mlstm(units / 8)],
  lightNet: (units) => [layers.lightNet(units / 8)],
  ttt: (units) => [layers.ttt(units / 8)],
  neuralMemory: (units) => [layers.neuralMemory(units / 8, { depth: 1 })],
  lattice: (units) => [layers.lattice(units / 8, { slots: 8 })],
  s4: () => [layers.s4(16)],
  s4d: () => [layers.s4d(16)],
  s5: () => [layers.s5(16)],
  "smr and s4d": () => [layers.smr(4), layers.s4d(16)],
  lssl: () => [layers.lssl(16)],
  lru: (units) => [layers.lru(units)],
  lmu: (units) => [layers.lmu(units, { order: 8, window: 24 })],
  multires: () => [layers.multires({ depth: 5 })],
  ckconv: (units) => [layers.ckconv(units)],
  tcnca: () => [layers.tcnca({ chunk: 16 })],
  gateLoop: () => [layers.gateLoop()],
  rnn: (units) => [layers.rnn(units)],
  cfc: (units) => [layers.cfc(units)],
  elstm: (units) => [layers.elstm(units)],
  lstm: (units) => [layers.lstm(units)],
  gru: (units) => [layers.gru(units)],
  slstm: (units) => [layers.slstm(units)],
};
const mixers: Readonly<Record<string, Mixer>> = {
  ...Object.fromEntries(
    Object.entries(bare).map(([name, mixer]) => [name, (units: number) => [conv, ...mixer(units)]]),
  ),
  ...selective,
};
const digitsOf = (value: number, digits = 3): number => Number(value.toPrecision(digits));
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** What a layer comes to at a task. */
interface Place {
  readonly parameters: number;
  /** Of the processor for a step. */
  readonly milliseconds: number;
  readonly atEqualSteps: number;
  /** After as much time as the middle one of all takes for its steps. */
  readonly atEqualTime: number;
}
type Ranked = Readonly<Record<string, Readonly<Record<string, Place>>>>;

const ranked = (): Ranked => (reference().sequenceRace ?? {}) as Ranked;

/** Every layer at every task, or those that are named; at the end all of them in the order of their mean accuracy. */
function race(): void {
  const named = <T>(of: Readonly<Record<string, T>>): [string, T][] => {
    const asked = Object.entries(of).filter(([name]) => process.argv.includes(name));
    return asked.length > 0 ? asked : Object.entries(of);
  };
  for (const [task, given] of named(tasks)) {
    const results = named(mixers).map(([name, mixer]) => {
      const result = raced(given(0), mixer, { steps: 150, batch: 24, lr: 1e-2, tests: 3 });
      console.log(
        task.padEnd(10),
        name.padEnd(20),
        result.curve.map(({ accuracy }) => digitsOf(accuracy, 2)).join(" "),
      );
      return [name, result] as const;
    });
    const steps = {
      ...Object.fromEntries(
        Object.entries(ranked()[task] ?? {}).map(([name, { milliseconds }]) => [name, milliseconds]),
      ),
      ...Object.fromEntries(results.map(([name, { step }]) => [name, step])),
    };
    const times = Object.values(steps).sort((a, b) => a - b);
    const places = results.map(([name, result]) => [
      name,
      {
        parameters: result.parameters,
        milliseconds: digitsOf(result.step),
        atEqualSteps: digitsOf(result.curve.at(-1)!.accuracy),
        atEqualTime: digitsOf(accuracyAt(result, (149 * times[times.length >> 1]!) / 1000)),
      },
    ]);
    record("sequenceRace", { ...ranked(), [task]: { ...ranked()[task], ...Object.fromEntries(places) } });
  }
  const all = Object.values(ranked());
  const rows = Object.keys(mixers).map((layer) => ({
    layer,
    ...Object.fromEntries(Object.entries(ranked()).map(([task, of]) => [task, of[layer]?.atEqualSteps])),
    mean: digitsOf(mean(all.map((of) => of[layer]?.atEqualSteps ?? 0))),
    "at equal time": digitsOf(mean(all.map((of) => of[layer]?.atEqualTime ?? 0))),
    "ms a step": digitsOf(mean(all.map((of) => of[layer]?.milliseconds ?? 0))),
  }));
  console.table(rows.sort((a, b) => b.mean - a.mean));
}

/** Text of 64 characters: losses by layer and seed. */
function texts(): void {
  const seeds = 3;
  const given = text(64);
  const names = [
    "attention",
    "mamba",
    "gla",
    "longhorn",
    "lattice",
    "ttt",
    "neuralMemory",
    "deltaNet",
    "mlstm",
    "lightNet",
  ];
  const all: Record<string, Result[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let seed = 0; seed < seeds; seed++)
    for (const name of names) {
      const result = raced(given, mixers[name]!, {
        steps: 200,
        batch: 12,
        lr: 8e-3,
        parameters: 20_000,
        tests: 1,
        seed,
      });
      all[name]!.push(result);
      console.log(
        "text",
        seed,
        name.padEnd(14),
        `${result.units} wide`,
        `${digitsOf(result.step)} ms a step`,
        digitsOf(result.curve.at(-1)!.loss, 4),
      );
    }
  const losses = Object.fromEntries(names.map((name) => [name, all[name]!.map(({ curve }) => curve.at(-1)!.loss)]));
  const figures = (...of: readonly string[]) =>
    Object.fromEntries(of.map((name) => [`loss of a character, ${name}`, band(losses[name]!)]));
  const better = (name: string, than: string): number[] => apart(losses[than]!, losses[name]!);
  const near = (name: string, to: string): number[] => losses[to]!.map((loss, i) => 1.02 * loss - losses[name]![i]!);
  study("P168", {
    headline: "Gated linear attention comes as far in language as attention and Mamba (within 2% of the loss)",
    outcome: allOf(outcomeOf(near("gla", "attention")), outcomeOf(near("gla", "mamba"))),
    figures: figures("gla", "attention", "mamba"),
    seeds,
  });
  study("P119", {
    headline: "Longhorn is better than Mamba at modelling sequences",
    outcome: outcomeOf(better("longhorn", "mamba")),
    figures: figures("longhorn", "mamba"),
    seeds,
  });
  const others = names.filter((name) => name !== "lattice");
  study("P072", {
    headline: "Lattice has the lowest perplexity of all",
    outcome: allOf(...others.map((name) => outcomeOf(better("lattice", name)))),
    figures: figures("lattice", ...others),
    seeds,
  });
  const fall = (name: string): number[] =>
    all[name]!.map(({ byPlace }) => mean(byPlace.slice(16, 32)) - mean(byPlace.slice(48, 64)));
  study("P086", {
    headline: "What TTT layers predict goes on becoming better with more context where Mamba's does not",
    outcome: outcomeOf(apart(fall("ttt"), fall("mamba"))),
    figures: {
      ...figures("ttt", "mamba"),
      "loss at places 17 to 32 less that at 49 to 64, ttt": band(fall("ttt")),
      "loss at places 17 to 32 less that at 49 to 64, mamba": band(fall("mamba")),
    },
    seeds,
  });
  study("P049", {
    headline: "Titans' memory is better than transformers and linear recurrences",
    outcome: allOf(...["attention", "gla", "mamba"].map((name) => outcomeOf(better("neuralMemory", name)))),
    figures: figures("neuralMemory", "attention", "gla", "mamba"),
    seeds,
  });
}

/** P073: one scan over the pixels of a digit against two, one each way. */
function images(): void {
  const seeds = 3;
  const place = layers.positions({ kind: "sinusoidal" });
  const ways: Readonly<Record<string, Mixer>> = {
    "lightNet, one scan": (units) => [place, layers.lightNet(units / 8, { causal: false })],
    "gla, two scans": (units) => [
      place,
      layers.bidirectional(net.of([layers.gla(units / 8)]) as unknown as Model),
      layers.dense(units),
    ],
  };
  const found = Object.entries(ways).map(([name, mixer]) => {
    const results = Array.from({ length: seeds }, (_, seed) =>
      raced(tasks.digits!(seed), mixer, { steps: 150, tests: 1, lr: 1e-2, seed }),
    );
    console.log(
      name,
      results.map(({ curve, step }) => `${digitsOf(curve.at(-1)!.accuracy)} (${digitsOf(step)} ms)`).join(" "),
    );
    return [name, results] as const;
  });
  const accuracies = found.map(([, results]) => results.map(({ curve }) => curve.at(-1)!.accuracy));
  study("P073", {
    headline: "One scan of LightNet is as good for images as two scans of linear attention (within 0.02)",
    outcome: outcomeOf(apart(accuracies[0]!, accuracies[1]!), -0.02),
    figures: Object.fromEntries(
      found.flatMap(([name, results], i) => [
        [`accuracy, ${name}`, band(accuracies[i]!)],
        [`milliseconds of a step, ${name}`, digitsOf(mean(results.map(({ step }) => step)))],
      ]),
    ),
    seeds,
  });
}

/** P148: state spaces beside attention, by task and by how their time grows with the length. */
function lengths(): void {
  const names = ["s4", "s4d", "s5", "mamba", "mamba and attention", "attention"];
  const growth = Object.fromEntries(
    names.map((name) => {
      const [short, long] = [256, 1024].map((length) => {
        const model = net.of([
          layers.embedding(16, 32, { positions: false }),
          ...mixers[name]!(32),
        ]) as unknown as Model;
        const own = network(model, [length]);
        const made = trained({ model, input: [length], weights: own.init(random(0), 2) });
        const x = tf.floor(random(1).uniforms([1, length], 0, 16));
        const once = (): void => {
          const y = made.predict(x);
          y.dataSync();
          y.dispose();
        };
        once();
        return least(once);
      });
      console.log("lengths", name, short, long);
      return [name, Math.log(long! / short!) / Math.log(4)];
    }),
  );
  study("P148", {
    headline: "The time of state spaces grows nearly as the length does, that of attention with a larger power",
    outcome: names.slice(0, 4).every((name) => growth[name]! < 1.2 && growth[name]! < growth.attention!)
      ? "holds"
      : "does not hold here",
    figures: Object.fromEntries(
      names.flatMap((name) => [
        [`power of the length that time grows with, ${name}`, digitsOf(growth[name]!)],
        ...Object.entries(ranked()).flatMap(([task, of]) =>
          of[name] === undefined ? [] : [[`accuracy, ${task}, ${name}`, of[name].atEqualSteps] as const],
        ),
      ]),
    ),
    seeds: 1,
  });
}

/** Seconds of the processor, the least of several. */
function least(run: () => void, times = 7): number {
  const all = Array.from({ length: times }, () => {
    const begun = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1e6;
  });
  return Math.min(...all);
}

/** P010: a step place by place against the whole window at every place, with the weights as they are. */
function steps(): void {
  const length = 256;
  const made = (model: unknown): TrainedNetwork =>
    trained({ model: model as Model, input: [length], weights: network(model as Model, [length]).init(random(4), 65) });
  const own: Readonly<Record<string, TrainedNetwork>> = {
    "gpt of 4 blocks": made(gpt({ tokens: 65, width: 64, depth: 4, heads: 4, context: length })),
    "two gated recurrent units": made(net().embedding(65, 64, { positions: false }).gru(64).gru(64)),
    "two blocks of gla": made(
      net()
        .embedding(65, 64, { positions: false })
        .residual((n) => n.layerNorm().gla(4))
        .residual((n) => n.layerNorm().gla(4)),
    ),
  };
  const figures: Record<string, number> = {};
  let fewest = Number.POSITIVE_INFINITY;
  for (const [name, network] of Object.entries(own)) {
    const x = tf.floor(random(2).uniforms([1, length], 0, 65));
    const whole = network.predict(x).dataSync();
    const stepper = stepping(network);
    let apart = 0;
    let size = 0;
    [...x.dataSync()].forEach((token, t) => {
      const y = stepper.step(token);
      y.dataSync().forEach((v, c) => {
        apart = Math.max(apart, Math.abs(v - whole[65 * t + c]!));
        size = Math.max(size, Math.abs(v));
      });
      y.dispose();
    });
    const step = least(() => {
      for (let i = 0; i < 20; i++) {
        if (stepper.places >= length) stepper.reset();
        const y = stepper.step(i);
        y.dataSync();
        y.dispose();
      }
    });
    const all = least(() => {
      const y = network.predict(x);
      y.dataSync();
      y.dispose();
    });
    fewest = Math.min(fewest, all / (step / 20));
    figures[`times as long for the window of ${length} as for a step, ${name}`] = digitsOf(all / (step / 20));
    figures[`milliseconds of a step, ${name}`] = digitsOf(1000 * (step / 20));
    figures[`largest difference from the whole, in parts of the largest number, ${name}`] = digitsOf(apart / size, 2);
  }
  study("P010", {
    headline:
      "Place by place a network of layers over time takes more than ten times less work for each place, with the same weights and answers",
    outcome: fewest > 10 ? "holds" : "does not hold here",
    figures,
    seeds: 1,
  });
}

const parts = { steps, race, lengths, text: texts, images, universality };
const wanted = process.argv.slice(2).filter((word) => word in parts) as (keyof typeof parts)[];
for (const name of wanted.length > 0 ? wanted : (Object.keys(parts) as (keyof typeof parts)[])) parts[name]();
