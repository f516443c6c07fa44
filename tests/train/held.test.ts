/** What strategies put in the place of weights that are frozen. */
import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { mapTensors, tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { fromScratch, gradientAscent, retrain, shrinkAndPerturb, ssd } from "../../lib/strategies/index.ts";
import { type Strategy, strategy } from "../../lib/strategies/strategy.ts";
import { forget } from "../../lib/streams/operators/forget.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { open } from "../../lib/train/session.ts";
import { advance, numbers, run, spec, stream } from "../strategies/support.ts";

const over = stream({ needs: [] } as never, 4);
const model = mlp({ hidden: [6, 5] }).freeze("2-dense");

/** Puts what `change` makes of the weights in their place after every experience. */
const putting = (change: (w: tf.Tensor) => tf.Tensor): Strategy =>
  strategy("putting", {}, () => ({
    afterExperience: (_state, _experience, { weights }) => ({
      weights: tf.tidy(() => mapTensors(change, weights) as never) as Weights,
    }),
  }))() as unknown as Strategy;

/** The frozen layer and the one that is trained, before and after a run. */
function layers(by: Strategy, arriving: Stream = over): { frozen: number[][]; other: number[][] } {
  const session = open(spec(arriving, [by], { model }), 0, "test");
  const read = () => {
    const layer = session.learner.weights.model as Record<string, never>;
    return [numbers(layer["2-dense"]), numbers(layer["4-dense"])] as const;
  };
  const before = read();
  const held = tf.memory().numTensors;
  advance(session);
  const after = read();
  expect(Math.abs(tf.memory().numTensors - held)).toBeLessThan(20);
  session.dispose();
  return { frozen: [before[0], after[0]], other: [before[1], after[1]] };
}

describe("weights in the place of frozen ones", () => {
  test("are refused where they are others, by name", () => {
    const tensors = tf.memory().numTensors;
    const halved = spec(over, [putting((w) => tf.mul(w, 0.5))], { model });
    expect(() => run(halved)).toThrow(
      "putting: parameters that are trained are required where it puts others in their place, got model/2-dense/kernel",
    );
    expect(tf.memory().numTensors - tensors).toBeLessThan(60);
    expect(() => run(spec(over, [putting((w) => tf.mul(w, 0.5))]))).not.toThrow();
  });

  test("stay bit for bit where they are the same but for rounding", () => {
    const { frozen, other } = layers(putting((w) => tf.mul(tf.mul(w, 3), 1 / 3)));
    expect(frozen[1]).toEqual(frozen[0]);
    expect(other[1]).not.toEqual(other[0]);
  });

  const six = classes(blobs({ classes: 6, dimensions: 3, perClass: 4, testPerClass: 2 }));
  const forgetting = forget(["0"], { at: 2 })(split(3)(six) as never);
  test.each([
    ["fromScratch", fromScratch(), over],
    ["shrinkAndPerturb", shrinkAndPerturb(), over],
    ["retrain", retrain({ epochs: 1 }), forgetting],
    ["gradientAscent", gradientAscent({ epochs: 1 }), forgetting],
    ["ssd", ssd({ alpha: 0.5 }), forgetting],
  ] as const)("%s leaves what is frozen alone", (_, by, arriving) => {
    const { frozen, other } = layers(by as unknown as Strategy, arriving as unknown as Stream);
    expect(frozen[1]).toEqual(frozen[0]);
    expect(other[1]).not.toEqual(other[0]);
  });
});
