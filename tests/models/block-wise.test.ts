/** Layers that go along in blocks or in parts of vectors, against their formulas; block-recurrent ones against PyTorch are in peers.test.ts. */
import { layers, type Model, modelFromJson, net, nn, type Params, random, tape, tf } from "thalweg";
import { describe, expect, test } from "vitest";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const still = tape(false, null, {}).mode;
const close = (got: readonly number[], wanted: readonly number[], digits = 5): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(wanted[i]!, digits);
  });
};
const dense = (x: tf.Tensor, params: Params, part: string): tf.Tensor => {
  const { kernel, bias } = params[part] as { kernel: tf.Tensor2D; bias: tf.Tensor };
  const rows = tf.reshape(x, [-1, kernel.shape[0]]) as tf.Tensor2D;
  return tf.reshape(tf.add(tf.matMul(rows, kernel), bias), [...x.shape.slice(0, -1), kernel.shape[1]]);
};

describe("P095: vectors of parts", () => {
  const model = net().altUp(2, (n) => n.dense(2), { active: 1 }) as unknown as Model;
  test("are predicted and corrected as by hand", () => {
    // parts (1, 2) and (3, 4); x̂ = (7, 10) and (11, 16); the layers double and add one: x̃ = (7, 9)
    const params = {
      "1-altUp": {
        "1-dense": {
          kernel: tf.tensor2d([
            [2, 0],
            [0, 2],
          ]),
          bias: tf.tensor1d([1, 1]),
        },
        predict: {
          "1-predict": {
            shares: tf.tensor2d([
              [1, 2],
              [2, 3],
            ]),
          },
        },
        correct: { "1-correct": { gains: tf.tensor2d([[1], [0.5]]) } },
      },
    };
    // what the active part was wrong by: (7 − 11, 9 − 16) = (−4, −7)
    close(numbers(model.apply(params, tf.tensor3d([[[1, 2, 3, 4]]]), still)), [3, 3, 9, 12.5]);
  });

  test("begin as all parts moved by what the active one gains, and are made again from the record", () => {
    const x = random(1).normals([2, 3, 4], 0, 1);
    const params = model.init(random(2), [3, 4]);
    const own = params["1-altUp"] as Params;
    const [first, second] = tf.split(x, 2, 2);
    const change = tf.sub(dense(second!, own, "1-dense"), second!);
    close(
      numbers(model.apply(params, x, still)),
      numbers(tf.concat([tf.add(first!, change), tf.add(second!, change)], 2)),
    );
    const json = JSON.parse(JSON.stringify(model));
    expect(json.layers[0].layers).toHaveLength(1);
    expect(modelFromJson(json).spec).toEqual(model.spec);
    expect(() =>
      net()
        .altUp(3, (n) => n.dense(1))
        .features([4, 4]),
    ).toThrow("a width that 3 parts divide is required");
  });
});

describe("P226: pieces that a state space tells what was before", () => {
  test.each(["single", "filters"] as const)("are those of attention by itself, piece by piece, %s", (variant) => {
    const [length, units, block, states] = [8, 4, 4, 2];
    const model = net().blockState(1, { block, states, variant, widen: 1, stateSize: 4 }) as unknown as Model;
    const x = random(1).normals([1, length, units], 0, 1);
    const own = model.init(random(2), [length, units])["1-blockState"] as Params;
    const normal = (of: tf.Tensor): tf.Tensor => nn.layerNormalise(of, tf.ones([units]), tf.zeros([units]));
    const before = normal(x);
    const space = layers.s4d(4, { mix: "none" });
    const filters = variant === "filters" ? states : 1;
    const told = space.apply(tf.tile(before, [1, 1, filters]), own.space as Params, still);
    const rows = (of: tf.Tensor, from: number, count: number): tf.Tensor =>
      tf.slice(of, [0, from, 0], [1, count, of.shape[2]!]);
    const attend = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, causal: boolean): tf.Tensor => {
      const scores = tf.div(tf.matMul(q, k, false, true), Math.sqrt(units));
      const later = tf.sub(1, tf.linalg.bandPart(tf.ones([block, block]) as tf.Tensor2D, -1, 0));
      return tf.matMul(tf.softmax(causal ? tf.sub(scores, tf.mul(later, 1e9)) : scores), v);
    };
    const wanted = [0, 1].map((piece) => {
      const [tokens, passing] = [rows(before, piece * block, block), rows(x, piece * block, block)];
      const ends =
        piece === 0
          ? tf.zeros([1, states, units])
          : tf.reshape(variant === "single" ? rows(told, block - states, states) : rows(told, block - 1, 1), [
              1,
              states,
              units,
            ]);
      const known = normal(ends);
      const seen = attend(dense(tokens, own, "query"), dense(tokens, own, "key"), dense(tokens, own, "value"), true);
      const recalled = attend(
        dense(tokens, own, "recall"),
        dense(known, own, "stateKey"),
        dense(known, own, "stateValue"),
        false,
      );
      const between = tf.add(passing, dense(tf.concat([seen, recalled], 2), own, "out"));
      return tf.add(between, dense(nn.gelu(dense(normal(between), own, "up")), own, "down"));
    });
    close(numbers(model.apply({ "1-blockState": own }, x, still)), numbers(tf.concat(wanted, 1)), 4);
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
    expect(() => net().blockState(1, { block: 4 }).features([6, 4])).toThrow();
  });
});

describe("P221: blocks with states that go on", () => {
  // numbers beside PyTorch's are in peers.test.ts
  const model = net().blockRecurrent(2, { block: 2, states: 3, widen: 1 }) as unknown as Model;
  const params = model.init(random(1), [8, 4]);
  const own = params["1-blockRecurrent"] as Params;
  const x = random(2).normals([1, 8, 4], 0, 1);
  const other = tf.concat([random(3).normals([1, 1, 4], 0, 1), tf.slice(x, [0, 1, 0], [1, 7, 4])], 1);
  /** Places whose answers differ when the first token does. */
  const moved = (given: Params): number[] => {
    const [a, b] = [x, other].map((of) => numbers(model.apply({ "1-blockRecurrent": given }, of, still)));
    return [...Array(8).keys()].filter((t) => a!.slice(4 * t, 4 * t + 4).some((v, i) => v !== b![4 * t + i]));
  };

  test("tell of what is before the window, unless the gate lets nothing in", () => {
    expect(moved(own)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    // σ(100) is 1: the states stay as they began, and a window of two places is all that is seen
    expect(moved({ ...own, keep: tf.fill([4], 100) })).toEqual([0, 1]);
  });

  test("do not see what comes", () => {
    const cut = model.apply(params, tf.slice(x, [0, 0, 0], [1, 5, 4]), still);
    close(numbers(cut), numbers(model.apply(params, x, still)).slice(0, 20));
  });
});
