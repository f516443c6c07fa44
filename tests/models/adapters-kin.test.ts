import { describe, expect, test } from "vitest";
import { mapTensors, paths, random, type Tree, tf } from "../../lib/engine/index.ts";
import {
  allora,
  from,
  lotr,
  merged,
  mora,
  net,
  network,
  pmss,
  prefix,
  prompt,
  trained,
  vera,
  vit,
} from "../../lib/models/index.ts";
import { type Model, type Params, tape } from "../../lib/models/model.ts";
import { pretrained } from "../../lib/runs/index.ts";
import { trainedGrad } from "../../lib/train/parts/trained.ts";

const shape = [8, 8, 1];
const small = (): Model => vit({ patch: 4, width: 8, depth: 2, heads: 2 });
const dense = (units: number): Model => net().dense(units, { bias: false }) as unknown as Model;
const close = (a: ArrayLike<number>, b: ArrayLike<number>, digits = 5): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < b.length; i++) expect(a[i]).toBeCloseTo(b[i]!, digits);
};
/** The change that an adapter makes of a kernel of zeros, row by row, where its own tensors are given. */
const changeOf = (model: Model, inputs: number, own: Params, shared: Params = {}): Float32Array => {
  const params = {
    "1-dense": { kernel: tf.zeros([inputs, model.features([inputs])[0]!]), adapters: own },
    ...(Object.keys(shared).length > 0 && { adapters: shared }),
  };
  return model.apply(params, tf.eye(inputs), tape(false, null, {}).mode).dataSync() as Float32Array;
};
const trainedIn = (model: Model, input: number[]): number => {
  const of = network(model, input);
  return paths(of.init(random(0), 2).model as Tree).reduce(
    (sum, [path, t]) => sum + (of.frozen!(`model/${path}`) ? 0 : t.size),
    0,
  );
};

describe("allora (P038)", () => {
  test("the gradient of each column of U is divided by √(‖u‖ + 1/η²)", () => {
    const model = dense(2).adapt(allora({ rank: 2, eta: 2 }));
    const of = network(model, [3]);
    const down = tf.tensor2d([1, 2, 0, 1, -1, 1], [3, 2]);
    const up = tf.tensor2d([0, 3, 0, 4], [2, 2]); // columns of length 0 and 5
    const weights = {
      ...of.init(random(0), 2),
      model: { "1-dense": { kernel: tf.zeros([3, 2]), adapters: { allora: { down, up } } } },
    };
    const x = tf.tensor2d([[1, 2, 3]]);
    const { grads } = trainedGrad((w) => tf.sum(of.features(w, x, tape(true, null, {}).mode)), weights, of.frozen);
    const own = ((grads.model["1-dense"] as Params).adapters as Params).allora as Record<string, tf.Tensor>;
    const [h0, h1] = [1 * 1 + 2 * 0 + 3 * -1, 1 * 2 + 2 * 1 + 3 * 1]; // x D
    const [idle, long] = [1 / Math.sqrt(1 / 4), 1 / Math.sqrt(5 + 1 / 4)];
    close(own.up!.dataSync(), [h0 * idle, h0 * long, h1 * idle, h1 * long]);
    close(own.down!.dataSync(), [3, 4, 6, 8, 9, 12]); // x ⊗ the rows' sums of U, as without
  });
});

describe("mora (P187)", () => {
  const square = (side: number): tf.Tensor2D => random(5).normals([side, side]) as tf.Tensor2D;

  test("with sums: pieces of the input, the last filled up with the first numbers, through one square whose output is repeated", () => {
    const model = dense(5).adapt(mora({ rank: 1, pieces: "sum" })); // side ⌊√12 + ½⌋ = 3 for 7 inputs
    const m = square(3);
    const found = changeOf(model, 7, { mora: { square: m } });
    const numbers = m.dataSync();
    const wanted = new Float32Array(7 * 5);
    for (
      let at = 0;
      at < 9;
      at++ // piece by piece, place at is number at mod 7
    )
      for (let unit = 0; unit < 5; unit++) wanted[(at % 7) * 5 + unit]! += numbers[(at % 3) * 3 + (unit % 3)]!;
    close(found, wanted);
  });

  test("turned: the i-th piece turned by i times its angles gives the i-th piece of the output", () => {
    const model = dense(8).adapt(mora({ rank: 1 })); // side 4 for 8 inputs
    const m = square(4);
    const found = changeOf(model, 8, { mora: { square: m } });
    const numbers = m.dataSync();
    const wanted = new Float32Array(64);
    for (let piece = 0; piece < 2; piece++)
      for (let j = 0; j < 4; j++) {
        const turned = [0, 0, 0, 0]; // the unit vector j of the piece: a pair is (k, k + 2)
        const angle = piece / 10000 ** ((2 * (j % 2)) / 4);
        turned[j] = Math.cos(angle);
        turned[(j + 2) % 4] = (j < 2 ? 1 : -1) * Math.sin(angle);
        for (let unit = 0; unit < 4; unit++)
          wanted[(piece * 4 + j) * 8 + piece * 4 + unit] = turned.reduce(
            (sum, v, i) => sum + v * numbers[i * 4 + unit]!,
            0,
          );
      }
    close(found, wanted);
  });

  test("has as many numbers as LoRA of its rank, and a change of a far higher rank", () => {
    const model = dense(8).adapt(mora({ rank: 1 }));
    expect(trainedIn(model, [8])).toBe(16); // LoRA of rank 1: 16
    const change = changeOf(model, 8, { mora: { square: square(4) } });
    const rows = Array.from({ length: 8 }, (_, i) => [...change.slice(i * 8, i * 8 + 8)]);
    expect(rankOf(rows)).toBe(8);
  });
});

