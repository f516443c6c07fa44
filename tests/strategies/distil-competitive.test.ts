/** Answers that compete, in plain arithmetic. */
import { describe, expect, test } from "vitest";
import { tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { trained } from "../../lib/models/trained.ts";
import { distilCompetitive } from "../../lib/strategies/index.ts";
import { betterAnswers } from "../../lib/strategies/regularisation/distil-competitive.ts";
import {
  batchOf,
  close,
  contextOf,
  entropy,
  examplesOf,
  hooksOf,
  lossOf,
  mean,
  normal,
  perceptron,
  small,
  softmax,
  stepOf,
} from "./by-hand.ts";

const { net, weights } = small([5, 4], 2, 3);
const other = small([6], 2, 3, 20).weights;
const teacher = trained({ model: mlp({ hidden: [6] }), input: [2], weights: other });
const x = normal(8, 2, 7);
const y = [0, 2, 1, 0, 2, 1, 1, 0];
const context = contextOf(net, weights, {
  stream: { classes: [], target: "class", head: "single" } as never,
  columns: 3,
});
const [mine, theirs] = [perceptron(weights, x).logits, perceptron(other, x).logits];
const ahead = x.map((_, i) => softmax(theirs[i]!)[y[i]!]! - softmax(mine[i]!)[y[i]!]!);

describe("P297: teacher and student compete", () => {
  const hooks = hooksOf(
    distilCompetitive({ teacher, threshold: 0.05, copies: 2, noise: 0, weight: 0.4, temperature: 3 }),
  );
  const round = (index: number) =>
    hooks.beforeExperience(hooks.init(context), { train: examplesOf(x, y), task: 0, index } as never, context);
  const better = x.map((_, i) => (ahead[i]! >= 0 ? theirs[i]! : mine[i]!));
  const difficult = x.flatMap((_, i) => (ahead[i]! > 0.05 ? [i] : []));

  test("for each answer, and difficult examples come again", () => {
    expect(difficult.length).toBeGreaterThan(0);
    expect(ahead.some((v) => v < 0)).toBe(true);
    const state = round(1);
    const made = hooks.data(state, { train: examplesOf(x, y) } as never, context)!;
    const again = difficult.flatMap((i) => [i, i]);
    expect([...made.labels]).toEqual([...y, ...again.map((i) => y[i]!)]);
    const rows = new Float32Array(made.length * 2);
    made.read([...Array(made.length).keys()], rows);
    close([...rows], [...x, ...again.map((i) => x[i]!)].flat(), 6);
    close([...state.said], [...better, ...again.map((i) => better[i]!)].flat(), 4);
  });

  test("after a round in which the teacher alone is heard", () => {
    const state = round(0);
    expect(hooks.data(state, { train: examplesOf(x, y) } as never, context)!.length).toBe(8);
    close([...state.said], theirs.flat(), 4);
  });

  test("and the better answer is learnt softened, besides the label", () => {
    const at = [3, 0, 5];
    const state = round(1);
    const { extra } = hooks.batch(state, batchOf(examplesOf(x, y), at), context);
    const { data, shape } = extra.distilCompetitive!.said!;
    const step = stepOf({
      net,
      weights,
      x: at.map((i) => x[i]!),
      y: at.map((i) => y[i]!),
      extra: { said: tf.tensor2d(data as Float32Array, shape as [number, number]) },
    });
    const soft = (z: readonly number[]): number[] => softmax(z.map((v) => v / 3));
    const each = at.map((i) => -soft(better[i]!).reduce((s, p, c) => s + p * Math.log(soft(mine[i]!)[c]!), 0));
    const own = distilCompetitive({ teacher, weight: 0.4, temperature: 3 });
    const labels = mean(at.map((i) => entropy(mine[i]!, y[i]!)));
    expect(lossOf(own, state, step)).toBeCloseTo(0.4 * 9 * mean(each) + 0.6 * labels, 4);
  });

  test("where an example has no label by who is surer", () => {
    const rows = [Float32Array.of(0, 1, 2, 0, 0, 0), Float32Array.of(3, 0, 0, 0, 0.1, 0)] as const;
    const { said, ahead: by } = betterAnswers(rows[0], rows[1], Int32Array.of(-1, 1), null, 3);
    expect([...said.slice(0, 3)]).toEqual([3, 0, 0]);
    expect(by[0]).toBeCloseTo(Math.max(...softmax([3, 0, 0])) - Math.max(...softmax([0, 1, 2])), 6);
    expect(by[1]).toBeGreaterThan(0);
  });
});
