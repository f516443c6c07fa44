import { lstm, type Model, net, network, random, refilled, type TrainedNetwork, tf, trained } from "thalweg";
import { describe, expect, test } from "vitest";

const made = (model: Model, input: readonly number[]): TrainedNetwork =>
  trained({ model, input, weights: network(model, input).init(random(4), 3) });
const tokens = made(net().embedding(9, 4, { positions: false }).gru(5).last().dense(4).relu() as unknown as Model, [6]);
const numbers = made(lstm({ units: 6, layers: 2, gives: "last" }) as unknown as Model, [6, 2]);
const lengths = [3, 11, 1, 6, 2, 9, 4, 4];
const of = (width: number, least: number): number[][] =>
  lengths.map((length, i) =>
    Array.from({ length: length * width }, (_, k) => least + ((7 * i + 5 * k + 3 * i * k) % 8) / (width === 1 ? 1 : 4)),
  );

describe("P089: slots that are filled again", () => {
  test.each(["places", "chunks", "batches"] as const)("answer as to each sequence alone (%s)", (refill) => {
    for (const [own, width] of [
      [tokens, 1],
      [numbers, 2],
    ] as const) {
      const sequences = of(width, width === 1 ? 1 : -1);
      const before = tf.memory().numTensors;
      const { logits } = refilled(own, sequences, { slots: 3, chunk: 4, refill });
      expect(tf.memory().numTensors).toBe(before);
      sequences.forEach((sequence, i) => {
        const x = tf.tensor(sequence, [1, lengths[i]!, ...(width === 1 ? [] : [2])]);
        const alone = own.predict(x).dataSync();
        [...logits[i]!].forEach((v, c) => {
          expect(v).toBeCloseTo(alone[c]!, 5);
        });
      });
    }
  });

  test("count places and waiting as worked by hand", () => {
    const three = [
      [1, 2, 3],
      [1, 2, 3, 4, 5],
      [1, 2],
    ];
    // one behind the other: 3 + 5 + 2 places in three chunks of 4, finished at places 3, 8 and 10
    const places = refilled(tokens, three, { slots: 1, chunk: 4 });
    expect([places.places, places.used]).toEqual([12, 10 / 12]);
    expect(places.latencies).toEqual([4, 8, 12]);
    // each from the beginning of a chunk: one, two and one of them
    const chunks = refilled(tokens, three, { slots: 1, chunk: 4, refill: "chunks" });
    expect([chunks.places, chunks.latencies]).toEqual([16, [4, 12, 16]]);
    // two slots, the third waits until both are through
    const batches = refilled(tokens, three, { slots: 2, chunk: 1, refill: "batches" });
    expect([batches.places, batches.latencies]).toEqual([2 * (5 + 2), [3, 5, 7]]);
    const late = refilled(tokens, three, { slots: 2, chunk: 1, arrivals: [0, 0, 20] });
    expect(late.latencies).toEqual([3, 5, 2]);
  });

  test("refuse what they cannot carry on", () => {
    const both = made(lstm({ units: 3, bidirectional: true, gives: "last" }) as unknown as Model, [6, 2]);
    expect(() => refilled(both, [[1, 2]])).toThrow(
      "refilled: layers that treat each place by itself or carry a state along the sequence are required, got lstm at layer1",
    );
    expect(() => refilled(numbers, [[1, 2, 3]])).toThrow("whole places of 2 numbers");
    expect(() => refilled(tokens, [[1], [2]], { arrivals: [3, 1] })).toThrow("ascending");
  });
});