/** The rank of a matrix, by elimination. */
function rankOf(given: number[][]): number {
  const rows = given.map((row) => [...row]);
  let rank = 0;
  for (let column = 0; column < rows[0]!.length && rank < rows.length; column++) {
    const best = rows
      .slice(rank)
      .reduce((a, row, i) => (Math.abs(row[column]!) > Math.abs(rows[a]![column]!) ? rank + i : a), rank);
    if (Math.abs(rows[best]![column]!) < 1e-4) continue;
    [rows[rank], rows[best]] = [rows[best]!, rows[rank]!];
    for (let i = rank + 1; i < rows.length; i++) {
      const factor = rows[i]![column]! / rows[rank]![column]!;
      rows[i] = rows[i]!.map((v, j) => v - factor * rows[rank]![j]!);
    }
    rank++;
  }
  return rank;
}

describe("lotr (P199)", () => {
  test("adds alpha · A G B, A and B shared by layers of one shape", () => {
    const model = dense(2).adapt(lotr({ rank: 1, alpha: 3 }));
    const shared = { lotr: { left2x2: tf.tensor2d([[1], [2]]), right2x2: tf.tensor2d([[5, 7]]) } };
    close(changeOf(model, 2, { lotr: { core: tf.tensor2d([[2]]) } }, shared), [30, 42, 60, 84]);
  });

  test("trains (inputs + units) · rank + layers · rank² numbers for layers of one shape", () => {
    const model = small().adapt(lotr({ rank: 2, on: ["*query", "*value"] }));
    expect(trainedIn(model, shape)).toBe((8 + 8) * 2 + 4 * 4);
    const at = paths(network(model, shape).init(random(0), 2).model as Tree).map(([path]) => path);
    expect(at).toContain("adapters/lotr/left8x8");
    expect(at).toContain("block2/value/adapters/lotr/core");
  });
});

describe("vera", () => {
  test("trains rank + units numbers for each layer, and its shared matrices never, whatever a filter says", () => {
    const model = small().adapt(vera({ rank: 4, on: ["*query"] }));
    expect(trainedIn(model, shape)).toBe(2 * (4 + 8));
    expect(trainedIn(model.trainOnly("*adapters*"), shape)).toBe(2 * (4 + 8));
  });
});

describe("pmss (P279)", () => {
  test("its columns and rows are the kernel's own, those a decomposition with pivots takes first", () => {
    // rows: the last is longest; the second is nearly along it, so the first is next
    const kernel = [1, 0, 0, 0.1, 2.9, 0, 0, 3, 0];
    const base = { name: "small", init: () => ({ "1-dense": { kernel: tf.tensor2d(kernel, [3, 3]) } }) };
    const model = { ...dense(3), ...base, adapt: dense(3).adapt } as Model;
    const own = model.adapt(pmss({ rank: 2 })).init(random(0), [3]);
    const { rows, columns, square } = ((own["1-dense"] as Params).adapters as Params).pmss as Record<string, tf.Tensor>;
    const size = Math.sqrt((9 + 1) / 6);
    close(rows!.dataSync(), [0, 3 / size, 0, 1 / size, 0, 0]);
    expect(columns!.shape).toEqual([3, 2]);
    close([...square!.dataSync()], [0, 0, 0, 0]);
  });

  test("trains rank² numbers for each layer and merges", () => {
    const model = small().adapt(pmss({ rank: 3, on: ["*query", "*up"] }));
    expect(trainedIn(model, shape)).toBe(4 * 9);
  });
});

