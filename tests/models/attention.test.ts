/** Attention, its options and what blocks of transformers are made of, against plain arithmetic; those of Llama, Mistral and Qwen3 are in peers.test.ts. */
import {
  type GptOptions,
  generate,
  gpt,
  layers,
  leaves,
  type Model,
  modelFromJson,
  net,
  network,
  type Params,
  random,
  stepping,
  type TrainedNetwork,
  tape,
  tf,
  trained,
  vit,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { contextBias } from "../../lib/models/parts/cape.ts";
import { alibiSlopes, sightBias } from "../../lib/models/parts/visible.ts";
import { slopeAlong } from "./slope.ts";

const numbers = (t: tf.Tensor | Params | undefined): number[] => [...(t as tf.Tensor).dataSync()];
const still = tape(false, null, {}).mode;
const given = (model: unknown, x: tf.Tensor, params: Params): number[] =>
  numbers(tf.tidy(() => (model as Model).apply(params, x, still)));
const close = (got: readonly number[], wanted: readonly number[], digits = 5): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(wanted[i]!, digits);
  });
};
/** A model of one layer, its drawn parameters and what it gives for `x`. */
function drawn(model: unknown, x: tf.Tensor): { readonly own: Params; readonly out: number[] } {
  const params = (model as Model).init(random(3), x.shape.slice(1));
  return { own: Object.values(params)[0] as Params, out: given(model, x, params) };
}
const row = (a: readonly number[], width: number, i: number): number[] => a.slice(i * width, (i + 1) * width);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

