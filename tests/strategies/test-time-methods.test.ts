import { readFileSync } from "node:fs";
import {
  adam,
  bnAdapt,
  classes,
  cotta,
  csfa,
  disposeTree,
  dynamicEvaluation,
  type Examples,
  eata,
  ecotta,
  errorMemory,
  evaluation,
  evaluator,
  fromText,
  gpt,
  lame,
  metaDmoe,
  mlp,
  net,
  network,
  random,
  rmt,
  rna,
  roid,
  rotta,
  type Strategy,
  sar,
  sea,
  sequence,
  sgd,
  type Tree,
  table,
  tent,
  testTime,
  tf,
  training,
  type Weights,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { digits } from "../../lib/data/digits.ts";
import { mapTensors } from "../../lib/engine/index.ts";
import { run, spec } from "./support.ts";

/** What PyTorch comes to: written by peers/test-time.py. */
const peer = JSON.parse(readFileSync(new URL("./peers/test-time.json", import.meta.url), "utf8")) as {
  readonly weights: Readonly<Record<string, number[] & number[][]>>;
  readonly batches: readonly (readonly (readonly number[])[])[];
  readonly lame: Readonly<Record<string, readonly number[][][]>>;
  readonly eata: {
    readonly logits: readonly number[][][];
    readonly counted: number[];
    readonly importance: number[][];
  };
  readonly sar: { readonly logits: readonly number[][][]; readonly recovered: number };
  readonly roid: { readonly logits: readonly number[][][] };
  readonly cotta: { readonly logits: readonly number[][][] };
};

type Matrix = readonly (readonly number[])[];
/** The same of methods with something trained beside the network: written by peers/test-time-learned.py. */
const learned = JSON.parse(readFileSync(new URL("./peers/test-time-learned.json", import.meta.url), "utf8")) as {
  readonly ecotta: { readonly meta: Record<string, number[]>; readonly logits: Matrix[]; readonly counted: number[] };
  readonly csfa: { readonly means: number[][]; readonly logits: Matrix[] };
  readonly rna: {
    readonly rows: number[][];
    readonly labels: number[];
    readonly controller: Record<string, number[]>;
    readonly logits: Matrix[];
  };
  readonly metaDmoe: {
    readonly experts: Record<string, number[]>[];
    readonly aggregator: Record<string, number[]>;
    readonly logits: Matrix[];
  };
};
/** Numbers as tensors, by name. */
const tensorsOf = (values: Record<string, number[]>): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(values).map(([name, own]) => [name, tf.tensor(own)]));

describe("beside PyTorch", () => {
  const model = net().dense(4).batchNorm().relu();
  const made = network(model, [3]);
  const w = peer.weights;

  /** The logits of each batch in its order, the batches coming a few times. */
  function seen(own: Strategy, rounds: number, given?: (weights: Weights) => object): number[][] {
    const weights = {
      model: {
        "1-dense": { kernel: tf.tensor2d(w.kernel!), bias: tf.tensor1d(w.bias!) },
        "2-batchNorm": { scale: tf.tensor1d(w.scale!), shift: tf.tensor1d(w.shift!) },
      },
      head: { kernel: tf.tensor2d(w["head kernel"]!), bias: tf.tensor1d(w["head bias"]!) },
    } as Weights;
    const statistics = { "2-batchNorm": { mean: tf.tensor1d(w.mean!), variance: tf.tensor1d(w.variance!) } };
    const state = own.hooks.init?.({ weights, statistics, columns: 3, network: made, rng: random(0) } as never) ?? {};
    const time = testTime(made, [own], evaluator(made, [own]), null)!;
    const frozen = { weights, statistics, states: { [own.spec.name]: { ...state, ...given?.(weights) } } };
    const out: number[][] = [];
    const predict = (x: readonly (readonly number[])[]): void => {
      const rows: Examples = table(Float32Array.from(x.flat()), new Int32Array(x.length), [3], 1);
      out.push([...time.predict(frozen as never, rows, null, null, random(0)).logits]);
    };
    for (let round = 0; round < rounds; round++) peer.batches.forEach(predict);
    time.end();
    disposeTree([weights, statistics, state] as unknown as Tree);
    return out;
  }
  const close = (ours: number[][], theirs: readonly Matrix[], digits = 4): void =>
    theirs.forEach((batch, b) => {
      expect(ours[b]).toHaveLength(batch.flat().length);
      batch.flat().forEach((z, i) => {
        expect(ours[b]![i], `batch ${b}`).toBeCloseTo(z, digits);
      });
    });
  const plain = { batch: 5, shuffle: false, lr: 0.05, reset: "round", noise: 0, shiftPixels: 0 } as const;
  const { noise, shiftPixels, ...bare } = plain;

  test("eata gives the same logits on every batch, some with examples that do not count", () => {
    expect(new Set(peer.eata.counted).size).toBeGreaterThan(2);
    const [scale, shift] = peer.eata.importance.map((f) => tf.tensor1d(f));
    const tensors = { importance: { "2-batchNorm": { scale, shift } } };
    const given = () => ({ tensors });
    close(seen(eata({ ...bare, margin: 0.97, redundancy: 0.995, strength: 0.7 }), 2, given), peer.eata.logits);
  });

  test("sar gives the same logits on every batch, through a recovery", () => {
    expect(peer.sar.recovered).toBeGreaterThan(0);
    close(seen(sar({ ...bare, margin: 0.95, radius: 0.1, recovery: 0.9 }), 3), peer.sar.logits);
  });

  test("roid gives the same logits on every batch", () => {
    close(seen(roid({ ...plain, keep: 0.9 }), 2), peer.roid.logits);
  });

  test("cotta gives the same logits on every batch, without views and chance", () => {
    // a teacher that is as the student has nothing to teach: it begins elsewhere
    const own = cotta({ ...plain, keep: 0.6, views: 0, restore: 0 });
    const given = (weights: Weights) => ({
      carried: {
        ...(own.hooks.init!({ weights } as never) as { carried: object }).carried,
        begun: tf.scalar(1),
        held: { source: weights, teacher: mapTensors((w) => tf.mul(w, 1.2), weights) },
      },
    });
    close(seen(own, 2, given), peer.cotta.logits, 3);
  });

  test("P022 EcoTTA gives the same logits on every batch, some with examples that do not count", () => {
    expect(new Set(learned.ecotta.counted).size).toBeGreaterThan(2);
    const meta = { "1-dense": tensorsOf(learned.ecotta.meta) };
    const zeros = mapTensors((leaf) => tf.zerosLike(leaf), meta);
    const own = ecotta({ ...bare, margin: 0.8 });
    close(
      seen(own, 2, () => ({ carried: { meta, optimizer: zeros } })),
      learned.ecotta.logits,
    );
  });

  test("P423 CSFA gives the same logits on every batch", () => {
    const tensors = { means: tf.tensor2d(learned.csfa.means), seen: tf.ones([3]) };
    close(
      seen(csfa({ ...bare, margin: 0.8, radius: 0.1, gap: 0.4, scale: 8 }), 2, () => ({ tensors })),
      learned.csfa.logits,
    );
  });

  test("P179 RNA gives the logits of layers that its function scales and shifts", () => {
    const { rows, labels, controller } = learned.rna;
    const tensors = {
      controller: tensorsOf(controller),
      rows: tf.tensor2d(rows),
      labels: tf.tensor1d(labels, "int32"),
    };
    close(
      seen(rna({ batch: 5, shuffle: false, neighbours: 2, capacity: 5, hidden: 6 }), 1, () => ({ tensors })),
      learned.rna.logits,
    );
  });

  test("P323 Meta-DMoE gives the logits after one step towards what a transformer makes of its experts", () => {
    const given = (weights: Weights) => ({
      tensors: {
        experts: learned.metaDmoe.experts.map((own) => ({
          model: { ...weights.model, "1-dense": tensorsOf(own) },
          statistics: { "2-batchNorm": { mean: tf.tensor1d(w.mean!), variance: tf.tensor1d(w.variance!) } },
        })),
        aggregator: tensorsOf(learned.metaDmoe.aggregator),
      },
    });
    const { lr: _, ...how } = bare;
    close(seen(metaDmoe({ ...how, inner: 0.3 }), 1, given), learned.metaDmoe.logits);
  });

  test.each(["rbf", "linear"] as const)("lame gives the same logits with affinities by %s", (affinity) => {
    close(seen(lame({ affinity, neighbours: 2, batch: 5, shuffle: false }), 1), peer.lame[affinity]!, 3);
  });
});

