/**
 * Five hundred edits in a row: `npm run bench -- edit`. A few minutes for each seed.
 *
 * A small transformer learns 660 facts (subject, relation → object), each said in two ways; then 500 of them get other objects, twenty at a time, in one
 * of the ways. After every twenty it is measured how many of all edits so far are answered with their new objects, how many when they are asked
 * for in the other way (generality), how many of the 160 facts that were never edited are still known (locality), and at the end how long the
 * kernel has become. The network is trained once for each seed, and every way of editing goes on from there.
 */

import { kernelOf, siteOf } from "../../lib/edit/parts/facts.ts";
import {
  adam,
  coachHook,
  edit,
  editCurves,
  edits,
  editTable,
  editWith,
  evaluation,
  experience,
  grace,
  net,
  type Run,
  type Strategy,
  type TrainEvent,
  wise,
} from "../../lib/index.ts";
import { record, recordStudy } from "../support/reference.ts";
import { allOf, band, outcomeOf } from "./parts/studies.ts";

const seeds = 3;
const methods: Readonly<Record<string, () => Strategy>> = {
  "fine-tuning": () => editWith(edit.fineTune()),
  rome: () => editWith(edit.rome()),
  memit: () => editWith(edit.memit()),
  encore: () => editWith(edit.encore()),
  alphaEdit: () => editWith(edit.alphaEdit({ threshold: 0.02 })),
  grace: () => grace({ radius: 0.3 }),
  coachHook: () => coachHook(),
  wise: () => wise(),
};
const looks = [1, 5, 10, 15, 20, 25];

type Measure = "locality" | "kept edits" | "generality" | "reliability" | "growth";
const found: Record<string, Record<Measure, number[]>> = {};
const logs: Record<string, (readonly TrainEvent[])[]> = {};
const seconds: Record<string, number> = {};
const stream = edits(25, { subjects: 220, relations: 3, objects: 20, batch: 20, phrases: 2 });
const study = stream
  .learn(net().embedding(226, 48).transformer(2).last())
  .with(adam({ lr: 5e-3 }))
  .train({ epochs: 30, batch: 20 })
  .evaluate({ ...evaluation({}), every: "experience", atStart: false });
const quiet = { quiet: true, record: false } as const;
const lengthOf = async (run: Run, seed: number): Promise<number> => {
  const network = await run.network({ seed });
  const length = Math.hypot(...kernelOf(network.weights, siteOf("bench", network)).dataSync());
  network.dispose();
  return length;
};
for (let seed = 0; seed < seeds; seed++) {
  const trained = await study.run({ ...quiet, seeds: [seed], until: experience(1).step(0) });
  const before = await lengthOf(trained, seed);
  for (const [name, make] of Object.entries(methods)) {
    const own = (found[name] ??= { locality: [], "kept edits": [], generality: [], reliability: [], growth: [] });
    const started = performance.now();
    const run = await trained.at(experience(1)).fork({ strategies: [make()] as never });
    seconds[name] = (seconds[name] ?? 0) + (performance.now() - started) / 1000;
    const { events } = run.logs[0]!;
    (logs[name] ??= []).push(events);
    const rows = editTable(events);
    const last = rows.at(-1)!;
    own.locality.push(last.locality);
    own["kept edits"].push(last.kept);
    own.generality.push(last.generality);
    own.reliability.push(rows.reduce((sum, { reliability }) => sum + reliability, 0) / rows.length);
    own.growth.push((await lengthOf(run, seed)) / before);
    console.log(seed, name, Object.fromEntries(Object.entries(own).map(([what, values]) => [what, values.at(-1)])));
  }
}
console.log(editCurves(logs).toText());
record("edits", {
  seeds,
  edits: 500,
  seconds: Object.fromEntries(Object.entries(seconds).map(([name, all]) => [name, Number((all / seeds).toFixed(1))])),
  end: Object.fromEntries(
    Object.entries(found).map(([name, own]) => [
      name,
      Object.fromEntries(Object.entries(own).map(([what, values]) => [what, band(values)])),
    ]),
  ),
  curves: Object.fromEntries(
    Object.entries(logs).map(([name, runs]) => {
      const tables = runs.map((events) => editTable(events));
      const at = (of: "kept" | "generality" | "locality"): number[] =>
        looks.map((look) =>
          Number((tables.reduce((sum, rows) => sum + rows[look - 1]![of], 0) / tables.length).toFixed(3)),
        );
      return [
        name,
        {
          edits: looks.map((look) => 20 * look),
          kept: at("kept"),
          generality: at("generality"),
          locality: at("locality"),
        },
      ];
    }),
  ),
});
const figures = (names: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name) =>
      (["locality", "kept edits", "generality", "growth"] as const).map((what) => [
        `${what}, ${name}`,
        band(found[name]![what]),
      ]),
    ),
  );
/** Whether one way is better than another by every score that the headline names. */
function decided(
  id: string,
  headline: string,
  better: string,
  worse: string,
  scores: Readonly<Record<string, (name: string, seed: number) => number>>,
): void {
  const gains = Object.entries(scores).map(([what, score]) => {
    const each = Array.from({ length: seeds }, (_, seed) => score(better, seed) - score(worse, seed));
    return [`${what}: ${better} − ${worse}, seed by seed`, each] as const;
  });
  const outcome = allOf(...gains.map(([, each]) => outcomeOf(each)));
  const apart = Object.fromEntries(gains.map(([what, each]) => [what, band(each)]));
  recordStudy(id, { headline, outcome, figures: { ...figures([better, worse]), ...apart }, seeds });
  console.log(id, outcome, apart);
}
const locality = (name: string, seed: number): number => found[name]!.locality[seed]!;
const both = { locality, "kept edits": (name: string, seed: number): number => found[name]!["kept edits"][seed]! };
decided(
  "P065",
  "Many edits in a row without losing what else is known: the kernel grows less than by MEMIT",
  "encore",
  "memit",
  { growth: (name, seed) => -found[name]!.growth[seed]! },
);
decided(
  "P162",
  "A hook of fixed size keeps more of consecutive batches of edits and of the rest than a batch editor",
  "coachHook",
  "memit",
  both,
);
decided("P249", "A codebook takes hundreds of edits without changing unrelated answers", "grace", "fine-tuning", {
  locality,
});
decided(
  "P259",
  "Projection onto the null space of known keys keeps more of sequential edits and of the rest than ROME",
  "alphaEdit",
  "rome",
  both,
);
