/**
 * Studies of rows of the systems catalogue that decide what a step is made of: `npm run bench -- batches.studies`, or some of them alone:
 * `npx tsx tests/bench/batches.studies.bench.ts P299 P361`. Minutes for all.
 *
 * Each shows the direction of a row's headline on digits or small synthetic data, with seeds; what does not hold here is recorded as such.
 */
import { activations } from "./parts/activations.ts";
import { batches } from "./parts/batches.ts";
import { questions } from "./parts/questions.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ ...activations, ...batches, ...questions }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
