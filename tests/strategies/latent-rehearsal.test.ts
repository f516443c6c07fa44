import { describe, expect, test } from "vitest";
import { decode, random, tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { adam } from "../../lib/optim/index.ts";
import { siesta } from "../../lib/strategies/index.ts";
import { balancedDraw, emptyCodes, keepCode } from "../../lib/strategies/parts/codes.ts";
import {
  codesOf,
  decoded,
  fittedQuantiser,
  type QuantiserTensors,
  quantiserTensors,
  requantised,
} from "../../lib/strategies/parts/product-quantiser.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { training } from "../../lib/train/index.ts";
import { open, type Session } from "../../lib/train/session.ts";
import { close, layersOf, length, matrix, meanRow, normal, perceptron, times, transposed } from "./by-hand.ts";
import { advance, spec, stream } from "./support.ts";

const over = () => stream({ needs: ["boundary", "labels"] } as never);
const opened = (strategy: Strategy, hidden: number[]): Session =>
  open(
    spec(over(), [strategy], {
      model: mlp({ hidden }),
      optimizer: adam({ lr: 0.02 }),
      training: training({ batch: 6, epochs: 2 }),
    }),
    1,
    "test",
  );
/** Goes on until an experience is in a phase. */
function until(session: Session, experience: number, phase: Session["cursor"]["phase"]): void {
  while (session.cursor.experience < experience || session.cursor.phase !== phase) session.advance();
}

describe("siesta (P146)", () => {
  /** Four clusters of two numbers that a turn mixes with each other: parts of one number each cannot tell them before they are turned back. */
  const turn = (angle: number) => [
    [Math.cos(angle), -Math.sin(angle)],
    [Math.sin(angle), Math.cos(angle)],
  ];
  const straight = normal(200, 2, 4).map(([a, b], i) => [(i % 4) * 2 + 0.05 * a!, (i % 3) * 3 + 0.05 * b!]);
  const rows = times(straight, turn(0.25));
  const apart = (rounds: number): number => {
    const how = { codebooks: 2, size: 4, rounds };
    const quantiser = quantiserTensors(fittedQuantiser(Float32Array.from(rows.flat()), 2, how, random(1)));
    const back = matrix(requantised(quantiser, tf.tensor2d(rows)));
    return rows.reduce((sum, row, i) => sum + length(row.map((v, j) => v - back[i]![j]!)) ** 2, 0) / rows.length;
  };

  test("the rotation that is fitted turns mixed numbers apart again", () => {
    expect(apart(30)).toBeLessThan(apart(0) / 10);
    expect(apart(30)).toBeLessThan(0.01); // the clusters' own variance is 0.005
  });

  test("a code is that of the nearest centre of each part in the turned space, and rotations keep lengths", () => {
    const x = normal(40, 5, 2);
    const host = fittedQuantiser(Float32Array.from(x.flat()), 5, { codebooks: 2, size: 3, rounds: 4 }, random(2));
    const rotation = matrix(tf.tensor2d(Float32Array.from(host.rotation), [5, 5]));
    close(
      times(rotation, transposed(rotation)).flat(),
      [0, 1, 2, 3, 4].flatMap((i) => [0, 1, 2, 3, 4].map((j) => +(i === j))),
    );
    const widths = host.centres.map((own) => own.length / 3);
    expect(widths).toEqual([3, 2]);
    const wanted = times(x, rotation).map((row) =>
      widths.map((width, m) => {
        const part = row.slice(m * 3, m * 3 + width);
        const far = [0, 1, 2].map((k) => length(part.map((v, j) => v - host.centres[m]![k * width + j]!)));
        return far.indexOf(Math.min(...far));
      }),
    );
    const quantiser = quantiserTensors(host);
    const codes = codesOf(quantiser, tf.tensor2d(x));
    expect(codes.arraySync()).toEqual(wanted);
    const given = wanted.map((own) =>
      own.flatMap((k, m) => [...host.centres[m]!.slice(k * widths[m]!, (k + 1) * widths[m]!)]),
    );
    close(matrix(decoded(quantiser, codes)).flat(), times(given, transposed(rotation)).flat());
  });

  test("what is kept makes room in the largest class, and draws have as many of each", () => {
    const memory = emptyCodes(6, 1);
    const labels = [0, 0, 0, 0, 0, 0, 0, 1, 1, 2];
    for (const [i, label] of labels.entries()) keepCode(memory, Uint8Array.of(i), label, random(i));
    expect(memory.size).toBe(6);
    expect([0, 1, 2].map((c) => memory.labels.filter((own) => own === c).length)).toEqual([3, 2, 1]);
    for (const [i, row] of memory.rows.entries()) expect(labels[row]).toBe(memory.labels[i]);
    const drawn = balancedDraw(memory, 20, random(3));
    expect([0, 1, 2].map((c) => drawn.filter((at) => memory.labels[at] === c).length)).toEqual([7, 7, 6]);
  });

  test("awake no gradient is taken: the columns of new classes become the means of their features behind the quantiser", () => {
    const session = opened(siesta({ sleepEvery: 0, codebooks: 3, size: 4 }), [5, 4]);
    until(session, 1, "before");
    const before = layersOf(session.learner.weights);
    const step = session.cursor.step;
    until(session, 2, "before");
    expect(session.cursor.step).toBe(step);
    const after = layersOf(session.learner.weights);
    expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
    const { states } = decode(session.save()) as { states: { siesta: { tensors: { quantiser: QuantiserTensors } } } };
    const { quantiser } = states.siesta.tensors;
    const { train, classes } = over().experience(1);
    const x = Float32Array.from({ length: train.length * 3 });
    train.read(
      Uint32Array.from({ length: train.length }, (_, i) => i),
      x,
    );
    const inputs = Array.from({ length: train.length }, (_, i) => [...x.subarray(i * 3, (i + 1) * 3)]);
    const latents = perceptron(before.slice(0, 2), inputs).inputs[1]!;
    const given = matrix(requantised(quantiser, tf.tensor2d(latents)));
    const features = perceptron(before.slice(1), given).inputs[1]!;
    const head = after.at(-1)!;
    for (const label of classes) {
      close(
        head.kernel.map((row) => row[label]!),
        meanRow(features.filter((_, i) => train.labels[i] === label)),
      );
      expect(head.bias[label]).toBe(1);
    }
    session.dispose();
  });

  test("asleep the frozen layer stays bit for bit, those behind move, for as many steps as the budget says", () => {
    const session = opened(siesta({ sleepEvery: 2, samples: 36, codebooks: 3, size: 4 }), [5, 4]);
    until(session, 1, "before");
    const [lower, upper] = layersOf(session.learner.weights);
    const { step } = session.cursor;
    until(session, 2, "before");
    expect(session.cursor.step).toBe(step); // awake
    advance(session);
    expect(session.cursor.step - step).toBe(36 / 6);
    const now = layersOf(session.learner.weights);
    expect(now[0]).toEqual(lower);
    expect(now[1]).not.toEqual(upper);
    session.dispose();
  });
});
