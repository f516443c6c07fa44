/** Runs the benchmarks one after the other, or those that are named: `npm run bench -- engine kernel`. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

const folder = new URL(".", import.meta.url).pathname;
const all = readdirSync(folder).flatMap((name) => /^(.+)\.bench\.ts$/.exec(name)?.[1] ?? []);
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`bench: one of ${all.join(", ")} is required, got ${unknown.join(", ")}`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : all) {
  console.log(`\n${name}`);
  const { status } = spawnSync("npx", ["tsx", `${folder}${name}.bench.ts`], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
