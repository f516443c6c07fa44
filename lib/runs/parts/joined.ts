/** Runs of single seeds as one run. */
import { createHash } from "node:crypto";
import type { Instant } from "../fork.ts";
import type { Spot } from "../place.ts";
import { makeRun, type Run } from "../run.ts";

/** One run of the runs of single seeds, whose experiments may differ in where they begin; going back goes into the seed's own. */
export function joinedRuns(runs: readonly Run[]): Run {
  const [first] = runs;
  if (runs.length === 1) return first!;
  const hashes = runs.map(({ hash }) => hash);
  const hash = new Set(hashes).size === 1 ? first!.hash : hashOf(hashes);
  const { name, spec, tasks } = first!;
  const each = runs.flatMap((run) => run.logs.map((log) => oneOf(run, log.seed)));
  return makeRun(
    { name, spec, hash, tasks, logs: each.flatMap(({ logs }) => logs) },
    { spec: undefined as never, each }, // only the runs of the seeds are gone back into
  );
}

/** A run with one seed of another's. */
function oneOf(run: Run, seed: number): Run {
  if (run.logs.length === 1) return run;
  const { name, spec, hash, tasks, logs } = run;
  const one = makeRun({ name, spec, hash, tasks, logs: logs.filter((log) => log.seed === seed) });
  return Object.freeze({ ...one, at: (spot: Spot) => run.at(spot), network: () => run.network({ seed }) });
}

/** A fingerprint of fingerprints. */
export function hashOf(hashes: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(hashes)).digest("hex").slice(0, 16);
}

/** A place in each of the runs of single seeds. */
export function momentOfEach(runs: readonly Run[], spot: Spot): Instant {
  const of = (seeds: readonly number[]): readonly Run[] => {
    const found = runs.filter(({ logs }) => seeds.includes(logs[0]!.seed));
    if (found.length === seeds.length && found.length > 0) return found;
    throw new RangeError(
      `at: some of the seeds ${runs.map(({ logs }) => logs[0]!.seed).join(", ")} are required, got ${seeds.join(", ")}`,
    );
  };
  const all = runs.map(({ logs }) => logs[0]!.seed);
  return Object.freeze<Instant>({
    state: async (seed = all[0]!) => of([seed])[0]!.at(spot).state(seed),
    async fork(changes, { seeds = all, ...options } = {}) {
      const forks: Run[] = [];
      for (const run of of(seeds))
        forks.push(await run.at(spot).fork(changes, { ...options, seeds: [run.logs[0]!.seed] }));
      return joinedRuns(forks);
    },
    async landscape(to, { seeds = all.slice(0, 1), ...options } = {}) {
      if (seeds.length === 1)
        return of(seeds)[0]!
          .at(spot)
          .landscape(to, { ...options, seeds });
      throw new RangeError(
        `landscape: one seed is required where seeds began at different networks, got ${seeds.join(", ")}; name one`,
      );
    },
  });
}
