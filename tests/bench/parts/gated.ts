/** The study of transformers made into experts with one router. */
import { digits, expand, from, type Model, select, type TrainedNetwork, vit } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { bands, each, learnt, scores } from "./growing.ts";
import { allOf, apart, outcomeOf } from "./studies.ts";

const seeds = 3;

/** P030: two experts of half of the units, with one router, and a dense transformer as large as what is passed. */
export async function gated(): Promise<Study> {
  const block = (widen: number): Model =>
    vit({ patch: 2, width: 16, depth: 2, heads: 2, widen, pool: "mean" }) as unknown as Model;
  const { train } = digits();
  const domains = [0, 5].map((first) =>
    select(
      train,
      Uint32Array.from(
        Array.from({ length: 400 }, (_, i) => i).filter(
          (i) => train.labels[i]! >= first && train.labels[i]! < first + 5,
        ),
      ),
    ),
  );
  const on = (networks: readonly TrainedNetwork[], steps: number, model: (network: TrainedNetwork) => unknown) =>
    each(networks, (network, i) => learnt(model(network), steps, { count: 1, first: i }));
  const whole = await learnt(block(4), 250, { count: seeds });
  const small = await learnt(block(2), 400, { count: seeds });
  const cut = whole.map((network, seed) => expand.preGated(network, domains, { remain: 0.5, seed }).network);
  const routed = await on(cut, 50, (network) => from(network, { head: "keep" }).trainOnly("*preGate"));
  const tuned = await on(routed, 100, (network) => from(network, { head: "keep" }).freeze("*preGate"));
  const one = whole.map((network, seed) => expand.preGated(network, [train, train], { remain: 0.5, seed }).network);
  const single = await on(one, 150, (network) => from(network, { head: "keep" }).freeze("*preGate"));
  const found = {
    "dense, twice as large": scores(whole),
    "dense, of the size that is passed, 400 steps": scores(small),
    "experts, router as drawn": scores(cut),
    "experts, router trained for 50 steps": scores(routed),
    "experts, the rest trained for 100 more": scores(tuned),
    "the same half for all places, trained for 150 steps": scores(single),
  };
  const own = found["experts, the rest trained for 100 more"];
  return {
    headline:
      "Experts taken from a dense transformer by what is active on a domain, with one router, are better than a dense one of the size that is passed and than one half for all",
    outcome: allOf(
      outcomeOf(apart(own, found["dense, of the size that is passed, 400 steps"])),
      outcomeOf(apart(own, found["the same half for all places, trained for 150 steps"])),
    ),
    figures: { ...bands(found), "share of the dense layers that is passed": 0.5 },
    seeds,
  };
}
