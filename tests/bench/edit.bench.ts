/**
 * Five hundred edits in a row: `npm run bench -- edit`. A minute or two for each seed.
 *
 * A small transformer learns 660 facts (subject, relation → object); then 500 of them get other objects, ten at a time. After every ten it is
 * measured how many of the last ten are answered with their new objects (reliability), and at the end how many of all 500, how many of the 160
 * that were never edited are still known (locality), and how long the kernel has become.
 */

import { kernelOf, siteOf } from "../../lib/edit/parts/facts.ts";
import { adam, coachHook, edit, edits, editWith, evaluation, grace, net, type Strategy } from "../../lib/index.ts";
import { recordStudy } from "../support/reference.ts";
import { allOf, band, outcomeOf } from "./parts/studies.ts";

const seeds = 3;
const methods: Readonly<Record<string, () => Strategy>> = {
  "fine-tuning": () => editWith(edit.fineTune()),
  rome: () => editWith(edit.rome()),
  memit: () => editWith(edit.memit()),
  encore: () => editWith(edit.encore()),
  alphaEdit: () => editWith(edit.alphaEdit()),
  grace: () => grace({ radius: 0.3 }),
  coachHook: () => coachHook(),
};
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

type Measured = Record<"locality" | "kept edits" | "growth" | "seconds", number[]>;
const found: Record<string, Measured> = {};
const stream = edits(50, { subjects: 220, relations: 3, objects: 20, batch: 10 });
const study = stream
  .learn(net().embedding(223, 48).transformer(2).last())
  .with(adam({ lr: 5e-3 }))
  .train({ epochs: 40, batch: 20 })
  .evaluate({ ...evaluation({}), every: "end", atStart: false });
const begun = stream
  .slice(0, 1)
  .learn(net().embedding(223, 48).transformer(2).last())
  .with(adam({ lr: 5e-3 }))
  .train({ epochs: 40, batch: 20 });
for (const [name, make] of Object.entries(methods)) {
  const own: Measured = { locality: [], "kept edits": [], growth: [], seconds: [] };
  found[name] = own;
  const started = performance.now();
  const run = await study.by(make() as never).run({ seeds, quiet: true, record: false });
  own.seconds.push((performance.now() - started) / 1000);
  for (let seed = 0; seed < seeds; seed++) {
    const last = run.matrix({ seed }).values.at(-1)!;
    own.locality.push(last[0]!);
    own["kept edits"].push(mean(last.slice(1) as number[]));
    const network = await run.network({ seed });
    const before = await (await begun.run({ seeds: [seed], quiet: true, record: false })).network({ seed });
    const site = siteOf("bench", network);
    const [a, b] = [before, network].map(({ weights }) => Math.hypot(...kernelOf(weights, site).dataSync()));
    own.growth.push(b! / a!);
  }
  console.log(name, own);
}
const figures = (names: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name) =>
      (["locality", "kept edits", "growth"] as const).map((what) => [`${what}, ${name}`, band(found[name]![what])]),
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