describe("who sees whom", () => {
  const all = { heads: 1, causal: false, window: 0, shards: 0, shardSize: 1, alibi: false };

  test("scores fall with the distance at a rate for each head, as Press et al. give it", () => {
    // section 3: for 8 heads 1/2, 1/4, … 1/256; for 12 those of 8, then every second one of 16
    expect(alibiSlopes(8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((k) => 2 ** -k));
    close(
      alibiSlopes(12).slice(8),
      [0.5, 1.5, 2.5, 3.5].map((k) => 2 ** -k),
      6,
    );
    const sight = { ...all, heads: 2, causal: true, alibi: true };
    close(row(numbers(sightBias(sight, 3, 3)), 3, 2), [-2 / 16, -1 / 16, 0]);
    close(row(numbers(sightBias(sight, 3, 3)), 3, 5), [-2 / 256, -1 / 256, 0]);
  });

  test("a window lets a place see as many as it is wide, and prompts before all", () => {
    const seen = (causal: boolean, keys: number): string[] =>
      numbers(sightBias({ ...all, causal, window: 2 }, 4, keys))
        .map((v) => (v === 0 ? "1" : "."))
        .join("")
        .match(new RegExp(`.{${keys}}`, "g"))!
        .map(String);
    expect(seen(true, 4)).toEqual(["1...", "11..", ".11.", "..11"]);
    expect(seen(false, 4)).toEqual(["11..", "111.", ".111", "..11"]);
    expect(seen(true, 5)).toEqual(["11...", "111..", "1.11.", "1..11"]);
  });
});

describe("P286: shards of the context", () => {
  test("are other ones in each head, and together they are all of it", () => {
    const sight = { heads: 4, causal: true, window: 2, shards: 4, shardSize: 1, alibi: false };
    const seen = numbers(sightBias(sight, 12, 12)).map((v) => v === 0);
    const rowOf = (head: number, place: number): boolean[] => seen.slice((head * 12 + place) * 12).slice(0, 12);
    const shown = (head: number): string =>
      rowOf(head, 11)
        .map((v) => (v ? "1" : "."))
        .join("");
    // vLLM's block-sparse attention, which is the authors': (k + head · max(1, stride / heads) + 1) % stride is 0, or k is near
    expect([0, 1, 2, 3].map(shown)).toEqual(["...1...1..11", "..1...1...11", ".1...1...111", "1...1...1.11"]);
    for (let place = 0; place < 12; place++)
      for (let key = 0; key < 12; key++)
        expect([0, 1, 2, 3].some((head) => rowOf(head, place)[key])).toBe(key <= place);
    expect(() => net().attention(4, { shards: 4 })).toThrow("a window beside shards is required");
  });
});

describe("P194: positions of the context", () => {
  test("are the sums of unlikeness from a key on, and what is added lies between two vectors", () => {
    const [length, d, most] = [5, 3, 4];
    const [query, key] = [1, 2].map((seed) => random(seed).normals([1, 1, length, d], 0, 1));
    const places = random(3).normals([d, most], 0, 1);
    const [q, k, e] = [query!, key!, places].map(numbers) as [number[], number[], number[]];
    const at = (v: number[], i: number): number[] => row(v, d, i);
    const vector = (m: number): number[] => [0, 1, 2].map((i) => e[i * most + m]!);
    const wanted = Array.from({ length }, (_, i) =>
      Array.from({ length }, (_, j) => {
        const unlike = Array.from({ length }, (_, other) => 1 - 1 / (1 + Math.exp(-dot(at(q, i), at(k, other)))));
        const back = Math.min(
          most - 1,
          unlike.slice(j, i + 1).reduce((a, b) => a + b, 0),
        );
        const [low, high] = [Math.floor(back), Math.ceil(back)];
        const [below, above] = [dot(at(q, i), vector(low)), dot(at(q, i), vector(high))];
        return j > i ? dot(at(q, i), vector(0)) : (back - low) * above + (1 - back + low) * below;
      }),
    ).flat();
    const seen = tf.reshape(
      tf.tensor(Array.from({ length: 25 }, (_, i) => (i % 5 <= Math.floor(i / 5) ? 1 : 0))),
      [1, 1, 5, 5],
    );
    close(numbers(contextBias(query!, tf.matMul(query!, key!, false, true), seen, places)), wanted);
  });
});

describe("attention", () => {
  test("with rotary positions depends on distances alone", () => {
    const model = net().attention(1, { positions: "rotary", causal: false, window: 2 });
    const x = random(1).normals([1, 6, 4], 0, 1);
    const params = (model as unknown as Model).init(random(2), [6, 4]);
    // the same three vectors two places later; what is around them is out of sight
    const cut = (from: number): tf.Tensor => tf.slice(x, [0, from, 0], [1, 3, 4]);
    const later = tf.concat([tf.slice(x, [0, 0, 0], [1, 2, 4]), cut(0), tf.slice(x, [0, 5, 0], [1, 1, 4])], 1);
    const middle = (at: number, of: tf.Tensor): number[] => row(given(model, of, params), 4, at);
    close(middle(3, later), middle(1, cut(0)), 4);
  });

  test("of one head of keys and values is that of as many equal heads", () => {
    const x = random(1).normals([2, 5, 8], 0, 1);
    const few = net().attention(4, { kvHeads: 2 });
    const { own, out } = drawn(few, x);
    // each of the two heads is shared by two of the queries, one after the other
    const spread = (part: string): Params => {
      const { kernel, bias } = own[part] as { kernel: tf.Tensor; bias: tf.Tensor };
      const twice = (t: tf.Tensor): tf.Tensor =>
        tf.concat(
          tf.split(t, 2, -1).flatMap((head) => [head, head]),
          -1,
        );
      return { kernel: twice(kernel), bias: twice(bias) };
    };
    const all = { ...own, key: spread("key"), value: spread("value") };
    close(out, given(net().attention(4), x, { "1-attention": all }));
    expect(few.summary([5, 8])[0]!.parameters).toBe(72 + 2 * 36 + 72);
    expect(() => net().attention(4, { kvHeads: 3 })).toThrow("kvHeads that divide the 4 heads are required, got 3");
    expect(() => net().attention(2, { positions: "rotary" }).features([4, 6])).toThrow("heads of even width");
  });
});

describe("dense layers of a block", () => {
  const x = random(1).normals([1, 2, 6], 0, 1);
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  const gates = {
    glu: sigmoid,
    bilinear: (v: number) => v,
    reglu: (v: number) => Math.max(0, v),
    geglu: (v: number) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
    swiglu: (v: number) => v * sigmoid(v),
  } as const;

  test.each(Object.keys(gates) as (keyof typeof gates)[])("%s is its formula, with as many parameters", (name) => {
    const { own, out } = drawn(net().feedForward({ activation: name, bias: false }), x);
    const times = (v: readonly number[], part: string): number[] => {
      const { kernel } = own[part] as { kernel: tf.Tensor };
      const outputs = kernel.shape[1]!;
      const k = numbers(kernel);
      return Array.from({ length: outputs }, (_, j) => v.reduce((sum, one, i) => sum + one * k[i * outputs + j]!, 0));
    };
    const wanted = [0, 1].flatMap((t) => {
      const at = row(numbers(x), 6, t);
      const up = times(at, "up");
      return times(
        times(at, "gate").map((v, i) => gates[name](v) * up[i]!),
        "down",
      );
    });
    close(out, wanted);
    const count = (model: Model): number =>
      leaves(model.init(random(0), [2, 6]) as never).reduce((n, t) => n + t.size, 0);
    expect(count(net().feedForward({ activation: name, bias: false }) as unknown as Model)).toBe(
      count(net().feedForward({ activation: "relu", bias: false }) as unknown as Model),
    );
  });
});

describe("normalisation", () => {
  test("by the root mean square is its formula", () => {
    const params = { "1-rmsNorm": { scale: tf.tensor1d([1, 2]) } };
    close(
      given(net().rmsNorm({ epsilon: 0 }), tf.tensor2d([[3, 4]]), params),
      [3, 8].map((v) => v / Math.sqrt(12.5)),
    );
  });

  test("of each number by itself is its formula, and bounded as layer normalisation is", () => {
    const x = tf.tensor2d([[0.5, -2, 1000, 0]]);
    close(drawn(net().elementwiseNorm({ form: "tanh" }), x).out, [0.25, -1, 500, 0].map(Math.tanh));
    // C = 4, and β² begins as 4
    close(
      drawn(net().elementwiseNorm(), x).out,
      [0.5, -2, 1000, 0].map((v) => (2 * v) / Math.sqrt(4 + v * v)),
    );
  });
});

describe("sums at right angles", () => {
  test("leave out what is along what passes by", () => {
    const x = tf.tensor3d([
      [
        [1, 2],
        [3, -1],
      ],
    ]);
    const inner = net().dense(2);
    const params = (inner as unknown as Model).init(random(4), [2, 2]);
    const f = given(inner, x, params);
    const whole = numbers(x);
    const orthogonal = (x: number[], f: number[]): number[] =>
      x.map((v, i) => v + f[i]! - (v * dot(x, f)) / (dot(x, x) + 1e-6));
    const at = (rule: "orthogonal" | "orthogonal-whole"): number[] =>
      given(
        net().residual(() => inner, { rule }),
        x,
        { "1-residual": params },
      );
    close(
      at("orthogonal"),
      [0, 1].flatMap((t) => orthogonal(row(whole, 2, t), row(f, 2, t))),
    );
    close(at("orthogonal-whole"), orthogonal(whole, f));
    expect(() => net().residual((n) => n.dense(2), { rule: "sum" as never })).toThrow('rule must be "add"');
  });
});

describe("tokens that follow", () => {
  const made = (options: GptOptions): TrainedNetwork => {
    const model = gpt({ tokens: 7, width: 16, depth: 2, heads: 4, positions: "rotary", ...options });
    return trained({ model, input: [12], weights: network(model, [12]).init(random(4), 7) });
  };
  test("are the likeliest ones of the whole sequence so far, one after the other", () => {
    const own = made({ kvHeads: 2 });
    const tokens = generate(own, [1, 2, 3], { length: 6, temperature: 0 });
    const sequence = [1, 2, 3];
    for (const token of tokens) {
      const logits = own.predict(tf.tensor2d([sequence]));
      const last = numbers(logits).slice(-7);
      expect(last.indexOf(Math.max(...last))).toBe(token);
      sequence.push(token);
    }
  });

  test("are drawn by the softmax, the same from the same seed", () => {
    const own = made({});
    const draw = (seed: number): number[] => generate(own, [1, 2], { length: 8, seed, temperature: 3 });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(generate(own, [1, 2], { length: 3, top: 1 })).toEqual(generate(own, [1, 2], { length: 3, temperature: 0 }));
    // a head that gives the same whatever was read
    const { weights } = own;
    const head = { kernel: tf.zeros([16, 7]), bias: tf.tensor1d([0, 1, 2, 3, 2, 1, 0]) };
    const deaf = trained({ model: own.model, input: [12], weights: { ...weights, head } });
    const counts = new Array<number>(7).fill(0);
    for (const token of generate(deaf, [1], { length: 400, temperature: 2 })) counts[token]!++;
    numbers(tf.softmax(tf.div(head.bias, 2))).forEach((share, token) => {
      expect(Math.abs(counts[token]! / 400 - share)).toBeLessThan(0.075);
    });
    expect(() => generate(own, [7])).toThrow("tokens from 0 to 6 are required, got 7");
    expect(() => generate(own, [])).toThrow("a prompt of at least one token is required, got none");
  });

  test("P113: one head of keys and values takes a quarter of the cache of four", () => {
    const bytes = (kvHeads: number): number => {
      const stepper = stepping(made({ kvHeads }));
      const all = stepper.bytes;
      stepper.dispose();
      return all;
    };
    // each of 2 blocks keeps 11 places of keys and values, 4 numbers a head, and one count of places
    const counted = (kvHeads: number): number => 4 * 2 * (11 * 2 * kvHeads * 4 + 1);
    expect([4, 2, 1].map(bytes)).toEqual([4, 2, 1].map(counted));
  });
});

describe("a gpt", () => {
  test("goes through a block several times with one set of weights", () => {
    const [once, twice] = [
      gpt({ tokens: 5, width: 8, depth: 1, heads: 2 }),
      gpt({ tokens: 5, width: 8, depth: 1, heads: 2, reuse: [2] }),
    ];
    const tokens = tf.tensor2d([[1, 4, 2]]);
    const params = once.init(random(1), [3]);
    const { embedding, block1, norm } = params as Record<string, Params>;
    const reused = { embedding: embedding!, block1: { "1-transformer": block1! }, norm: norm! };
    const [x, y] = [
      once.stack![0]!.apply(tokens, embedding!, still),
      (of: tf.Tensor) => layers.transformer(2).apply(of, block1!, still),
    ];
    close(given(twice, tokens, reused), numbers(once.stack![2]!.apply(y(y(x)), norm!, still)));
    expect(() => gpt({ depth: 2, reuse: [1] })).toThrow("reuse of 2 numbers, one for each block, is required, got 1");
  });
});

describe("a vit", () => {
  test("has the options of its blocks, in its record where they are given", () => {
    const plain = vit({ patch: 4, width: 8, depth: 1, heads: 2 });
    expect(Object.keys(plain.spec.options as object)).not.toContain("residual");
    const model = vit({ patch: 4, width: 8, depth: 1, heads: 2, residual: "orthogonal", normalisation: "rms" });
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
    const { block1, norm } = model.init(random(0), [8, 8, 1]) as Record<string, Params>;
    expect([Object.keys(block1!.before as Params), Object.keys(norm!)]).toEqual([["scale"], ["scale"]]);
  });
});

const places = [4, 8];
const models: [string, unknown, number[]][] = [
  [
    "grouped, turned, normalised attention",
    net().attention(4, { kvHeads: 2, positions: "rotary", queryKeyNorm: "rms" }),
    places,
  ],
  [
    "attention with biases for the distance",
    net().attention(2, { positions: "alibi", window: 2, queryKeyNorm: "layer" }),
    places,
  ],
  ["attention with positions of the context", net().attention(2, { positions: "cape", kvHeads: 1 }), places],
  ["shards", net().attention(4, { window: 2, shards: 2 }), places],
  ["blocks that read earlier ones", net().lime(2).lime(2).mudd(2).mudd(2).muddOutput(), places],
  ["feedForward", net().feedForward({ activation: "silu" }), places],
  ["gated feedForward", net().feedForward({ activation: "swiglu" }), places],
  ["elementwiseNorm", net().elementwiseNorm(), places],
  ["elementwiseNorm by tanh", net().elementwiseNorm({ form: "tanh" }), places],
  ["an orthogonal block", net().transformer(2, { residual: "orthogonal", normalisation: "isru" }), places],
  ["an orthogonal sum of images", net().residual((n) => n.conv(2, 3), { rule: "orthogonal-whole" }), [3, 3, 2]],
];

describe.each(models)("%s", (_, made, shape) => {
  const model = made as Model;
  const x = random(1).normals([3, ...shape], 0, 1);
  const params = model.init(random(2), shape);
  const weigh = random(5).normals([3, ...model.features(shape)], 0, 1);

  test("has the gradients that finite differences give, and is made again from its JSON", () => {
    const loss = (p: { x: tf.Tensor; params: Params }): tf.Tensor =>
      tf.sum(tf.mul(model.apply(p.params, p.x, still), weigh));
    expect(slopeAlong(loss, { x, params }, 3e-4)).toBeCloseTo(1, 2);
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
  });
});
