/**
 * P143: an extractor of features for each experience, beside methods that keep one network, with as many exemplars, all at one rate.
 *
 * Gates begin at random, half of them shut, and the few steps here move them little: about a tenth of the weights is left, and with them accuracy goes.
 */
import {
  adam,
  bic,
  classes,
  type Dataset,
  derExpand,
  digits,
  fashionMnist,
  icarl,
  mnist,
  net,
  podNet,
  type Strategy,
  wa,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;
const capacity = 100;

/** Two convolutions, on images of 8×8 or of half of 28×28. */
const small = (size: number) => {
  const begun = size > 8 ? net().pool(2).conv(8, 3) : net().conv(8, 3);
  return begun.relu().pool(2).conv(16, 3).relu().pool(2).flatten().dense(32).relu();
};

const methods: Readonly<Record<string, Strategy>> = {
  DER: derExpand({ capacity }),
  "DER, pruned": derExpand({ capacity, sparsity: 0.003 }),
  iCaRL: icarl({ capacity }) as unknown as Strategy,
  BiC: bic({ capacity }) as unknown as Strategy,
  WA: wa({ capacity }) as unknown as Strategy,
  PODNet: podNet({ capacity }) as unknown as Strategy,
};

interface Learnt {
  /** Percent of the classes met so far that are right, the mean over experiences, for each seed. */
  readonly scores: readonly number[];
  /** Percent of the weights of extractors that are left, where units are pruned. */
  readonly left: readonly number[];
}

/** Ten classes two at a time, by one method. */
async function learnt(data: Dataset, by: Strategy): Promise<Learnt> {
  const run = await classes(data, { order: "run" })
    .limit({ train: 60, test: 50, perClass: true })
    .split(5)
    .learn(small(data.train.shape[0]!) as never)
    .by(by as never)
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 16, epochs: 8 })
    .evaluate({ atStart: false, share: 0 })
    .run({ seeds, quiet: true, record: false, together: true });
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const scores = Array.from({ length: seeds }, (_, seed) => {
    const { values } = run.matrix({ seed });
    return 100 * mean(values.slice(-5).map((row, i) => mean(row.slice(0, i + 1))));
  });
  const left = run.logs.flatMap(({ events }) =>
    events.flatMap((e) => (e.type === "note" ? [Number(/keeps (.*) % of its weights/.exec(e.text)?.[1])] : [])),
  );
  return { scores, left: left.filter(Number.isFinite) };
}

export async function expandable(): Promise<Study> {
  const figures: Record<string, Study["figures"][string]> = {};
  const outcomes: Study["outcome"][] = [];
  const sets = { digits: digits(), MNIST: await mnist(), "Fashion-MNIST": await fashionMnist() };
  for (const [set, data] of Object.entries(sets)) {
    const found: Record<string, readonly number[]> = {};
    for (const [name, by] of Object.entries(methods)) {
      const { scores, left } = await learnt(data as never, by);
      found[name] = scores;
      figures[`${set}, ${name} (%)`] = band(scores);
      if (left.length > 0) figures[`${set}, ${name}: weights of extractors that are left (%)`] = band(left);
      console.log(set, name, scores.map((v) => v.toFixed(1)).join("  "), left.join(" "));
    }
    const others = Object.entries(found).filter(([name]) => !name.startsWith("DER"));
    for (const own of ["DER", "DER, pruned"])
      outcomes.push(...others.map(([, scores]) => outcomeOf(apart(found[own]!, scores))));
  }
  return {
    headline:
      "An extractor for each experience, pruned or not, beats methods of one network on three data sets, in the mean accuracy over experiences",
    outcome: allOf(...outcomes),
    figures,
    seeds,
  };
}
