/** What studies of networks made smaller share: digits at once, networks that learn them, and how often these are right. */
import { adam, classes, digits, net, type Strategy, type TrainedNetwork } from "../../../lib/index.ts";

export const quiet = { quiet: true, record: false } as const;
export const stream = classes(digits()).split(1);
export const { train } = stream.experience(0);
export const test = stream.test(0).examples;

/** What a network of `learnt` may differ in. */
export interface Given {
  readonly from?: unknown;
  readonly by?: readonly Strategy[];
  readonly epochs?: number;
  readonly lr?: number;
}

/** A network that has learnt the digits; by default two dense layers. */
export async function learnt(
  seed: number,
  { from: begun = net().flatten().dense(64).relu().dense(64).relu(), by = [], epochs = 10, lr = 0.003 }: Given = {},
): Promise<TrainedNetwork> {
  const plain = stream
    .learn(begun as ReturnType<typeof net>)
    .with(adam({ lr }))
    .train({ epochs, batch: 32 });
  const own = by.reduce<typeof plain>((now, strategy) => now.by(strategy as never) as never, plain as never);
  return (await own.run({ ...quiet, seeds: [seed] })).network({ seed });
}

/** One value for each of some seeds, one after the other. */
export async function each<X>(seeds: number, make: (seed: number) => Promise<X>): Promise<X[]> {
  const found: X[] = [];
  for (let seed = 0; seed < seeds; seed++) found.push(await make(seed));
  return found;
}

/** The share of test digits, or of other examples, that a network knows. */
export function accuracy(own: TrainedNetwork, of = test): number {
  return own.classify(of).filter((answer, i) => answer.class === String(of.labels[i])).length / of.length;
}
