/** The studies of mixtures of experts and of structured matrices, by row. */
import { readFileSync } from "node:fs";
import { gather } from "../../../lib/data/dataset.ts";
import { random } from "../../../lib/engine/index.ts";
import {
  accumulate,
  adam,
  classes,
  cosine,
  digits,
  type Study as Experiment,
  fromText,
  groups,
  hashTables,
  type Model,
  net,
  type Run,
  sequence,
  structuredRates,
  type TrainedNetwork,
  tf,
} from "../../../lib/index.ts";
import { type Tap, tape } from "../../../lib/models/model.ts";
import { network } from "../../../lib/models/network.ts";
import { flopsPerExample } from "../../../lib/models/parts/flops.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Prose of the project, its characters in lower case. */
const prose = ["../../../CONTRIBUTING.md", "../../../lib/engine/README.md"]
  .map((path) => readFileSync(new URL(path, import.meta.url), "utf8"))
  .join("\n")
  .toLowerCase()
  .replace(/[^a-z .,\n]/g, " ")
  .replace(/ +/g, " ");
const text = fromText(prose, { length: 32, test: 0.15, name: "prose" });
const tokens = text.classes.length;

/** Test losses at the end, seed by seed. */
async function losses(model: unknown, steps = 160, data = text, lr = 0.003): Promise<number[]> {
  const study = sequence(data, 1)
    .learn(model as never)
    .train({ batch: 16, steps })
    .with(adam({ lr }), cosine())
    .evaluate({ every: "end", atStart: false });
  const run = await (study as unknown as Experiment).run({ seeds, quiet: true, record: false });
  return lastLosses(run);
}

const lastLosses = ({ logs }: Run): number[] =>
  logs.map(({ events }) => events.flatMap((event) => (event.type === "evaluated" ? [event.loss] : [])).at(-1)!);

/** A small language model with two blocks, each with a mixture behind its attention. */
const language = (mixture: (n: ReturnType<typeof net>, block: number) => unknown, blocks = 2): Model => {
  let chain = net().tap("tokens").embedding(tokens, 32) as unknown as ReturnType<typeof net>;
  for (let block = 0; block < blocks; block++)
    chain = chain
      .transformer(2, { widen: 0.5 })
      .residual((n) => mixture(n.layerNorm() as never, block) as never) as never;
  return chain.layerNorm() as unknown as Model;
};
const parametersOf = (model: Model): number => model.summary([32]).reduce((sum, { parameters }) => sum + parameters, 0);

/** P171: experts chosen by a hash of the token against a trained router. */
async function hashes(): Promise<Study> {
  const counts = new Array<number>(tokens).fill(0);
  for (const character of prose) counts[text.classes.indexOf(character)]! += 1;
  const hash = (table: readonly number[]): Model => language((n) => n.hashMoe(8, table, { widen: 2 }));
  const [router, drawn, balanced] = [
    await losses(language((n) => n.moe(8, { topK: 1, widen: 2 }))),
    await losses(hash(hashTables.random(tokens, 8, { seed: 1 }))),
    await losses(hash(hashTables.balanced(counts, 8))),
  ];
  return {
    headline:
      "Experts chosen by a hash of the token are as good as those of a trained router, or better: not 0.02 worse",
    outcome: allOf(outcomeOf(apart(router, drawn), -0.02), outcomeOf(apart(router, balanced), -0.02)),
    figures: { "loss, router": band(router), "loss, random hash": band(drawn), "loss, balanced hash": band(balanced) },
    seeds,
  };
}

/** P056: a pyramid of experts beside a shared one against more experts in every layer. */
async function pyramid(): Promise<Study> {
  const [small, large] = [
    language((n, block) => n.residualMoe(block === 0 ? 2 : 4, { widen: 2 })),
    language((n) => n.moe(8, { topK: 1, widen: 2 })),
  ];
  const [own, plain] = [await losses(small), await losses(large)];
  return {
    headline: "A pyramid of residual experts is as good with far fewer parameters: not 0.02 worse",
    outcome: outcomeOf(apart(plain, own), -0.02),
    figures: {
      "loss, 2 and 4 residual experts": band(own),
      "loss, 8 and 8 experts": band(plain),
      "parameters, 2 and 4 residual experts": parametersOf(small),
      "parameters, 8 and 8 experts": parametersOf(large),
    },
    seeds,
  };
}

/** P144: routers that know of one another against routers that do not. */
async function recurrent(): Promise<Study> {
  const [own, plain] = [
    await losses(language((n) => n.recurrentMoe(8, { topK: 2, widen: 1, units: 16 }), 3)),
    await losses(language((n) => n.moe(8, { topK: 2, widen: 1 }), 3)),
  ];
  return {
    headline: "Routers with a state that passes through the layers have a lower loss than routers of each layer alone",
    outcome: outcomeOf(apart(plain, own)),
    figures: { "loss, recurrent routers": band(own), "loss, plain routers": band(plain) },
    seeds,
  };
}

