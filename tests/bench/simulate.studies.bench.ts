/**
 * Studies of rows of the systems catalogue that need many machines: `npm run bench -- simulate.studies`, or some of them alone:
 * `npx tsx tests/bench/simulate.studies.bench.ts P235`. Two minutes for all; the times in them are simulated.
 */
import { adamw, classes, clients, digits, mlp, sgd, simulate } from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = [0, 1, 2, 3, 4];
const all = classes(digits());
const mlpStudy = all
  .learn(mlp({ hidden: [32] }))
  .with(sgd({ lr: 0.1 }))
  .train({ batch: 64, epochs: 6 });

/** P235: DBW against every fixed number of backup workers, by the simulated time to an accuracy. */
async function backups(): Promise<Study> {
  const cluster = simulate.cluster({ workers: 8, perExample: 0.001, delay: { kind: "exponential", mean: 0.05 } });
  const goal = 0.85;
  const times = async (wait: number | "dynamic"): Promise<number[]> => {
    const found: number[] = [];
    for (const seed of seeds) {
      const run = await cluster.train(mlpStudy, simulate.parameterServer({ wait }), { seed, evaluateEvery: 4 });
      found.push(run.secondsTo(goal) ?? 2 * run.seconds);
    }
    return found;
  };
  const fixed: Record<number, number[]> = {};
  for (const wait of [1, 2, 4, 6, 7, 8]) fixed[wait] = await times(wait);
  const own = await times("dynamic");
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const best = Object.entries(fixed).reduce((a, b) => (mean(b[1]) < mean(a[1]) ? b : a));
  return {
    headline: "Choosing at each step how many workers to wait for is faster than the best fixed number",
    outcome: outcomeOf(apart(best[1], own)),
    figures: {
      ...Object.fromEntries(
        Object.entries(fixed).map(([k, values]) => [`simulated seconds to 85 %, waiting for ${k} of 8`, band(values)]),
      ),
      "simulated seconds to 85 %, chosen at each step": band(own),
      "best fixed number over chosen": band(best[1].map((x, i) => x / own[i]!)),
    },
    seeds: seeds.length,
  };
}

/** P101: outer steps that overlap with inner ones over a slow line, in the same simulated time. */
async function eager(): Promise<Study> {
  const far = simulate.cluster({ workers: 4, perExample: 0.002, link: { latency: 0.1, bandwidth: 2e4 } });
  const base = all.learn(mlp({ hidden: [32] })).with(adamw({ lr: 0.01 }));
  const trained = async (overlap: "none" | "delayed" | "eager", epochs: number, lr: number) => {
    const outer = sgd({ lr, momentum: 0.6, nesterov: true });
    const found = { accuracy: [] as number[], seconds: [] as number[] };
    for (const seed of seeds) {
      const program = simulate.diloco({ every: 12, overlap, outer });
      const run = await far.train(base.train({ batch: 64, epochs }), program, { seed });
      found.accuracy.push(run.accuracy);
      found.seconds.push(run.seconds);
    }
    return found;
  };
  const [none, late, early] = [
    await trained("none", 12, 0.5),
    await trained("delayed", 22, 0.5),
    await trained("eager", 22, 0.5),
  ];
  const [slowLate, own] = [await trained("delayed", 22, 0.3), await trained("eager", 22, 0.3)];
  return {
    headline:
      "Over a slow line, eager updates come to as good a network as outer steps that are waited for, in the same time",
    outcome: outcomeOf(apart(own.accuracy, none.accuracy), -0.01),
    figures: {
      "accuracy, no overlap, outer rate 0.5": band(none.accuracy),
      "accuracy, eager, outer rate 0.3": band(own.accuracy),
      "accuracy, delayed, outer rate 0.3": band(slowLate.accuracy),
      "accuracy, eager, outer rate 0.5": band(early.accuracy),
      "accuracy, delayed, outer rate 0.5": band(late.accuracy),
      "simulated seconds, no overlap": band(none.seconds),
      "simulated seconds, eager": band(own.seconds),
    },
    seeds: seeds.length,
  };
}

