/**
 * More studies of rows of the systems catalogue that need many machines: `npm run bench -- machines.studies`, or some of them alone:
 * `npx tsx tests/bench/machines.studies.bench.ts P134`. A few minutes for all; the times in them are simulated.
 */
import { adam, blobs, classes, clients, digits, from, mlp, net, random, sgd, simulate } from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = [0, 1, 2, 3, 4];
const all = classes(digits());
const each = async (of: (seed: number) => Promise<number>): Promise<number[]> => {
  const found: number[] = [];
  for (const seed of seeds) found.push(await of(seed));
  return found;
};

/** P134: peers of whom some lie, and peers with few classes each. */
async function bristle(): Promise<Study> {
  const crowd = simulate.clients();
  const base = await (
    await all
      .slice(0, 1)
      .limit(150)
      .learn(mlp({ hidden: [64] }))
      .with(adam({ lr: 3e-3 }))
      .train({ epochs: 5, batch: 32 })
      .run({ quiet: true, record: false })
  ).network();
  const learning = (concentration: number) =>
    clients(digits(), { clients: 10, concentration })
      .learn(from(base, { head: "new" }))
      .with(sgd({ lr: 0.3 }))
      .train({ batch: 16, epochs: 2 });
  const run = (concentration: number, options: Parameters<typeof simulate.bristle>[0]) =>
    each(
      async (seed) =>
        (await crowd.train(learning(concentration), simulate.bristle({ rounds: 8, ...options }), { seed })).accuracy,
    );
  const lying = { byzantine: 0.4, attack: "noise" } as const;
  const [own, mean] = [await run(5, lying), await run(5, { ...lying, by: "average" })];
  const [few, fewMean] = [await run(0.2, {}), await run(0.2, { by: "average" })];
  base.dispose();
  return {
    headline:
      "It keeps its accuracy among peers who lie, and with few classes each it is more accurate than the plain mean",
    outcome: allOf(outcomeOf(apart(own, mean)), outcomeOf(apart(few, fewMean))),
    figures: {
      "accuracy among 40 % liars, Bristle": band(own),
      "accuracy among 40 % liars, plain mean": band(mean),
      "accuracy with few classes each, Bristle": band(few),
      "accuracy with few classes each, plain mean": band(fewMean),
    },
    seeds: seeds.length,
  };
}

/** P090: two networks of unequal cost on the same clients, some of them slow. */
async function fedAst(): Promise<Study> {
  const stream = clients(digits(), { clients: 10, concentration: 1 });
  const learning = (hidden: number) =>
    stream
      .learn(mlp({ hidden: [hidden] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 16 });
  const both = [learning(16), learning(64)];
  const goal = 0.85;
  const time = (by: "buffers" | "rounds", updates: number) =>
    each(async (seed) => {
      const runs = await simulate.fedAst(
        both,
        { slower: (client) => 1 + 4 * Number(client < 3), perExample: 0.01 },
        { by, updates, buffer: 5, cost: [1, 3], seed, evaluateEvery: 1 },
      );
      return Math.max(...runs.map((run) => run.secondsTo(goal) ?? 2 * run.seconds));
    });
  const [own, rounds] = [await time("buffers", 60), await time("rounds", 40)];
  return {
    headline: "All networks reach their accuracy sooner than in rounds that wait",
    outcome: outcomeOf(apart(rounds, own)),
    figures: {
      "simulated seconds until both have 85 %, FedAST": band(own),
      "simulated seconds until both have 85 %, rounds": band(rounds),
      "saved, as a share": band(rounds.map((x, i) => 1 - own[i]! / x)),
    },
    seeds: seeds.length,
  };
}

/** P347: clients with inputs of their own form, one of them with few examples. */
async function fleeg(): Promise<Study> {
  const data = (dimensions: number, perClass: number, seed: number) =>
    blobs({ classes: 6, dimensions, perClass, spread: 0.5, seed });
  const learning = (dimensions: number, perClass: number, seed: number) =>
    classes(data(dimensions, perClass, seed))
      .learn(net().dense(16).relu().dense(16).relu().dense(16).relu())
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 16, epochs: 2 });
  const gains: number[] = [];
  const small: Record<"shared" | "alone", number[]> = { shared: [], alone: [] };
  for (const seed of seeds) {
    const own = learning(6, 6, seed);
    const together = await simulate.fleeg(
      [own, learning(10, 150, seed), learning(14, 150, seed)],
      {},
      { rounds: 15, seed },
    );
    const alone = await simulate.fleeg([own], {}, { rounds: 15, seed });
    small.shared.push(together[0]!.accuracy);
    small.alone.push(alone[0]!.accuracy);
    gains.push(together[0]!.accuracy - alone[0]!.accuracy);
  }
  return {
    headline: "Sharing a middle lifts the accuracy of the client with the fewest examples",
    outcome: outcomeOf(gains),
    figures: {
      "accuracy of the smallest client, shared": band(small.shared),
      "accuracy of the smallest client, alone": band(small.alone),
      "gain, seed by seed": band(gains),
    },
    seeds: seeds.length,
  };
}

