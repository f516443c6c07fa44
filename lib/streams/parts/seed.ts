/** Turns a stream's seed into randomness. */
import { type Rng, random } from "../../engine/random.ts";
import type { Seed } from "../stream.ts";

/** The randomness of a named use; until a run gives its seed, that of seed 0. */
export function rngOf(seed: Seed, name: string): Rng {
  return random(seed === "run" ? 0 : seed).at(name);
}

/** The parts of a source that waits for the run's seed: nothing when `seed` is a number already. */
export function waiting<S>(
  seed: Seed,
  make: (seed: number) => S,
): { seeded: (seed: number) => S } | Record<never, never> {
  return seed === "run" ? { seeded: make } : {};
}