/** P154: one share for all layers against a share for each. */
async function layers(): Promise<Study> {
  const cluster = simulate.cluster({ workers: 4 });
  const deep = all
    .learn(mlp({ hidden: [64, 32] }))
    .with(sgd({ lr: 0.3 }))
    .train({ batch: 64, epochs: 10 });
  const run = async (
    codec: ReturnType<typeof simulate.topK> | null,
  ): Promise<{ accuracy: number[]; bytes: number[] }> => {
    const found = { accuracy: [] as number[], bytes: [] as number[] };
    for (const seed of seeds) {
      const { accuracy, bytes } = await cluster.train(deep, simulate.allReduce({ codec }), { seed });
      found.accuracy.push(accuracy);
      found.bytes.push(bytes);
    }
    return found;
  };
  const level = 0.02;
  const [plain, uniform, own] = [
    await run(null),
    await run(simulate.topK({ share: level })),
    await run(simulate.lGreco({ method: "topK", level, every: 20 })),
  ];
  return {
    headline: "A strength for each layer sends fewer bytes than one for all, at the same accuracy",
    outcome: allOf(outcomeOf(apart(uniform.bytes, own.bytes)), outcomeOf(apart(own.accuracy, uniform.accuracy), -0.02)),
    figures: {
      "accuracy, uncoded": band(plain.accuracy),
      "accuracy, one share of 2 %": band(uniform.accuracy),
      "accuracy, L-GreCo": band(own.accuracy),
      "bytes of one share over L-GreCo's": band(uniform.bytes.map((x, i) => x / own.bytes[i]!)),
      "bytes uncoded over L-GreCo's": band(plain.bytes.map((x, i) => x / own.bytes[i]!)),
    },
    seeds: seeds.length,
  };
}

/** P294: federated averaging with FedZip's code. */
async function zip(): Promise<Study> {
  const crowd = simulate.clients();
  const stream = clients(digits(), { clients: 10, concentration: 1 });
  const learning = stream
    .learn(mlp({ hidden: [64] }))
    .with(sgd({ lr: 0.1 }))
    .train({ batch: 16 });
  const found: Record<string, { accuracy: number[]; bytes: number[] }> = {};
  for (const [name, codec] of [
    ["uncoded", null],
    ["FedZip", simulate.fedZip({ keep: 0.1 })],
  ] as const) {
    found[name] = { accuracy: [], bytes: [] };
    for (const seed of seeds) {
      const run = await crowd.train(learning, simulate.fedAvg({ rounds: 30, codec }), { seed });
      found[name].accuracy.push(run.accuracy);
      found[name].bytes.push(run.bytesByTag.update!);
    }
  }
  const [plain, own] = [found.uncoded!, found.FedZip!];
  return {
    headline: "Updates are coded many times smaller and the network hardly suffers",
    outcome: outcomeOf(apart(own.accuracy, plain.accuracy), -0.02),
    figures: {
      "accuracy, uncoded": band(plain.accuracy),
      "accuracy, FedZip": band(own.accuracy),
      "bytes of updates, uncoded over FedZip's": band(plain.bytes.map((x, i) => x / own.bytes[i]!)),
    },
    seeds: seeds.length,
  };
}

/** P232: slow and fast clients with examples of their own: rounds, answers as they come, and fixed intervals. */
async function fix(): Promise<Study> {
  const crowd = simulate.clients({ slower: (client) => 1 + client, perExample: 0.01 });
  const stream = clients(digits(), { clients: 10, concentration: 0.3 });
  const learning = stream
    .learn(mlp({ hidden: [64] }))
    .with(sgd({ lr: 0.1 }))
    .train({ batch: 16 });
  const goal = 0.8;
  const programs = {
    "rounds of all": simulate.fedAvg({ rounds: 30 }),
    "each answer": simulate.fedAsync({ updates: 300, weights: "frequency" }),
    FedFix: simulate.fedAsync({ every: "interval", interval: 5, updates: 90 }),
  };
  const found: Record<string, { time: number[]; swing: number[]; accuracy: number[] }> = {};
  for (const [name, program] of Object.entries(programs)) {
    const own = { time: [] as number[], swing: [] as number[], accuracy: [] as number[] };
    for (const seed of seeds) {
      const run = await crowd.train(learning, program, { seed, evaluateEvery: 1 });
      own.time.push(run.secondsTo(goal) ?? 2 * run.seconds);
      const curve = (run.curve().objects() as { accuracy: number }[]).map(({ accuracy }) => accuracy);
      const late = curve.slice(-Math.ceil(curve.length / 3));
      own.swing.push(late.slice(1).reduce((sum, x, i) => sum + Math.abs(x - late[i]!), 0) / (late.length - 1));
      own.accuracy.push(run.accuracy);
    }
    found[name] = own;
  }
  const [rounds, answers, own] = [found["rounds of all"]!, found["each answer"]!, found.FedFix!];
  return {
    headline:
      "Fixed intervals reach an accuracy sooner than rounds that wait for all, and swing less than single answers",
    outcome: allOf(outcomeOf(apart(rounds.time, own.time)), outcomeOf(apart(answers.swing, own.swing))),
    figures: Object.fromEntries(
      Object.entries(found).flatMap(([name, each]) => [
        [`simulated seconds to 80 %, ${name}`, band(each.time)],
        [`mean change of accuracy between updates, ${name}`, band(each.swing)],
        [`accuracy, ${name}`, band(each.accuracy)],
      ]),
    ),
    seeds: seeds.length,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ P101: eager, P154: layers, P232: fix, P235: backups, P294: zip }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
