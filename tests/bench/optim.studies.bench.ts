/**
 * Studies of rows of the systems catalogue that move weights: `npm run bench -- optim.studies`, or some of them alone:
 * `npx tsx tests/bench/optim.studies.bench.ts P276 P407`. Minutes for all.
 *
 * Every optimizer is tried at the same rates for the same steps, and is judged at its own best one; what does not hold here is recorded as such.
 */
import { composingStudies } from "./parts/composing.ts";
import { largeStepStudies } from "./parts/large-steps.ts";
import { movingStudies } from "./parts/moving.ts";
import { optimizerStudies } from "./parts/optimizers.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({
  ...optimizerStudies,
  ...largeStepStudies,
  ...movingStudies,
  ...composingStudies,
}))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
