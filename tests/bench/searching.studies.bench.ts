/**
 * Studies of rows of the systems catalogue in which networks are found by search: `npm run bench -- searching.studies`, or some of them alone:
 * `npx tsx tests/bench/searching.studies.bench.ts P157 P191`.
 */
import { searching } from "./parts/searching.ts";
import { study } from "./parts/studies.ts";

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const chosen = wanted.length === 0 ? Object.keys(searching) : wanted;
for (const id of chosen) {
  const make = searching[id];
  if (make !== undefined) study(id, await make());
}
