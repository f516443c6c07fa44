/**
 * Studies of rows of the systems catalogue in which networks grow, share layers, hold smaller ones or are put together: `npm run bench -- expand.studies`,
 * or some of them alone: `npx tsx tests/bench/expand.studies.bench.ts P248 P015`. Minutes for all.
 */
import { expanding } from "./parts/expanding.ts";
import { sharing } from "./parts/sharing.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const studies = { ...expanding, ...sharing };
const chosen = wanted.length === 0 ? Object.keys(studies) : wanted;
for (const id of chosen) {
  const make = studies[id];
  if (make !== undefined) study(id, await make());
}
