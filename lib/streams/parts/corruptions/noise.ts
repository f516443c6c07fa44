/** Corruptions that are noise. */
import { poisson } from "../distributions.ts";
import type { Corruption } from "./picture.ts";

/** Normal noise is added: deviations 0.04 to 0.1. */
export const gaussianNoise: Corruption = ({ values }, level, rng) => {
  const deviation = [0.04, 0.06, 0.08, 0.09, 0.1][level]!;
  return values.map((v) => v + deviation * rng.normal());
};

/** Light comes in single photons: a white pixel counts 500 to 50 of them. */
export const shotNoise: Corruption = ({ values }, level, rng) => {
  const photons = [500, 250, 100, 75, 50][level]!;
  return values.map((v) => poisson(v * photons, rng) / photons);
};

/** Salt and pepper: 1 to 7 % of all values become black or white. */
export const impulseNoise: Corruption = ({ values }, level, rng) => {
  const share = [0.01, 0.02, 0.03, 0.05, 0.07][level]!;
  return values.map((v) => (rng.uniform() < share ? (rng.uniform() < 0.5 ? 0 : 1) : v));
};
