/** The study of networks whose first weights are searched for. */
import {
  adam,
  classes,
  digits,
  evolvedStart,
  focal,
  type Model,
  naive,
  net,
  type Strategy,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;

/** P304: a recurrent network over the rows of rare digits, with and without a search for its first weights and the focal loss. */
export async function evolvedBeginning(): Promise<Study> {
  const rare = classes(digits()).imbalance({ ratio: 20 }).split(1);
  const model = net().reshape([8, 8]).lstm(16).last() as unknown as Model;
  const with_ = (...by: Strategy[]) =>
    rare
      .learn(model as never)
      .by(...(by as unknown as []))
      .with(adam({ lr: 5e-3 }))
      .train({ batch: 32, steps: 120 })
      .evaluate({ every: "end", share: 0, atStart: false }) as never;
  const start = evolvedStart({ population: 16, generations: 25 });
  const none = evolvedStart({ population: 16, generations: 25, period: 0 });
  const found = {
    "as drawn, cross-entropy": await accuracies(with_(naive()), seeds),
    "as drawn, focal loss": await accuracies(with_(focal()), seeds),
    "evolved with clusters, cross-entropy": await accuracies(with_(start), seeds),
    "evolved without clusters, focal loss": await accuracies(with_(none, focal()), seeds),
    "evolved with clusters, focal loss": await accuracies(with_(start, focal()), seeds),
  };
  const own = found["evolved with clusters, focal loss"];
  return {
    headline:
      "On classes of unequal size a recurrent network whose first weights were evolved with clusters and which learns by focal loss is better than one as drawn, and than one evolved without clusters",
    outcome: allOf(
      outcomeOf(apart(own, found["as drawn, cross-entropy"])),
      outcomeOf(apart(own, found["evolved without clusters, focal loss"])),
    ),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}
