/** Layers with a state along a sequence: all places at once against one after the other, against plain arithmetic, and against finite differences. */
import { readFileSync } from "node:fs";
import {
  exportOnnx,
  importOnnx,
  jit,
  leaves,
  type Model,
  modelFromJson,
  net,
  network,
  type Params,
  paths,
  random,
  ssm,
  stepping,
  type Tree,
  tape,
  tf,
  trained,
  unflatten,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { decayedSums, deltaSums, unitLowerInverse } from "../../lib/models/parts/chunks.ts";
import { unitLength } from "../../lib/models/parts/stateful.ts";
import { peerNumbers as numbers } from "../support/peer-numbers.ts";

const numbersOf = (t: tf.Tensor): number[] => [...t.dataSync()];
const close = (got: readonly number[], wanted: readonly number[], tolerance = 1e-5): void => {
  expect(got.length).toBe(wanted.length);
  const scale = Math.max(1e-3, ...wanted.map(Math.abs));
  expect(Math.max(...got.map((v, i) => Math.abs(v - wanted[i]!))) / scale).toBeLessThan(tolerance);
};

const layers: readonly (readonly [string, unknown])[] = [
  ["P168 gla", net().gla(2)],
  ["deltaNet", net().deltaNet(2)],
  ["deltaNet with gates", net().deltaNet(2, { gated: true })],
  ["mlstm", net().mlstm(2)],
  ["linearAttention", net().linearAttention(2)],
  ["retention", net().retention(2)],
  ["P073 lightNet", net().lightNet(2)],
  ["P119 longhorn", net().longhorn({ state: 4 })],
  ["P067 lru", net().lru(5)],
  ["P086 ttt", net().ttt(2)],
  ["P086 ttt that learns two layers", net().ttt(2, { inner: "mlp", batch: 8 })],
  ["P049 neuralMemory", net().neuralMemory(2)],
  ["P049 neuralMemory of a matrix", net().neuralMemory(2, { depth: 1, batch: 16 })],
  ["P072 lattice", net().lattice(2, { slots: 5 })],
  ["causalConv", net().causalConv(3, { dilation: 2 })],
  ["P183 smr", net().smr(3)],
];
const [n, length, units] = [2, 37, 8];
const x = random(1).normals([n, length, units], 0, 1);

describe.each(layers)("%s", (_, given) => {
  const model = given as Model;
  // numbers as training leaves them: none of those that begin as 0 or 1 stays so
  const begun = model.init(random(2), [length, units]);
  const noise = random(3);
  const params = unflatten(
    begun,
    paths(begun as Tree).map(([path, t]) => tf.add(t, noise.at(path).normals(t.shape, 0, 0.1))),
  ) as Params;
  const whole = (p: Params, x: tf.Tensor): tf.Tensor => model.apply(p, x, tape(true, null, {}).mode);

  test("gives the same all at once and place by place", () => {
    const structure = network(model, [length, units]);
    const own = trained({ model, input: [length, units], weights: { ...structure.init(random(4), 3), model: params } });
    tf.tidy(() => {
      const stepper = stepping(own, { sequences: n });
      const pieces = [
        [0, 1],
        [1, 3],
        [3, length],
      ].map(([from, to]) => stepper.read(tf.slice(x, [0, from!], [n, to! - from!])));
      close(numbersOf(tf.concat(pieces, 1)), numbersOf(own.predict(x)));
    });
  });

  test("is made again from its JSON, and saved as ONNX for any batch", () => {
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
    const onnx = importOnnx(exportOnnx((x) => whole(params, x!), [tf.zeros([1, length, units])], { batch: "any" }));
    close(numbersOf(onnx(x)[0]!), numbersOf(whole(params, x)));
  });

  test("has the gradients that finite differences have", () => {
    const few = tf.mul(tf.slice(x, [0, 0], [1, 20]), 1);
    const weigh = random(5).normals(few.shape, 0, 1);
    const loss = ({ params, x }: { params: Params; x: tf.Tensor }): tf.Tensor =>
      tf.sum(tf.mul(whole(params, x), weigh));
    const at = { params, x: few };
    const { grads } = jit((given: typeof at) => valueAndGrad(loss, given))(at);
    const way = leaves(at).map((t, i) => random(6).at("way", i).normals(t.shape, 0, 1));
    const along = leaves(grads).reduce((sum, g, i) => sum + tf.sum(tf.mul(g, way[i]!)).dataSync()[0]!, 0);
    const shifted = (by: number): number => {
      const moved = leaves(at).map((t, i) => tf.add(t, tf.mul(way[i]!, by)));
      return loss(unflatten(at, moved) as typeof at).dataSync()[0]!;
    };
    const central = (step: number): number => (shifted(step) - shifted(-step)) / (2 * step);
    // without the error of second order
    const slope = (4 * central(1e-3) - central(2e-3)) / 3;
    expect(Math.abs(slope - along)).toBeLessThan(0.01 * Math.max(1, Math.abs(slope)));
  });
});

describe("states of matrices in chunks", () => {
  const [heads, keys, values] = [2, 3, 4];
  const draw = (at: string, d: number, least = -1, most = 1): tf.Tensor =>
    random(7).at(at).uniforms([n, length, heads, d], least, most);
  const [q, k, v] = [draw("q", keys), draw("k", keys), draw("v", values)];
  const nested = (t: tf.Tensor) => t.arraySync() as number[][][][];

  /** The recurrence in plain arithmetic: `rule` changes a state `[keys][values]` at a place. */
  const byHand = (rule: (state: number[][], i: number, t: number, h: number) => void): number[] => {
    const queries = nested(q);
    const out = new Float64Array(n * length * heads * values);
    for (let i = 0; i < n; i++)
      for (let h = 0; h < heads; h++) {
        const state = Array.from({ length: keys }, () => new Array<number>(values).fill(0));
        for (let t = 0; t < length; t++) {
          rule(state, i, t, h);
          for (let j = 0; j < values; j++)
            out[((i * length + t) * heads + h) * values + j] = state.reduce(
              (sum, row, c) => sum + queries[i]![t]![h]![c]! * row[j]!,
              0,
            );
        }
      }
    return [...out];
  };

  test.each([
    ["by row", draw("decay", keys, -8, 0)],
    ["alike", draw("decay", 1, -2, 0)],
    ["not at all", null],
  ])("decaying %s are their recurrence", (_, decay) => {
    const [keysOf, valuesOf, decays] = [nested(k), nested(v), decay && nested(decay)];
    const wanted = byHand((state, i, t, h) =>
      state.forEach((row, c) => {
        const own = decays === null ? null : decays[i]![t]![h]!;
        const kept = own === null ? 1 : Math.exp(own[own.length === 1 ? 0 : c]!);
        row.forEach((old, j) => {
          row[j] = kept * old + keysOf[i]![t]![h]![c]! * valuesOf[i]![t]![h]![j]!;
        });
      }),
    );
    close(numbersOf(decayedSums(q, k, v, decay)), wanted);
  });

  test.each([
    ["without decay", null],
    ["with decay", draw("decay", 1, -1, 0)],
  ])("by the delta rule %s are their recurrence, also for keys that are all alike", (_, decay) => {
    const rate = draw("rate", 1, 0, 1);
    const same = tf.fill(k.shape, Math.sqrt(1 / keys));
    for (const own of [tf.div(k, tf.norm(k, "euclidean", -1, true)), same]) {
      const [keysOf, valuesOf, rates, decays] = [nested(own), nested(v), nested(rate), decay && nested(decay)];
      const wanted = byHand((state, i, t, h) => {
        const g = decays === null ? 1 : Math.exp(decays[i]![t]![h]![0]!);
        const key = keysOf[i]![t]![h]!;
        for (let j = 0; j < values; j++) {
          const answer = state.reduce((sum, row, c) => sum + g * row[j]! * key[c]!, 0);
          const written = rates[i]![t]![h]![0]! * (valuesOf[i]![t]![h]![j]! - answer);
          state.forEach((row, c) => {
            row[j] = g * row[j]! + key[c]! * written;
          });
        }
      });
      close(numbersOf(deltaSums(q, own, v, rate, decay)), wanted, 2e-5);
    }
  });

  test("sums along an axis that is not the last have their gradient", () => {
    const [x, dy] = ["x", "dy"].map((at) => random(10).at(at).uniforms([2, 3, 4, 2]));
    const grad = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(tf.cumsum(x, 1), dy!)))(x!);
    close(numbersOf(grad), numbersOf(tf.cumsum(dy!, 1, false, true)));
  });

  test("the inverse of a triangle is its inverse, and its gradient is that of the products", () => {
    const a = tf.mul(random(8).uniforms([2, 16, 16], -1, 1), tf.linalg.bandPart(tf.ones([16, 16]), -1, 0));
    const below = tf.sub(a, tf.mul(a, tf.eye(16)));
    const inverse = unitLowerInverse(below);
    close(
      numbersOf(tf.matMul(tf.add(below, tf.eye(16)), inverse)),
      numbersOf(tf.tile(tf.expandDims(tf.eye(16)), [2, 1, 1])),
      1e-4,
    );
    // d(X) = −X dA X
    const [dy, way] = ["dy", "way"].map((at) => random(9).at(at).uniforms([2, 16, 16], -1, 1));
    const grad = tf.grad((a: tf.Tensor) => tf.sum(tf.mul(unitLowerInverse(a), dy!)))(below);
    const wanted = tf.neg(tf.sum(tf.mul(tf.matMul(tf.matMul(inverse, way!), inverse), dy!)));
    close(numbersOf(tf.sum(tf.mul(grad, way!))), numbersOf(wanted), 1e-4);
  });
});