/** P202 and P447: low rank and one byte against plain data parallelism, in bytes and accuracy. */
async function lte(): Promise<Study> {
  const cluster = simulate.cluster({ workers: 4 });
  const learning = all
    .learn(mlp({ hidden: [48] }))
    .with(sgd({ lr: 0.3 }))
    .train({ batch: 64, epochs: 10 });
  const found: Record<string, { accuracy: number[]; bytes: number[] }> = {};
  for (const [name, program] of Object.entries({
    plain: simulate.allReduce(),
    local: simulate.localSgd({ every: 10 }),
    lte: simulate.lte({ rank: 8, every: 10 }),
  })) {
    const own = { accuracy: [] as number[], bytes: [] as number[] };
    for (const seed of seeds) {
      const run = await cluster.train(learning, program, { seed });
      own.accuracy.push(run.accuracy);
      own.bytes.push(run.bytes);
    }
    found[name] = own;
  }
  const [plain, own] = [found.plain!, found.lte!];
  return {
    headline:
      "Changes of low rank, merged now and then, come to a network as good as plain training's, for fewer bytes",
    outcome: allOf(outcomeOf(apart(own.accuracy, plain.accuracy), -0.03), outcomeOf(apart(plain.bytes, own.bytes))),
    figures: Object.fromEntries(
      Object.entries(found).flatMap(([name, { accuracy, bytes }]) => [
        [`accuracy, ${name}`, band(accuracy)],
        [`bytes of plain over those of ${name}`, band(bytes.map((x, i) => plain.bytes[i]! / x))],
      ]),
    ),
    seeds: seeds.length,
  };
}

async function oneByte(): Promise<Study> {
  const base = await (
    await all
      .learn(mlp({ hidden: [16] }))
      .with(adam({ lr: 3e-3 }))
      .train({ epochs: 1, batch: 32 })
      .run({ quiet: true, record: false })
  ).network();
  const cluster = simulate.cluster({ workers: 4 });
  const tuning = all
    .learn(from(base, { head: "keep" }))
    .with(sgd({ lr: 2e-3 }))
    .train({ batch: 128, epochs: 20 });
  const tune = (bytes: 1 | 4) =>
    each(
      async (seed) => (await cluster.train(tuning, simulate.seededSpsa({ bytes, epsilon: 1e-2 }), { seed })).accuracy,
    );
  const before = await each(
    async (seed) =>
      (
        await cluster.train(tuning.with(sgd({ lr: 1e-12 })).train({ epochs: 1, batch: 1437 }), simulate.allReduce(), {
          seed,
        })
      ).accuracy,
  );
  const [one, four] = [await tune(1), await tune(4)];
  base.dispose();
  return {
    headline: "One byte for each slope tunes a network as well as four, and better than it was",
    outcome: allOf(outcomeOf(apart(one, four), -0.02), outcomeOf(apart(one, before))),
    figures: {
      "accuracy before": band(before),
      "accuracy, one byte": band(one),
      "accuracy, four bytes": band(four),
    },
    seeds: seeds.length,
  };
}

