/**
 * Studies of rows of the systems catalogue in which networks grow, share layers or are put together: `npm run bench -- expand.studies`, or some of
 * them alone: `npx tsx tests/bench/expand.studies.bench.ts P248 P015`. Minutes for all.
 */
import { expanding } from "./parts/expanding.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries(expanding))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
