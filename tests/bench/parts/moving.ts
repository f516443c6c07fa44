/** More studies of what moves weights, by row: schedules, populations, random directions, and learning without backpropagation. */
import {
  adam,
  classes,
  cosineRestarts,
  digits,
  type Study as Experiment,
  experience,
  forwardForward,
  from,
  implicitFtrl,
  instantUpdate,
  labelPermuted,
  mlp,
  net,
  network,
  populationBased,
  random,
  rotated,
  type Schedule,
  seededSpsa,
  sgd,
  ska,
  upgd,
  wsd,
  wsdS,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const quiet = { quiet: true, record: false } as const;
const seedsTo = (n: number): number[] => Array.from({ length: n }, (_, seed) => seed);

/** Losses of all steps, seed by seed; empty where a run did not reach its end. */
async function losses(study: unknown, seeds: number): Promise<number[][]> {
  try {
    const { logs } = await (study as Experiment).run({ seeds, ...quiet });
    return logs.map(({ events }) => events.flatMap((event) => (event.type === "step" ? [event.loss] : [])));
  } catch {
    return [];
  }
}

/** P172: the mean loss of what has not been learnt yet, over one pass, is the regret up to what is the same for all. */
async function regret(): Promise<Study> {
  const seeds = 5;
  const rates = [0.03, 0.1, 0.3, 1, 3, 10];
  const base = classes(digits())
    .learn(net().flatten())
    .train({ batch: 1, epochs: 1 })
    .evaluate({ every: "end", atStart: false, share: 0 });
  const found: Record<string, number[][]> = {};
  for (const variant of ["linear", "aprox"] as const) {
    const all: number[][] = [];
    for (const lr of rates) {
      const own = await losses(base.with(implicitFtrl({ lr, variant })), seeds);
      all.push(own.length === 0 ? new Array<number>(seeds).fill(Number.POSITIVE_INFINITY) : own.map(mean));
    }
    found[variant] = all;
  }
  const best = (all: number[][]): number[] => all.reduce((a, b) => (mean(b) < mean(a) ? b : a));
  const over = (all: number[][]): number[] =>
    seedsTo(seeds).map((seed) => mean(all.map((own) => Math.min(own[seed]!, 20))));
  const [linear, aprox] = [found.linear!, found.aprox!];
  return {
    headline:
      "Implicit updates have a lower regret than linearised ones: at the best rate, and over rates most of which are too large",
    outcome: allOf(outcomeOf(apart(best(linear), best(aprox))), outcomeOf(apart(over(linear), over(aprox)))),
    figures: {
      "online loss at the best rate, linearised": band(best(linear)),
      "online loss at the best rate, implicit": band(best(aprox)),
      "online loss over rates from 0.03 to 10, linearised": band(over(linear)),
      "online loss over rates from 0.03 to 10, implicit": band(over(aprox)),
    },
    seeds,
  };
}

/** P394: a population whose worst go on from its best, against as many fixed draws for as many steps. */
async function population(): Promise<Study> {
  const seeds = 6;
  const study = classes(digits())
    .learn(mlp({ hidden: [64] }))
    .train({ batch: 32, steps: 160 })
    .evaluate({ everySteps: 40, atStart: false });
  const rates = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1];
  const places = [40, 80, 120].map((step) => experience(0).step(step));
  const [changing, fixed]: [number[], number[]] = [[], []];
  for (const seed of seedsTo(seeds)) {
    const found = await populationBased({ lr: rates }, ({ lr }) => study.with(adam({ lr })), {
      at: places,
      size: 6,
      seed,
    });
    changing.push(found.members[0]!.score);
    const rng = random(seed).at("fixed");
    const each: number[] = [];
    for (let i = 0; i < 6; i++) {
      const lr = rates[rng.int(rates.length)]!;
      const run = await study.with(adam({ lr })).run({ seeds: [seed], ...quiet } as never);
      each.push(run.logs[0]!.events.flatMap((event) => (event.type === "evaluated" ? [event.accuracy] : [])).at(-1)!);
    }
    fixed.push(Math.max(...each));
  }
  return {
    headline:
      "A population whose worst runs go on from its best reaches more than the best of as many fixed settings in as many steps",
    outcome: outcomeOf(apart(changing, fixed)),
    figures: { "accuracy, population": band(changing), "accuracy, best fixed settings": band(fixed) },
    seeds,
  };
}

