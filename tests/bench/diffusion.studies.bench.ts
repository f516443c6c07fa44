/**
 * Studies of rows of the systems catalogue in which networks draw examples from noise: `npm run bench -- diffusion.studies`, or some of them alone:
 * `npx tsx tests/bench/diffusion.studies.bench.ts P341`. Minutes for all.
 */
import { finer } from "./parts/finer.ts";
import { memorising } from "./parts/memorising.ts";
import { oneStep } from "./parts/one-step.ts";
import { patching } from "./parts/patching.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ ...finer, ...memorising, ...oneStep, ...patching }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