describe("on corrupted digits", () => {
  const stream = classes(digits()).split(1).corrupt(["gaussianNoise", "contrast"], 4, { part: "test" }).limit(200);
  const norms = net().flatten().dense(24).batchNorm().relu();
  const online = (own: Strategy): number => {
    const { events } = run(
      spec(stream, [own], {
        model: norms,
        optimizer: sgd({ lr: 0.1 }),
        evaluation: evaluation({ share: 0, every: "end" }),
      }),
    );
    const last = events.flatMap((event) => (event.type === "evaluated" && event.at === "experience" ? [event] : []));
    return last.reduce((sum, event) => sum + event.accuracy / last.length, 0);
  };

  test("each method that adapts is far more accurate than the network as it was trained", () => {
    const none = online(bnAdapt({ prior: 1e9, batch: 100 })); // running statistics: 0.56
    const found = [
      eata({ batch: 100 }),
      sar({ batch: 100 }),
      roid({ batch: 100, shiftPixels: 0 }),
      cotta({ batch: 100, views: 2, shiftPixels: 0 }),
      rmt({ batch: 100, shiftPixels: 0 }),
      tent({ batch: 100 }),
    ].map((own) => [own.spec.name, online(own)] as const);
    for (const [name, accuracy] of found) expect(accuracy, name).toBeGreaterThan(none + 0.2);
    expect(online(rotta({ batch: 100, follow: 0.5, shiftPixels: 0 }))).toBeGreaterThan(none);
  });

  test("dynamic evaluation learns what a text repeats at test time", () => {
    const text = fromText("abcdefgh".repeat(30) + "hgfedcba".repeat(60), { length: 16 });
    const study = sequence(text, 1).learn(gpt({ width: 16, depth: 1, heads: 2, tokens: text.classes.length }));
    const scores = (own: readonly Strategy[]): number => {
      const { events } = run({
        ...study.spec,
        strategies: own,
        optimizer: adam({ lr: 0.01 }),
        training: training({ batch: 4, epochs: 3 }),
        evaluation: evaluation({ atStart: false }),
      });
      return events.flatMap((event) => (event.type === "evaluated" ? [event.loss] : [])).at(-1)!;
    };
    expect(scores([dynamicEvaluation({ lr: 1e-3 })])).toBeLessThan(scores([]));
  });

  test("an error memory follows concepts that change faster than a slow network does", () => {
    const drifting = sea({ concepts: [0, 2, 1], examples: 300 });
    const scores = (own: readonly Strategy[]): number => {
      const { events } = run(spec(drifting, own, { model: mlp({ hidden: [16] }), optimizer: sgd({ lr: 0.01 }) }));
      return events.flatMap((event) => (event.type === "evaluated" ? [event.accuracy] : [])).at(-1)!;
    };
    expect(scores([errorMemory({ slots: 100 })])).toBeGreaterThanOrEqual(scores([]));
  });
});