/** P376: experts that are used alike over the micro-batches of an update against experts used alike within each, each micro-batch being of one domain. */
async function balances(): Promise<Study> {
  const code = ["../../../lib/engine/tree.ts", "../../../lib/engine/scan.ts", "../../../lib/engine/jit.ts"]
    .map((path) => readFileSync(new URL(path, import.meta.url), "utf8"))
    .join("\n")
    .toLowerCase();
  const pieces = Array.from({ length: Math.floor(Math.min(code.length, prose.length) / 32) }, (_, i) =>
    [prose, code].map((whole) => whole.slice(32 * i, 32 * (i + 1))).join(""),
  );
  const both = fromText(pieces.join(""), { length: 32, test: 0.15, name: "prose and code" });
  const model = (balanceOver: number): Model =>
    net()
      .embedding(both.classes.length, 32)
      .transformer(2, { widen: 0.5 })
      .residual((n) => n.layerNorm().moe(8, { topK: 1, widen: 2, balance: 0.1, balanceOver, capacity: 0 }))
      .layerNorm() as unknown as Model;
  const each = async (balanceOver: number): Promise<{ readonly losses: number[]; readonly apart: number[] }> => {
    const run = await (
      sequence(both, 1)
        .learn(model(balanceOver) as never)
        .train({ batch: 1, steps: 250 })
        .with(adam({ lr: 0.003 }), cosine(), accumulate({ times: 8 }))
        .evaluate({ every: "end", atStart: false }) as unknown as Experiment
    ).run({ seeds, quiet: true, record: false });
    const apart: number[] = [];
    for (let seed = 0; seed < seeds; seed++) apart.push(domainsApart(await run.network({ seed }), both));
    return { losses: lastLosses(run), apart };
  };
  const [global, micro] = [await each(8), await each(1)];
  return {
    headline:
      "Balance over the whole batch of an update has a lower loss and experts that are more of one domain than balance within each micro-batch",
    outcome: allOf(outcomeOf(apart(micro.losses, global.losses)), outcomeOf(apart(global.apart, micro.apart))),
    figures: {
      "loss, balance over the update": band(global.losses),
      "loss, balance within micro-batches": band(micro.losses),
      "half the difference of experts' shares of prose and code, over the update": band(global.apart),
      "half the difference of experts' shares of prose and code, within micro-batches": band(micro.apart),
    },
    seeds,
  };
}

/** How far apart the experts' shares are in the two domains, whose test windows take turns: from 0 to 1. */
function domainsApart({ structure, weights, statistics }: TrainedNetwork, data: typeof text): number {
  return tf.tidy(() => {
    const rows = Math.min(64, data.test.length);
    const x = tf.tensor(
      gather(
        data.test,
        Uint32Array.from({ length: rows }, (_, i) => i),
      ),
      [rows, 32],
    );
    let shares: number[][] = [];
    const look: Tap = (path, _input, output) => {
      if (path.at(-1) !== "router") return output;
      const chosen = tf.oneHot(tf.argMax(output, 1), output.shape[1]!, 1, 0, "float32");
      const means = tf.mean(tf.reshape(chosen, [rows / 2, 2, 32, output.shape[1]!]), [0, 2]);
      shares = means.arraySync() as number[][];
      return output;
    };
    structure.features(weights, x, tape(false, null, statistics ?? {}, look).mode);
    return shares[0]!.reduce((sum, share, e) => sum + Math.abs(share - shares[1]![e]!) / 2, 0);
  });
}

/** P185: wide layers of block tensor trains against dense layers of as many operations. */
async function structures(): Promise<Study> {
  const dense = net().dense(48).relu().dense(48).relu();
  const trains = net().structured(144).relu().structured(144).relu();
  const flops = [dense, trains].map((model) => {
    const whole = network(model, [64]);
    return flopsPerExample(whole, whole.init(random(0), 10));
  });
  const base = (model: Model) =>
    classes(digits())
      .learn(
        net()
          .flatten()
          .through(model as never),
      )
      .train({ batch: 64, steps: 200 });
  const best = async (model: Model, scaled: boolean): Promise<number[]> => {
    let found: number[] = [];
    for (const lr of [0.001, 0.003, 0.01]) {
      const rates = scaled
        ? structuredRates(
            net()
              .flatten()
              .through(model as never),
            [8, 8, 1],
          )
        : [];
      const by = groups(...rates.map(([on, multiple]) => [on, adam({ lr: multiple * lr })] as const), adam({ lr }));
      const run = await (base(model).with(by, cosine()) as unknown as Experiment).run({
        seeds,
        quiet: true,
        record: false,
      });
      const now = run.logs.map(({ events }) => {
        const steps = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
        return mean(steps.slice(-20));
      });
      if (found.length === 0 || mean(now) < mean(found)) found = now;
    }
    return found;
  };
  const [plain, own, flat] = [await best(dense, false), await best(trains, true), await best(trains, false)];
  return {
    headline:
      "Wide layers of block tensor trains have a lower loss than dense layers of as many operations, the head apart",
    outcome: outcomeOf(apart(plain, own)),
    figures: {
      "training loss, dense": band(plain),
      "training loss, block tensor trains": band(own),
      "training loss, block tensor trains at one rate": band(flat),
      "operations, dense": flops[0]!,
      "operations, block tensor trains": flops[1]!,
    },
    seeds,
  };
}

export const expertStudies: Readonly<Record<string, () => Promise<Study>>> = {
  P056: pyramid,
  P144: recurrent,
  P171: hashes,
  P376: balances,
  P185: structures,
};
