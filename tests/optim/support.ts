import type { Moment } from "thalweg";

/** The first step of a run of a hundred, or another moment. */
export const now = (given: Partial<Moment> = {}): Required<Moment> => ({
  step: 0,
  steps: 100,
  epoch: 0,
  experience: 0,
  taken: 0,
  seen: 0,
  examples: 100,
  epochs: 1,
  batch: 10,
  ...given,
});
