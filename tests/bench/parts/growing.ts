/** What studies of networks that are made of networks share: many that learn the same, and how well they answer. */
import { adam, classes, digits, type Model, type Strategy, type TrainedNetwork, tf } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { band } from "./studies.ts";

export const seeds = 5;
export const all = classes(digits()).split(1);
/** As many examples as leave something to be known. */
export const few = all.limit({ train: 400 });
export const { examples } = all.test(0);

/** What `learnt` can be told. */
export interface Learning {
  readonly by?: readonly Strategy[];
  readonly stream?: unknown;
  readonly count?: number;
  readonly first?: number;
}

/** Networks that learn the same from different seeds, by one program. */
export async function learnt(
  model: unknown,
  steps: number,
  { by = [], stream = few, count = seeds, first = 0 }: Learning = {},
): Promise<TrainedNetwork[]> {
  const study = (stream as typeof few)
    .learn(model as Model)
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 32, steps });
  const own = by.length === 0 ? study : study.by(...(by as unknown as []));
  const list = Array.from({ length: count }, (_, i) => first + i);
  const run = await (own as typeof study).run({ seeds: list, quiet: true, record: false });
  const found: TrainedNetwork[] = [];
  for (const seed of list) found.push(await run.network({ seed }));
  return found;
}

/** Each network goes on by itself. */
export async function each(
  networks: readonly TrainedNetwork[],
  go: (network: TrainedNetwork, i: number) => Promise<TrainedNetwork[]>,
): Promise<TrainedNetwork[]> {
  const found: TrainedNetwork[] = [];
  for (const [i, network] of networks.entries()) found.push((await go(network, i))[0]!);
  return found;
}

/** The share of test examples that a network answers rightly. */
export function accuracy(network: TrainedNetwork): number {
  const logits = network.predict(examples);
  const found = tf.argMax(logits, -1).dataSync() as Int32Array;
  logits.dispose();
  return found.reduce((sum, answer, i) => sum + (answer === examples.labels[i] ? 1 : 0), 0) / examples.length;
}

export const scores = (networks: readonly TrainedNetwork[]): number[] => networks.map(accuracy);
export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Accuracies by what is said of them, as figures. */
export const bands = (found: Readonly<Record<string, readonly number[]>>): Record<string, Study["figures"][string]> =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)]));
