/**
 * Studies of rows of the systems catalogue in which networks learn from networks: `npm run bench -- distil.studies`, or some of them alone:
 * `npx tsx tests/bench/distil.studies.bench.ts P046 P393`. Minutes for all.
 */
import { distilling } from "./parts/distilling.ts";
import { students } from "./parts/students.ts";
import { study } from "./parts/studies.ts";
import { teaching } from "./parts/teaching.ts";
import { written } from "./parts/written.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ ...distilling, ...teaching, ...students, ...written }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
