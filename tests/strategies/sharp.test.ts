import { describe, expect, test } from "vitest";
import { decode, random, tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { sharp } from "../../lib/strategies/index.ts";
import {
  activations,
  drawnPlaces,
  heldUnits,
  mostActive,
  redrawn,
  rewired,
  wiredWeights,
} from "../../lib/strategies/parts/rewiring.ts";
import { training } from "../../lib/train/index.ts";
import { open } from "../../lib/train/session.ts";
import { close, hooksOf, layersOf, matrix, meanRow, normal, perceptron, predictionOf, small } from "./by-hand.ts";
import { spec, stream } from "./support.ts";

const plain = (t: tf.Tensor): number[] => [...t.dataSync()];

describe("SHARP's rewiring, P216", () => {
  test("in use are the units that come to a share of the activation from the largest down", () => {
    const found = (share: number) => plain(mostActive(tf.tensor1d([1, 5, 0, 3, 1.5]), tf.scalar(share)));
    expect(found(0.4)).toEqual([0, 1, 0, 0, 0]); // 5 of 10.5
    expect(found(0.5)).toEqual([0, 1, 0, 1, 0]);
    expect(found(0.8)).toEqual([0, 1, 0, 1, 1]);
    expect(found(1)).toEqual([1, 1, 0, 1, 1]);
  });

  test("as many free places are drawn as are asked for, and all where there are fewer", () => {
    const free = tf.tensor2d([
      [1, 0, 1],
      [1, 1, 0],
    ]);
    const noise = tf.tensor2d([
      [0.1, 0.9, 0.8],
      [0.3, 0.2, 0.7],
    ]);
    const places = (count: number) => plain(drawnPlaces(free, tf.scalar(count), noise));
    expect(places(0)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(places(2)).toEqual([0, 0, 1, 1, 0, 0]);
    expect(places(9)).toEqual([1, 0, 1, 1, 1, 0]);
  });

  test("what leads from idle units to others is dropped, and as much grows towards idle ones; older units keep their age", () => {
    const ages = { a: tf.tensor1d([3, 0, 1]), b: tf.tensor1d([0, 0]) };
    const connections = {
      a: tf.tensor2d([[1, 0, 1]]),
      b: tf.tensor2d([
        [1, 0],
        [1, 1],
        [1, 0],
      ]),
    };
    const activation = { a: tf.tensor1d([0, 9, 1]), b: tf.tensor1d([4, 1]) };
    const next = rewired({ connections, ages }, activation, tf.scalar(0.7), random(1));
    expect([plain(next.ages.a!), plain(next.ages.b!)]).toEqual([
      [3, 1, 0],
      [1, 0],
    ]);
    expect(plain(next.connections.a!)).toEqual([1, 0, 1]); // inputs are never idle
    // the third unit is idle and led to the first, in use: dropped, and one grows to the second from the first or the third
    const b = matrix(next.connections.b!);
    expect(b.map((row) => row[0])).toEqual([1, 1, 0]);
    expect(b[1]![1]).toBe(1);
    expect(b[0]![1]! + b[2]![1]!).toBe(1);
  });

  test("activations are means of what goes into the next layer, of a channel over all places", () => {
    const inputs = {
      a: tf.zeros([2, 3]),
      b: tf.tensor2d([
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ]),
      head: tf.tensor2d([[1], [3]]),
    };
    const found = activations(inputs, ["a", "b"], { a: tf.zeros([2]), b: tf.zeros([1]) });
    expect([plain(found.a!), plain(found.b!)]).toEqual([[4, 5], [2]]);
  });

  test("weights are 0 without a connection, stay into held units, and are drawn anew into idle ones", () => {
    const { weights } = small([3, 2], 4, 2);
    const [path] = Object.keys(weights.model).map((name) => `model/${name}`);
    const there = normal(4, 3, 5).map((row) => row.map((v) => +(v > 0)));
    const kernel = layersOf(weights)[0]!.kernel;
    const wired = layersOf(wiredWeights(weights, { [path!]: tf.tensor2d(there) }))[0]!.kernel;
    close(
      wired.flat(),
      kernel.flatMap((row, i) => row.map((v, j) => v * there[i]![j]!)),
    );
    const { weights: other } = small([3, 2], 4, 2, 8);
    const mixed = layersOf(heldUnits(weights, other, { [path!]: tf.tensor1d([0, 1, 0]) }))[0]!;
    const [was, now] = [layersOf(weights)[0]!, layersOf(other)[0]!];
    close(mixed.bias, [now.bias[0]!, was.bias[1]!, now.bias[2]!]);
    close(
      mixed.kernel.flat(),
      now.kernel.flatMap((row, i) => [row[0]!, was.kernel[i]![1]!, row[2]!]),
    );
    const wiring = { connections: { [path!]: tf.tensor2d(there) }, ages: { [path!]: tf.tensor1d([0, 2, 1]) } };
    const fresh = layersOf(redrawn(weights, wiring, random(2)))[0]!;
    expect(fresh.bias[0]).toBe(0);
    close(
      fresh.kernel.map((row) => row[1]!),
      kernel.map((row) => row[1]!),
    );
    expect(fresh.kernel.map((row) => +(row[0] !== 0))).toEqual(there.map((row) => row[0]));
    expect(fresh.kernel.every((row, i) => there[i]![0] === 0 || row[0] !== kernel[i]![0])).toBe(true);
  });
});

describe("SHARP, P216", () => {
  const over = stream({ needs: ["boundary", "labels"] } as never);

  test("a run keeps as many connections, leaves old units alone, and keeps the hidden activations of the last experience alone", () => {
    const session = open(
      spec(over, [sharp({ shortTerm: 4, longTerm: 3, sparsity: 0.4, phases: 3, least: 0.3, tau: 3 })], {
        model: mlp({ hidden: [12, 10] }),
        optimizer: sgd({ lr: 0.1 }),
        training: training({ batch: 6, epochs: 3 }),
      }),
      2,
      "test",
    );
    type Held = {
      carried: { connections: Record<string, tf.Tensor>; ages: Record<string, tf.Tensor> };
      recent: Map<number, { rows: Uint8Array; count: number; low: number; high: number }>;
      tensors: { known: { rows: tf.Tensor } };
    };
    const held = (): Held => {
      const { states, learner } = decode(session.save()) as {
        states: { sharp: Held };
        learner: { carried: { sharp: Held["carried"] } };
      };
      return { ...states.sharp, carried: learner.carried.sharp };
    };
    const until = (experience: number): void => {
      while (session.cursor.experience < experience && session.advance()) session.queue.length = 0;
    };
    const count = (own: Held) => Object.values(own.carried.connections).map((t) => plain(t).reduce((a, b) => a + b, 0));
    until(1);
    const [first, before] = [held(), layersOf(session.learner.weights)];
    until(2);
    const [second, after] = [held(), layersOf(session.learner.weights)];
    expect(count(second)).toEqual(count(first));
    expect([...second.recent.keys()].toSorted()).toEqual([...over.experience(1).classes].toSorted());
    const ages = Object.values(first.carried.ages).map(plain);
    expect(ages[0]!.some((age) => age === 2)).toBe(true);
    // what leads into a unit of the first layer that was in use stays; of later layers only into those that are older than what is rehearsed
    ages[0]!.forEach((age, unit) => {
      if (age < 2) return;
      close(
        after[0]!.kernel.map((row) => row[unit]!),
        before[0]!.kernel.map((row) => row[unit]!),
        6,
      );
      expect(after[0]!.bias[unit]).toBeCloseTo(before[0]!.bias[unit]!, 6);
    });
    const moved = after[1]!.kernel.some((row, i) =>
      row.some((v, j) => ages[1]![j] === 2 && v !== before[1]!.kernel[i]![j]),
    );
    expect(moved).toBe(true);
    // a byte is as near as the range allows
    const { train, classes } = over.experience(1);
    const raw = new Float32Array(train.length * 3);
    train.read(
      Uint32Array.from({ length: train.length }, (_, i) => i),
      raw,
    );
    const [column] = classes;
    const rows = [...train.labels.keys()].filter((i) => train.labels[i] === column).slice(0, 4);
    const hidden = perceptron(
      session.learner.weights,
      rows.map((i) => [...raw.subarray(3 * i, 3 * i + 3)]),
    ).inputs[1]!;
    const { rows: bytes, low, high } = second.recent.get(column!)!;
    const idle = Object.values(second.carried.ages).map(plain)[0]!;
    const back = Array.from(bytes, (v) => low + (v * (high - low)) / 255);
    hidden.flat().forEach((v, k) => {
      // units that were idle have been drawn anew since
      if (idle[k % 12]! > 0) expect(Math.abs(back[k]! - v)).toBeLessThan((high - low) / 500);
    });
    session.dispose();
  });

  test("an example gets the class of most of its nearest neighbours, over each class's own units", () => {
    const hooks = hooksOf(sharp({ longTerm: 3, neighbours: 3 }));
    const { net, weights } = small([4, 3], 3, 3);
    const x = normal(5, 3, 4);
    const { features } = perceptron(weights, x);
    const marks = [
      [1, 1, 0],
      [0, 1, 1],
      [0, 0, 0],
    ];
    const far = normal(6, 3, 7).map((row) => row.map(Math.abs));
    const mask = (row: readonly number[], c: number) => row.map((v, j) => v * marks[c]![j]!);
    const unitRow = (row: readonly number[]) => row.map((v) => v / Math.sqrt(row.reduce((s, u) => s + u * u, 1e-12)));
    const known = far.map((row, i) => unitRow(mask(row, i < 3 ? 0 : 1)));
    const tensors = {
      rows: tf.tensor2d([...known, ...Array.from({ length: 3 }, () => [0, 0, 0])]),
      filled: tf.tensor1d([1, 1, 1, 1, 1, 1, 0, 0, 0]),
      marks: tf.tensor2d(marks),
    };
    const scores = matrix(hooks.predict({ tensors: { known: tensors } }, predictionOf(net, weights, x)));
    const wanted = features.map((row) => {
      const near = known
        .map((own, i) => ({
          c: i < 3 ? 0 : 1,
          cos: unitRow(mask(row, i < 3 ? 0 : 1)).reduce((s, v, j) => s + v * own[j]!, 0),
        }))
        .toSorted((a, b) => b.cos - a.cos);
      const votes = [0, 1].map((c) => near.slice(0, 3).filter((one) => one.c === c).length);
      return votes[0]! > votes[1]! ? 0 : 1;
    });
    expect(scores.map((row) => row.indexOf(Math.max(...row)))).toEqual(wanted);
    expect(scores.every((row) => row[2]! < -1e8)).toBe(true);
    expect(meanRow(scores).length).toBe(3);
  });
});