/** P419: three checkpoints of one run. */
async function checkpoints(): Promise<Study> {
  const seeds = 5;
  const [each, decay] = [120, 24];
  const few = classes(digits())
    .learn(mlp({ hidden: [64, 64] }))
    .evaluate({ everySteps: each, atStart: false });
  const at = async (schedule: Schedule, steps: number, lr: number): Promise<number[][]> => {
    const run = await (few.train({ batch: 16, steps }).with(adam({ lr }), schedule) as unknown as Experiment).run({
      seeds,
      ...quiet,
    });
    return run.logs.map(({ events }) => events.flatMap((event) => (event.type === "evaluated" ? [event.loss] : [])));
  };
  /** The mean over the checkpoints of the best rate. */
  const best = async (make: (lr: number) => Promise<number[][]>): Promise<number[]> => {
    let found: number[] = [];
    for (const lr of [0.001, 0.003, 0.01]) {
      const now = (await make(lr)).map(mean);
      if (found.length === 0 || mean(now) < mean(found)) found = now;
    }
    return found;
  };
  const own = await best((lr) => at(wsdS({ warmup: 10, every: each, decay: decay / each, floor: 0.1 }), 3 * each, lr));
  const cyclic = await best((lr) => at(cosineRestarts({ steps: each, growth: 1, floor: 0.1 }), 3 * each, lr));
  // what fell is thrown away: the plateau goes on from before, so that a later checkpoint has seen so many steps less
  const plain = await best(async (lr) => {
    const parts = await Promise.all(
      [1, 2, 3].map(async (k) => {
        const steps = k * each - (k - 1) * decay;
        return (await at(wsd({ warmup: 10, decay: decay / steps, floor: 0.1, shape: "inverse" }), steps, lr)).map(
          (own) => own.at(-1)!,
        );
      }),
    );
    return seedsTo(seeds).map((seed) => parts.map((part) => part[seed]!));
  });
  return {
    headline:
      "Going on from what a falling rate has left gives better checkpoints of one run than going back to the plateau, and than cosine cycles",
    outcome: allOf(outcomeOf(apart(plain, own)), outcomeOf(apart(cyclic, own))),
    figures: {
      "test loss over three checkpoints, WSD-S": band(own),
      "test loss over three checkpoints, WSD": band(plain),
      "test loss over three checkpoints, cosine cycles": band(cyclic),
    },
    seeds,
  };
}

/** P447: fine-tuning by random directions whose slopes are sent in one byte. */
async function oneByte(): Promise<Study> {
  const seeds = 4;
  const big = await (
    await classes(digits())
      .learn(mlp({ hidden: [32] }))
      .train({ epochs: 4, batch: 32 })
      .with(adam({ lr: 0.003 }))
      .run(quiet)
  ).network();
  const turned = (
    rotated(digits(), [30]) as never as {
      learn(model: unknown): { train(o: object): { with(...p: unknown[]): { by?: unknown } } };
    }
  )
    .learn(from(big))
    .train({ batch: 64, steps: 400 });
  const at = async (bytes: 1 | 4): Promise<number[]> =>
    accuracies(turned.with(seededSpsa({ lr: 0.02, c: 0.01, directions: 8, bytes, range: 8 })) as never, seeds);
  const before = await accuracies(turned.with(sgd({ lr: 1e-9 })) as never, seeds);
  const [one, four] = [await at(1), await at(4)];
  big.dispose();
  return {
    headline:
      "One byte for each slope is enough to fine-tune by random directions: not 0.01 worse than all its bits, and better than before",
    outcome: allOf(outcomeOf(apart(one, four), -0.01), outcomeOf(apart(one, before))),
    figures: { "accuracy, one byte": band(one), "accuracy, all bits": band(four), "accuracy, not tuned": band(before) },
    seeds,
  };
}

/** P260: names of classes that are exchanged again and again. */
async function shifts(): Promise<Study> {
  const [seeds, tasks] = [3, 50];
  const base = labelPermuted(digits(), tasks)
    .learn(mlp({ hidden: [64] }))
    .train({ batch: 16, epochs: 1 })
    .evaluate({ every: "end", atStart: false, share: 0 });
  const curve = async (study: unknown): Promise<{ early: number[]; late: number[] }> => {
    const { logs } = await (study as Experiment).run({ seeds, ...quiet });
    const part = (from: number, to: number): number[] =>
      logs.map(({ events }) =>
        mean(
          events.flatMap((e) =>
            e.type === "step" && e.experience >= from && e.experience < to ? [e.accuracy ?? 0] : [],
          ),
        ),
      );
    return { early: part(0, 10), late: part(tasks - 10, tasks) };
  };
  const better = (a: { late: number[] }, b: { late: number[] } | undefined): boolean =>
    b === undefined || mean(a.late) > mean(b.late);
  let [own, plain]: [Awaited<ReturnType<typeof curve>> | undefined, Awaited<ReturnType<typeof curve>> | undefined] = [
    undefined,
    undefined,
  ];
  for (const lr of [0.03, 0.1, 0.3]) {
    const [a, b] = [
      await curve(base.by(upgd({ deviation: 0.01 })).with(sgd({ lr }))),
      await curve(base.with(sgd({ lr }))),
    ];
    if (better(a, own)) own = a;
    if (better(b, plain)) plain = b;
  }
  return {
    headline: "Over many shifts of labels utility-gated descent goes on improving where plain descent does not",
    outcome: allOf(outcomeOf(apart(own!.late, own!.early)), outcomeOf(apart(own!.late, plain!.late))),
    figures: {
      "online accuracy of the first 10 tasks, utility-gated": band(own!.early),
      "online accuracy of the last 10 tasks, utility-gated": band(own!.late),
      "online accuracy of the first 10 tasks, descent": band(plain!.early),
      "online accuracy of the last 10 tasks, descent": band(plain!.late),
    },
    seeds,
  };
}

