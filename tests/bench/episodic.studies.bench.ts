/**
 * Studies of rows of the systems catalogue that keep what a sequence has shown, or hand it on: `npx tsx tests/bench/episodic.studies.bench.ts`, or some of
 * them alone, by their rows.
 */
import { table } from "../../lib/data/dataset.ts";
import {
  adam,
  type Dataset,
  domains,
  from,
  gpt,
  makeDataset,
  promptChain,
  type Rng,
  random,
  type Strategy,
  sequence,
  type TrainedNetwork,
  tempLora,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 3;
const own = (seed: number) => ({ seeds: [seed], quiet: true, record: false }) as const;

/** Sequences and the token that is asked for at each place, −1 for none, as a data set. */
function told(
  name: string,
  tokens: number,
  count: number,
  testCount: number,
  draw: (rng: Rng) => { readonly x: number[]; readonly next: number[] },
): Dataset<"sequence"> {
  const part = (many: number, of: string) => {
    const rows = Array.from({ length: many }, (_, i) => draw(random(0).at(name, of, i)));
    const places = rows[0]!.x.length;
    return table(Float32Array.from(rows.flatMap(({ x }) => x)), new Int32Array(many).fill(-1), [places], 1, {
      width: places,
      read(at, out, offset = 0) {
        for (let i = 0; i < at.length; i++) out.set(rows[at[i]!]!.next, offset + i * places);
      },
    });
  };
  return makeDataset({
    name,
    kind: "sequence",
    target: "tokens",
    classes: Array.from({ length: tokens }, (_, i) => `${i}`),
    train: part(count, "train"),
    test: part(testCount, "test"),
    source: "made by the study",
  });
}

/** P001: each sequence goes round a circle of its own, which is longer than what a pass sees; only what was kept of the first round tells what comes next. */
async function rounds(): Promise<Study> {
  const [symbols, circle, length] = [12, 8, 32];
  const data = told("circles", symbols, 600, 100, (rng) => {
    const order = [...rng.at("order").permutation(symbols)].slice(0, circle);
    const all = Array.from({ length: length + 1 }, (_, i) => order[i % circle]!);
    // what the first round alone could tell is not asked for
    return { x: all.slice(0, -1), next: all.slice(1).map((token, i) => (i < circle ? -1 : token)) };
  });
  const base = sequence(data, 1)
    .learn(gpt({ tokens: symbols, width: 32, depth: 1, heads: 2, positions: "rotary" }))
    .with(adam({ lr: 5e-3 }))
    .train({ batch: 20, epochs: 20 })
    .evaluate({ atStart: false, share: 0 });
  const view = { chunk: 4, context: 1, rank: 8 };
  const ways: Record<string, Strategy> = {
    "slow and fast": tempLora(view),
    "slow alone": tempLora({ ...view, steps: 0 }),
  };
  const found: Record<string, number[]> = {};
  for (const [name, way] of Object.entries(ways)) {
    found[name] = await accuracies(base.by(way as never) as never, seeds);
    console.log(name, found[name]);
  }
  const by = apart(found["slow and fast"]!, found["slow alone"]!);
  return {
    headline:
      "Weights that learn within a sequence keep what the view of a pass has lost; here of tokens, not of video",
    outcome: outcomeOf(by),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

const digits = 6;
const count = 4;
const [mark, tokens] = [digits, digits + 4];
type Turn = (given: readonly number[]) => number[];
/** What a token at the beginning asks for. */
const turns: readonly Turn[] = [
  (given) => [...given].reverse(),
  (given) => given.map((v) => (v + 1) % digits),
  (given) => [...given],
];
const drawn = (rng: Rng): number[] => Array.from({ length: count }, () => rng.int(digits));
/** Nothing asked for while something is read, then each token of an answer. */
const asked = (read: number, answer: readonly number[]): number[] => [...new Array<number>(read).fill(-1), ...answer];

/**
 * P098: a network that turns digits round or counts on as the first token says; prompts in place of that token, for both one after
 * the other. A model of its own is told the first answer, or the input before it as well, which was added after a look.
 */
async function handedOn(): Promise<Study> {
  const both = told("turns", tokens, 2000, 100, (rng) => {
    const [kind, given] = [rng.int(turns.length), drawn(rng)];
    const answer = turns[kind]!(given);
    return { x: [mark + 1 + kind, ...given, mark, ...answer.slice(0, -1)], next: asked(count + 1, answer) };
  });
  /** The input, a mark and the first answer, a mark and the second. */
  const chain = (stage: 0 | 1): Dataset<"sequence"> =>
    told(`chain ${stage}`, tokens, 600, 200, (rng) => {
      const given = drawn(rng);
      const first = turns[0]!(given);
      const second = turns[1]!(first);
      const x = [...given, mark, ...first.slice(0, -1), mark, ...second.slice(0, -1)];
      const next =
        stage === 0 ? [...asked(count, first), ...new Array<number>(count).fill(-1)] : asked(2 * count, second);
      return { x, next };
    });
  const second = told("second alone", tokens, 600, 200, (rng) => {
    const first = turns[0]!(drawn(rng));
    const answer = turns[1]!(first);
    return { x: [...first, mark, ...answer.slice(0, -1)], next: asked(count, answer) };
  });
  const found: Record<string, number[]> = {};
  const learn = (stream: ReturnType<typeof sequence<"sequence">>, big: TrainedNetwork, by: Strategy) =>
    stream
      .learn(from(big, { head: "keep" }).freeze("head") as never)
      .by(by as never)
      .with(adam({ lr: 3e-2 }))
      .train({ batch: 30, epochs: 20 })
      .evaluate({ atStart: false, share: 0 });
  for (let seed = 0; seed < seeds; seed++) {
    const trained = await sequence(both, 1)
      .learn(gpt({ tokens, width: 48, depth: 2, heads: 4, positions: "rotary" }))
      .with(adam({ lr: 3e-3 }))
      .train({ batch: 30, epochs: 15 })
      .evaluate({ atStart: false, share: 0 })
      .run(own(seed) as never);
    const big = await trained.network();
    const note = (name: string, value: number): void => {
      found[name] = [...(found[name] ?? []), value];
    };
    const last = (run: { matrix(of: never): { readonly values: readonly (readonly number[])[] } }): number =>
      run.matrix({ seed } as never).values.at(-1)![0]!;
    note("the network, told by a token", last(trained as never));
    const length = 6;
    const segments = [count, count, count];
    const chained = await learn(domains([chain(0), chain(1)]), big, promptChain({ length, segments })).run(
      own(seed) as never,
    );
    const [first, next] = chained.matrix({ seed } as never).values.at(-1)! as [number, number];
    note("first stage", first);
    note("second stage, on the first one's states", next);
    const alone = await learn(sequence(second, 1), big, promptChain({ length })).run(own(seed) as never);
    note("second stage, as a model of its own that reads the first answer", last(alone as never));
    const again = await learn(sequence(chain(1), 1), big, promptChain({ length })).run(own(seed) as never);
    note("second stage, as a model of its own that reads input and first answer", last(again as never));
    console.log(seed, found);
  }
  const by = (other: string): number[] => apart(found["second stage, on the first one's states"]!, found[other]!);
  return {
    headline:
      "A stage that reads the states of the one before does as well as a model of its own that reads the words, here within 0.03",
    outcome: allOf(
      outcomeOf(by("second stage, as a model of its own that reads input and first answer"), -0.03),
      outcomeOf(by("second stage, as a model of its own that reads the first answer"), -0.03),
    ),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ P001: rounds, P098: handedOn }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
