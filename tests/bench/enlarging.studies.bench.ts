/**
 * Studies of rows of the systems catalogue in which networks are made larger out of parts that were learnt, cut into experts, or searched for: `npm run bench --
 * enlarging.studies`, or some of them alone: `npx tsx tests/bench/enlarging.studies.bench.ts P359 P008`.
 */
import { enlarging } from "./parts/enlarging.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const studies = enlarging;
const chosen = wanted.length === 0 ? Object.keys(studies) : wanted;
for (const id of chosen) {
  const make = studies[id];
  if (make !== undefined) study(id, await make());
}