/** P149: layers that learn by themselves, together and alone. */
async function together(): Promise<Study> {
  const seeds = 5;
  const base = classes(digits())
    .learn(mlp({ hidden: [64, 64, 64] }))
    .train({ batch: 32, epochs: 10 })
    .evaluate({ every: "end", atStart: false });
  const best = async (collaborate: boolean): Promise<number[]> => {
    let found: number[] = [];
    for (const lr of [0.001, 0.003, 0.01]) {
      const now = await accuracies(base.by(forwardForward({ collaborate })).with(adam({ lr })) as never, seeds);
      if (found.length === 0 || mean(now) > mean(found)) found = now;
    }
    return found;
  };
  const [own, alone] = [await best(true), await best(false)];
  return {
    headline: "Layers that count what the others have are more accurate than layers that learn alone",
    outcome: outcomeOf(apart(own, alone)),
    figures: { "accuracy, layers together": band(own), "accuracy, layers alone": band(alone) },
    seeds,
  };
}

/** P087: errors through updated weights against errors through those of the prediction. */
async function instant(): Promise<Study> {
  const seeds = 6;
  const base = classes(digits())
    .learn(mlp({ hidden: [64, 64] }))
    .train({ batch: 16, steps: 150 })
    .evaluate({ every: "end", atStart: false });
  const best = async (own: boolean): Promise<{ loss: number[]; accuracy: number[] }> => {
    let found = { loss: [] as number[], accuracy: [] as number[] };
    for (const lr of [0.03, 0.1, 0.3, 1]) {
      const study = (own ? base.by(instantUpdate()) : base).with(sgd({ lr }));
      const all = await losses(study, seeds);
      if (all.length === 0) continue;
      const loss = all.map((each) => mean(each.slice(-20)));
      if (found.loss.length === 0 || mean(loss) < mean(found.loss))
        found = { loss, accuracy: await accuracies(study as never, seeds) };
    }
    return found;
  };
  const [own, plain] = [await best(true), await best(false)];
  return {
    headline: "Errors that go back through weights already updated learn faster and to a higher accuracy",
    outcome: allOf(outcomeOf(apart(plain.loss, own.loss)), outcomeOf(apart(own.accuracy, plain.accuracy))),
    figures: {
      "training loss, instant updates": band(own.loss),
      "training loss, backpropagation": band(plain.loss),
      "accuracy, instant updates": band(own.accuracy),
      "accuracy, backpropagation": band(plain.accuracy),
    },
    seeds,
  };
}

/** P115: entropies of layers over forward passes. */
async function entropies(): Promise<Study> {
  const seeds = 5;
  const model = net().flatten().dense(64).sigmoid().dense(32).sigmoid().dense(16).sigmoid();
  const { train } = classes(digits()).split(1).experience(0);
  const { learn } = ska({ rounds: 50, lr: 0.01 }).hooks as unknown as {
    learn(state: object, experience: object, context: object): { readonly entropies: number[][] };
  };
  const structure = network(model, train.shape);
  const found = seedsTo(seeds).map((seed) => {
    const weights = structure.init(random(seed), 10);
    return learn({}, { train }, { network: structure, weights, statistics: {} }).entropies;
  });
  const total = (row: readonly number[]): number => row.reduce((sum, value) => sum + value, 0);
  const falls = found.map((all) => total(all[0]!) - Math.min(...all.map(total)));
  const layers = found.map((all) =>
    Math.min(...all[0]!.map((_, l) => all[0]![l]! - Math.min(...all.map((row) => row[l]!)))),
  );
  return {
    headline: "The entropy of the network falls in forward passes alone, and that of each of its layers",
    outcome: allOf(outcomeOf(falls), outcomeOf(layers)),
    figures: { "fall of the entropy of all layers (bits)": band(falls), "least fall of a layer (bits)": band(layers) },
    seeds,
  };
}

export const movingStudies: Readonly<Record<string, () => Promise<Study>>> = {
  P087: instant,
  P115: entropies,
  P149: together,
  P172: regret,
  P260: shifts,
  P394: population,
  P419: checkpoints,
  P447: oneByte,
};