/** P224: actors side by side against one, by the simulated time to a short way. */
async function actors(): Promise<Study> {
  const world = simulate.gridWorld(5);
  const measured = async (workers: number): Promise<{ seconds: number[]; late: number[] }> => {
    const own = { seconds: [] as number[], late: [] as number[] };
    for (const seed of seeds) {
      const run = await simulate.actorCritic(world, { workers, steps: 20_000, seed });
      const steps = run.episodes.map((episode) => episode.steps);
      const at = steps.findIndex((_, i) => i >= 19 && steps.slice(i - 19, i + 1).reduce((a, b) => a + b, 0) / 20 < 12);
      own.seconds.push(at < 0 ? 2 * run.seconds : run.episodes[at]!.seconds);
      const last = steps.slice(-50);
      own.late.push(Math.sqrt(last.reduce((sum, x) => sum + (x - 8) ** 2, 0) / last.length));
    }
    return own;
  };
  const [one, many] = [await measured(1), await measured(16)];
  return {
    headline: "Actors side by side learn in less time, and steadily",
    outcome: allOf(outcomeOf(apart(one.seconds, many.seconds)), outcomeOf(apart(one.late, many.late), -1)),
    figures: {
      "simulated seconds to ways of 12 steps, one actor": band(one.seconds),
      "simulated seconds to ways of 12 steps, 16 actors": band(many.seconds),
      "deviation of late ways from the shortest, one actor": band(one.late),
      "deviation of late ways from the shortest, 16 actors": band(many.late),
    },
    seeds: seeds.length,
  };
}

/** P060: dialogues and short questions behind shared instructions, in little room. */
async function marconi(): Promise<Study> {
  const trace = (seed: number) => {
    const rng = random(seed).at("trace");
    const said = Array.from({ length: 40 }, (_, d) => [
      ...Array.from({ length: 80 }, (_, t) => 1000 * ((d % 4) + 1) + t),
      ...Array.from({ length: 5 + rng.at("first", d).int(d % 2 === 0 ? 200 : 10) }, (_, t) => 10_000 + 500 * d + t),
    ]);
    const made: simulate.PromptRequest[] = [];
    for (let turn = 0; turn < 400; turn++) {
      const d = Math.min(rng.at("who", turn, 0).int(40), rng.at("who", turn, 1).int(40));
      const own = said[d]!;
      const output = Array.from({ length: 20 }, (_, t) => 1_000_000 + 100 * turn + t);
      made.push({ input: [...own], output });
      own.push(...output, ...Array.from({ length: 10 }, (_, t) => 2_000_000 + 100 * turn + t));
    }
    return made;
  };
  const of = (options: Partial<simulate.PrefixCacheOptions>): number[] =>
    seeds.map((seed) => simulate.prefixCache(trace(seed), { capacity: 12_000, stateBytes: 300, ...options }).tokenHits);
  const [own, lru, blocks] = [of({}), of({ alpha: 0 }), of({ admit: "blocks", block: 32, alpha: 0 })];
  return {
    headline:
      "States at branches, kept by what they save, serve more tokens than a state for every block, and than those used last",
    outcome: allOf(outcomeOf(apart(own, blocks)), outcomeOf(apart(own, lru))),
    figures: {
      "tokens not read, Marconi": band(own),
      "tokens not read, states at branches, least recently used goes": band(lru),
      "tokens not read, a state for every 32 tokens": band(blocks),
    },
    seeds: seeds.length,
  };
}

