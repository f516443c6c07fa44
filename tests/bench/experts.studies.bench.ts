/**
 * Studies of rows of the systems catalogue about mixtures of experts and structured matrices: `npm run bench -- experts.studies`, or some of them alone:
 * `npx tsx tests/bench/experts.studies.bench.ts P171 P185`. Minutes for all.
 */
import { expertStudies } from "./parts/experts.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries(expertStudies))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
