/**
 * Studies of rows of the systems catalogue that learn online, without old examples, or new classes from few examples:
 * `npx tsx tests/bench/few-shot.studies.bench.ts`, or some of them alone, by their rows.
 */
import { adam, classes, digits, joint, mlp, type Strategy, siesta } from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { accuracies, apart, band, outcomeOf, study } from "./parts/studies.ts";

const data = classes(digits());
const seeds = 3;

/** The accuracies of several methods on one study without a method, by name. */
async function each(
  base: { by(strategy: never): unknown },
  ways: Record<string, Strategy>,
): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  for (const [name, strategy] of Object.entries(ways))
    found[name] = await accuracies(base.by(strategy as never) as never, seeds);
  return found;
}

const bands = (found: Record<string, number[]>): Study["figures"] =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)]));

/** P146: four digits, then two at a time; asleep 2048 kept examples are rehearsed, offline all examples so far are gone through eight times. */
async function asleep(): Promise<Study> {
  const base = data
    // biome-ignore lint/suspicious/noThenProperty: the option is called so
    .split({ first: 4, then: 2 })
    .learn(mlp({ hidden: [128, 64] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, epochs: 8 });
  const found = await each(base, {
    "with sleep": siesta({ samples: 2048 }),
    "without sleep": siesta({ sleepEvery: 0 }),
    "offline, all examples so far": joint(),
  });
  return {
    headline:
      "Running means awake and budgeted rehearsal of latents asleep match the offline learner, here within 0.02",
    outcome: outcomeOf(apart(found["with sleep"]!, found["offline, all examples so far"]!), -0.02),
    figures: bands(found),
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ P146: asleep }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