describe.each([
  ["mora", mora({ rank: 2 })],
  ["mora with sums", mora({ rank: 2, pieces: "sum" })],
  ["lotr", lotr({ rank: 2 })],
  ["pmss", pmss({ rank: 2 })],
  ["allora", allora({ rank: 2 })],
  ["vera", vera({ rank: 4 })],
])("%s", (_, own) => {
  test("merged gives the same, on a vision transformer and on convolutions", () => {
    const image = net().conv(3, 3).relu().conv(4, 3).relu().flatten() as unknown as Model;
    for (const model of [small().adapt(own), image.adapt(own)]) {
      const drawn = network(model, shape).init(random(2), 3);
      const at = new Map(paths(drawn as Tree).map(([path, t]) => [t, path]));
      const weights = mapTensors(
        (t) => (at.get(t)!.includes("adapters") ? random(t.size).uniforms(t.shape, -0.3, 0.3) : t),
        drawn,
      );
      const big = trained({ model, input: shape, weights });
      const plain = merged(big);
      const x = random(1).uniforms([2, ...shape]);
      close(plain.predict(x).dataSync(), big.predict(x).dataSync(), 5);
      expect(paths(plain.weights as Tree).some(([path]) => path.includes("adapters"))).toBe(false);
      for (const one of [big, plain]) one.dispose();
    }
  });
});

describe("prompts and prefixes", () => {
  test("shallow prompts are one set of vectors, deep ones one for each block, prefixes two", () => {
    expect(trainedIn(small().adapt(prompt({ length: 3, deep: false })), shape)).toBe(3 * 8);
    expect(trainedIn(small().adapt(prompt({ length: 3 })), shape)).toBe(2 * 3 * 8);
    expect(trainedIn(small().adapt(prefix({ length: 3 })), shape)).toBe(2 * 2 * 3 * 8);
    const hidden = 2 * 2 * (3 * 8 + 8 * 4 + 4 + 4 * 8 + 8);
    expect(trainedIn(small().adapt(prefix({ length: 3, hidden: 4 })), shape)).toBe(hidden);
  });

  test("what becomes of shallow prompts in a block is what the next one sees", () => {
    const model = small().adapt(prompt({ length: 2, deep: false }));
    const weights = network(model, shape).init(random(0), 2).model;
    const x = random(1).uniforms([2, ...shape]);
    const { block1, block2, patches, class: token, positions, norm, adapters } = weights as Record<string, Params>;
    const blocks = [1, 2].map(
      (i) => (small() as unknown as { stack: { apply: (...args: unknown[]) => tf.Tensor }[] }).stack[2 + i]!,
    );
    const { mode } = tape(false, null, {});
    const stack = (small() as unknown as { stack: { apply: (...args: unknown[]) => tf.Tensor }[] }).stack;
    let h = stack[2]!.apply(stack[1]!.apply(stack[0]!.apply(x, patches, mode), token, mode), positions, mode);
    const vectors = ((adapters as Params).prompt as Params).prompt as tf.Tensor;
    h = tf.concat([tf.tile(tf.expandDims(vectors, 0), [2, 1, 1]), h], 1); // once, before the first
    h = blocks[1]!.apply(blocks[0]!.apply(h, block1, mode), block2, mode);
    h = stack[5]!.apply(tf.slice(h, [0, 2, 0], [2, 1, 8]), norm, mode);
    close(model.apply(weights, x, mode).dataSync(), h.dataSync());
  });

  test("a prefix on what makes no keys or values is a sentence", () => {
    expect(() =>
      small()
        .adapt(prefix({ on: "*query" }))
        .init(random(0), shape),
    ).toThrow("prefix: on must be");
  });
});

test("adapters are put on the network that comes with the library, from whose weights pmss takes its skeleton", () => {
  const model = from(pretrained("vit-small")).adapt(pmss({ rank: 4, on: "block4/up" }));
  const params = model.init(random(0), [28, 28, 1]);
  const { kernel, adapters } = (params.block4 as Params).up as {
    kernel: tf.Tensor;
    adapters: { pmss: { rows: tf.Tensor } };
  };
  const [row] = tf.unstack(adapters.pmss.rows) as [tf.Tensor];
  const cosines = tf.unstack(kernel).map((of) => {
    const along = tf.sum(tf.mul(of, row)).dataSync()[0]!;
    return along / (tf.norm(of).dataSync()[0]! * tf.norm(row).dataSync()[0]!);
  });
  expect(Math.max(...cosines)).toBeCloseTo(1, 5);
});
