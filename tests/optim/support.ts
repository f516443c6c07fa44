import { type Moment, random, type Seen, sumTree, tf } from "thalweg";

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

/** What a step without layers shows whose loss is half the sum of the squares of its parameters. */
export const blind: Seen = {
  get task() {
    return tf.tensor1d([0], "int32");
  },
  layers: {},
  gradient: (params) => params,
  loss: (params) =>
    tf.mul(
      sumTree((w) => tf.sum(tf.square(w)) as tf.Scalar, params),
      0.5,
    ),
  drawn: (params) => ({ gradient: params, labels: 4 }),
  get rng() {
    return random(1);
  },
};