/** P177: batches of summaries and of essays. */
async function blend(): Promise<Study> {
  const batch = (seed: number) => {
    const rng = random(seed).at("batch");
    return Array.from({ length: 80 }, (_, i): simulate.OfflineRequest => {
      const own = rng.at(i);
      const group = own.int(8);
      const tokens = (from: number, count: number): number[] => Array.from({ length: count }, (_, t) => from + t);
      return own.uniform() < 0.6
        ? {
            prompt: [...tokens(group * 1000, 60), ...tokens(100_000 + 1000 * i, 20 + own.int(60))],
            answer: 1 + own.int(4),
          }
        : { prompt: [...tokens(50_000 + group * 1000, 4), 900_000 + i], answer: 40 + own.int(80) };
    });
  };
  const of = (order: "given" | "prefix" | "blend"): number[] =>
    seeds.map((seed) => simulate.blendServe(batch(seed), { room: 1500, order, memory: 0.03, chunk: 16 }).throughput);
  const [own, prefix, given] = [of("blend"), of("prefix"), of("given")];
  return {
    headline: "Blending arithmetic and memory gives more tokens a second than keeping prefixes together alone",
    outcome: outcomeOf(apart(own, prefix)),
    figures: {
      "tokens a second, blended over by prefix": band(own.map((x, i) => x / prefix[i]!)),
      "tokens a second, blended over as they come": band(own.map((x, i) => x / given[i]!)),
    },
    seeds: seeds.length,
  };
}

/** P121: lengths with a long tail, against the best single size of groups. */
async function flexible(): Promise<Study> {
  const gains = seeds.map((seed) => {
    const rng = random(seed).at("lengths");
    const lengths = Array.from({ length: 64 }, (_, i) =>
      Math.min(30_000, Math.round(300 / (1 - rng.at(i).uniform()) ** 0.9)),
    );
    const of = {
      ranks: 16,
      room: 2000,
      perToken: 1e-6,
      perPair: 5e-11,
      exchange: (ranks: number) => (ranks <= 8 ? 5e-7 : 3e-6),
    };
    const fixed = [1, 2, 4, 8, 16].flatMap((degree) => {
      try {
        return [simulate.flexSequence(lengths, { ...of, degree }).seconds];
      } catch {
        return []; // too long for groups of this size
      }
    });
    return Math.min(...fixed) / simulate.flexSequence(lengths, of).seconds;
  });
  return {
    headline: "Groups that fit the lengths are faster than the best single size",
    outcome: outcomeOf(gains, 1),
    figures: { "seconds of the best single size over those of groups that fit": band(gains) },
    seeds: seeds.length,
  };
}

/** P189: the more ranks, the more a line that is waited for costs. */
async function patches(): Promise<Study> {
  const [rows, width] = [32, 16];
  const speeds: number[] = [];
  const errors: number[] = [];
  for (const seed of seeds) {
    const rng = random(seed);
    const drawn = (name: string, size: number, scale: number): Float32Array =>
      rng.at(name).fillNormal(new Float32Array(size), 0, scale);
    const layer = (name: string) => ({
      q: drawn(`${name}q`, 256, 0.25),
      k: drawn(`${name}k`, 256, 0.25),
      v: drawn(`${name}v`, 256, 0.25),
    });
    const image = { rows, width, x: drawn("x", rows * width, 1), layers: ["a", "b", "c"].map(layer) };
    const of = (ranks: number, warm: number) =>
      simulate.distriFusion(image, {
        ranks,
        steps: 20,
        warm,
        rate: 0.02,
        flops: 1e7,
        link: { latency: 1e-4, bandwidth: 1e8 },
      });
    const [alone, own] = [await of(1, 1), await of(8, 2)];
    speeds.push(alone.seconds / own.seconds);
    const far = Math.hypot(...own.output.map((x, i) => x - alone.output[i]!));
    errors.push(far / Math.hypot(...alone.output.map((x, i) => x - image.x[i]!)));
  }
  return {
    headline: "Eight devices are more than five times as fast as one, and the image hardly differs",
    outcome: allOf(outcomeOf(speeds, 5), outcomeOf(errors.map((x) => 0.05 - x))),
    figures: {
      "one device's seconds over eight's": band(speeds),
      "difference of the image, in lengths of what was changed in it": band(errors),
    },
    seeds: seeds.length,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const studies = {
  P060: marconi,
  P090: fedAst,
  P121: flexible,
  P134: bristle,
  P177: blend,
  P189: patches,
  P202: lte,
  P224: actors,
  P347: fleeg,
  P447: oneByte,
};
for (const [id, make] of Object.entries(studies))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