test.each(["s4", "s4d", "s5", "mamba", ["mamba", "transformer"]] as const)(
  "P148: a model of %s blocks gives place by place what it gives for the whole sequence",
  (kind) => {
    const model = ssm({ kind, tokens: 7, width: 8, depth: 2, state: 4 }) as unknown as Model;
    const own = trained({ model, input: [12], weights: network(model, [12]).init(random(1), 3) });
    tf.tidy(() => {
      const tokens = tf.floor(random(2).uniforms([2, 12], 0, 7));
      const stepper = stepping(own, { sequences: 2 });
      const parts = [stepper.read(tf.slice(tokens, [0, 0], [2, 5])), stepper.read(tf.slice(tokens, [0, 5], [2, 7]))];
      close(numbersOf(tf.concat(parts, 1)), numbersOf(own.predict(tokens)));
    });
  },
);

describe("what other programs come to (peers/with-sequences.py)", () => {
  const peers = JSON.parse(readFileSync(new URL("peers/sequences.json", import.meta.url), "utf8"));

  test("mlstm is the layer of xLSTM in Hugging Face's transformers", () => {
    const model = net().mlstm(2) as unknown as Model;
    const tree = model.init(random(0), [21, 8]);
    const params = unflatten(
      tree,
      paths(tree as Tree).map(([path, { shape }]) =>
        tf.tensor(peers.mlstm.params[path.replace("1-mlstm/", "")], shape),
      ),
    ) as Params;
    close(
      numbersOf(model.apply(params, numbers(1, [2, 21, 8], 0, 3), tape(false, null, {}).mode)),
      peers.mlstm.out,
      2e-5,
    );
  });

  test("the delta rule with decay is that of Qwen3-Next there", () => {
    const [q, k, v] = [0, 1, 2].map((i) => numbers(200 + i, [2, 21, 2, 4], 0, 2)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const [rate, decay] = [numbers(203, [2, 21, 2, 1], 0.5, 1), numbers(204, [2, 21, 2, 1], -0.5, 1)];
    close(numbersOf(deltaSums(tf.div(unitLength(q), 2), unitLength(k), v, rate, decay)), peers.delta.out, 2e-5);
  });

  test.each([
    ["P086 ttt", "ttt", net().ttt(2, { batch: 8 })],
    ["P086 ttt of two layers", "tttMlp", net().ttt(2, { inner: "mlp", rate: 1, batch: 8 })],
    ["P049 neuralMemory of one layer", "titans", net().neuralMemory(2, { depth: 1 })],
    ["P049 neuralMemory", "titansMlp", net().neuralMemory(2)],
    ["P072 lattice", "lattice", net().lattice(2, { slots: 3 })],
  ])("%s learns as it does with gradients of autograd", (_, name, given) => {
    const model = given as unknown as Model;
    const { params: told, out } = peers[name] as {
      params: Record<string, [number, number[], number, number]>;
      out: number[];
    };
    const tree = model.init(random(0), [21, 8]);
    const layer = Object.keys(tree)[0]!;
    const params = unflatten(
      tree,
      paths(tree as Tree).map(([path]) => numbers(...told[path.replace(`${layer}/`, "")]!)),
    ) as Params;
    close(numbersOf(model.apply(params, numbers(1, [2, 21, 8], 0, 3), tape(false, null, {}).mode)), out, 5e-5);
  });

  test("P119: a state moves to where old and new cost least together, where a key has one number", () => {
    const model = net().longhorn({ state: 3, expand: 1, conv: 1, rank: 1 }) as unknown as Model;
    const own = model.init(random(1), [2, 2])["1-longhorn"] as {
      [part: string]: tf.Tensor & { [name: string]: tf.Tensor };
    };
    const identity = tf.eye(2);
    // u comes through as silu(4 x); the key is the second channel's u in the third place of the state, the query reads that place; no gate but silu(3)
    const params = {
      ...own,
      in: { kernel: tf.concat([tf.mul(identity, 4), tf.zeros([2, 2])], 1), bias: tf.tensor1d([0, 0, 3, 3]) },
      conv: { kernel: tf.ones([1, 2]), bias: tf.zeros([2]) },
      select: {
        kernel: tf.tensor2d([
          [0, 0, 0, 0, 0, 0, 0],
          [0, 0, 0, 1, 0, 0, 0],
        ]),
        bias: tf.tensor1d([0, 0, 0, 0, 0, 0, 1]),
      },
      rate: { kernel: tf.zeros([1, 2]), bias: tf.tensor1d([0.5, -1]) },
      skip: tf.zeros([2]),
      out: { kernel: identity },
    };
    const x = tf.tensor3d([
      [
        [0.5, 1],
        [-0.3, 0.7],
        [0.9, 0.2],
      ],
    ]);
    const soft = (v: number): number => v / (1 + Math.exp(-v));
    const rates = [0.5, -1].map((b) => 1 / (1 + Math.exp(-b)));
    const state = [0, 0];
    const wanted = (x.arraySync() as number[][][])[0]!.flatMap((row) => {
      const u = row.map((v) => soft(4 * v));
      return u.map((value, c) => {
        // the minimum of (s − s₋)² + β (s k − u)²
        state[c] = (state[c]! + rates[c]! * u[1]! * value) / (1 + rates[c]! * u[1]! ** 2);
        return state[c]! * soft(3);
      });
    });
    close(numbersOf(model.apply({ "1-longhorn": params } as never, x, tape(false, null, {}).mode)), wanted);
  });

  test("P067: a linear recurrent unit gives sums of what came in, each turned and shortened by its age", () => {
    const model = net().lru(3) as unknown as Model;
    const own = model.init(random(1), [6, 2]);
    const part = own["1-lru"] as {
      factors: { [name: string]: tf.Tensor };
      in: { kernel: tf.Tensor };
      out: { kernel: tf.Tensor };
      skip: tf.Tensor;
    };
    const [size, angle, scale] = ["size", "angle", "scale"].map((name) => numbersOf(part.factors[name]!));
    const [enter, leave, skip] = [part.in.kernel, part.out.kernel]
      .map((t) => t.arraySync() as number[][])
      .concat([[numbersOf(part.skip)]]);
    const given = random(2).normals([1, 6, 2], 0, 1);
    const rows = (given.arraySync() as number[][][])[0]!;
    const wanted = rows.flatMap((row, t) =>
      row.map((value, c) => {
        let sum = skip![0]![c]! * value;
        for (let j = 0; j < 3; j++)
          for (let s = 0; s <= t; s++) {
            const [re, im] = [j, 3 + j].map(
              (k) => Math.exp(scale![j]!) * rows[s]!.reduce((all, v, i) => all + v * enter![i]![k]!, 0),
            );
            const [length, turn] = [Math.exp(-Math.exp(size![j]!) * (t - s)), angle![j]! * (t - s)];
            sum += length * (Math.cos(turn) * re! - Math.sin(turn) * im!) * leave![j]![c]!;
            sum += length * (Math.sin(turn) * re! + Math.cos(turn) * im!) * leave![3 + j]![c]!;
          }
        return sum;
      }),
    );
    close(numbersOf(model.apply(own, given, tape(false, null, {}).mode)), wanted);
    const squares = numbersOf(part.factors.size!).map((v) => Math.exp(-2 * Math.exp(v)));
    close(
      numbersOf(part.factors.scale!).map((v) => Math.exp(2 * v)),
      squares.map((v) => 1 - v),
      1e-4,
    );
  });

  test("P073: without order every place reads the mean of the values by the softmax of the keys", () => {
    const model = net().lightNet(1, { causal: false }) as unknown as Model;
    const own = model.init(random(1), [5, 4]);
    const given = random(2).normals([1, 5, 4], 0, 1);
    const { query, key, value, gateDown, gateUp, out } = own["1-lightNet"] as { [part: string]: { kernel: tf.Tensor } };
    const rows = tf.squeeze(given, [0]);
    const by = (part: { kernel: tf.Tensor } | undefined): tf.Tensor => tf.matMul(rows, part!.kernel);
    const state = tf.matMul(tf.softmax(tf.transpose(by(key))), by(value));
    const read = tf.matMul(tf.div(silu(by(query)), 2), state);
    const normal = tf.div(read, tf.sqrt(tf.add(tf.mean(tf.square(read), -1, true), 1e-5)));
    const gate = silu(tf.matMul(by(gateDown), gateUp!.kernel));
    const wanted = tf.matMul(tf.mul(normal, gate), out!.kernel);
    close(numbersOf(model.apply(own, given, tape(false, null, {}).mode)), numbersOf(wanted));
  });
});

const silu = (t: tf.Tensor): tf.Tensor => tf.mul(t, tf.sigmoid(t));
