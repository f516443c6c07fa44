/** Networks that answer place by place, against the whole sequence at once. */
import {
  gpt,
  type Kind,
  lora,
  type Model,
  mlp,
  net,
  network,
  prefix,
  prompt,
  random,
  stepping,
  type TrainedNetwork,
  tf,
  trained,
} from "thalweg";
import { describe, expect, test } from "vitest";

const length = 24;
const made = (model: unknown, input: readonly number[] = [length, 4]): TrainedNetwork =>
  trained({ model: model as Model, input, weights: network(model as Model, input).init(random(4), 3) });
const numbersOf = (t: tf.Tensor): number[] => [...t.dataSync()];
/** The largest difference between two tensors of one shape, in parts of the largest number. */
function apart(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [numbersOf(a), numbersOf(b)];
  return Math.max(...x.map((v, i) => Math.abs(v - y[i]!))) / Math.max(...y.map(Math.abs));
}
const part = (x: tf.Tensor, from: number, to: number): tf.Tensor => tf.slice(x, [0, from], [x.shape[0]!, to - from]);

const vectors = random(1).normals([2, length, 4], 0, 1);
const tokens = tf.floor(random(2).uniforms([2, length], 0, 9));
const models: readonly (readonly [string, Model<Kind>])[] = [
  ["gru", net().gru(5)],
  ["lstm", net().dense(6).lstm(5).relu()],
  ["a transformer", net().dense(8).positions().transformer(2).layerNorm()],
  [
    "a transformer normalised after",
    net().dense(8).positions({ kind: "sinusoidal" }).transformer(2, { norm: "after" }),
  ],
  [
    "grouped heads with turned queries and keys",
    net()
      .dense(8)
      .residual((n) => n.rmsNorm().attention(4, { kvHeads: 2, positions: "rotary", queryKeyNorm: "rms" }))
      .feedForward({ activation: "swiglu" }),
  ],
  [
    "a window, and biases for the distance",
    net().dense(8).transformer(4, { kvHeads: 2, positions: "alibi", window: 5 }),
  ],
  [
    "layers that read earlier ones",
    net().dense(8).lime(2, { kvHeads: 1 }).lime(2, { kvHeads: 1 }).mudd(2).mudd(2).muddOutput(),
  ],
  ["tokens", net().embedding(9, 6, { positions: false }).gru(5)],
  ["a gpt", gpt({ tokens: 9, width: 8, depth: 2, heads: 2 })],
  [
    "layers within layers",
    net()
      .dense(4)
      .tap("in")
      .residual((n) => n.layerNorm().gru(4))
      .shared(2, (n) => n.gru(4))
      .read("in"),
  ],
  [
    "ways side by side",
    net()
      .dense(8)
      .branch([(n) => n.gru(3), (n) => n.transformer(2)])
      .batchNorm(),
  ],
  [
    "with low-rank changes",
    net()
      .dense(8)
      .transformer(2)
      .adapt(lora({ rank: 2 })),
  ],
  [
    "with prefixes",
    net()
      .dense(8)
      .transformer(2)
      .adapt(prefix({ length: 3 })),
  ],
] as unknown as readonly (readonly [string, Model<Kind>])[];
const inputOf = (name: string): tf.Tensor => (/tokens|gpt/.test(name) ? tokens : vectors);

describe("P010: place by place", () => {
  test.each(models)("%s gives what it gives for the whole sequence", (name, model) => {
    const x = inputOf(name);
    const own = made(model, x.shape.slice(1));
    tf.tidy(() => {
      const whole = own.predict(x);
      const stepper = stepping(own, { sequences: 2 });
      const steps = Array.from({ length: 5 }, (_, t) => stepper.step(tf.squeeze(part(x, t, t + 1), [1])));
      // pieces written out, and one that is a loop in the program
      const pieces = [stepper.read(part(x, 5, 7)), stepper.read(part(x, 7, length))];
      expect(stepper.places).toBe(length);
      expect(apart(tf.concat([tf.stack(steps, 1), ...pieces], 1), whole)).toBeLessThan(2e-6);
    });
  });

  test.each([
    ["last()", net().gru(5).last().dense(4).tanh()],
    ["a mean", net().gru(5).globalPool().dense(4).tanh()],
  ])("the answer so far is that to the sequence so far, through %s too", (_, model) => {
    const own = made(model);
    const stepper = stepping(own, { sequences: 2 });
    expect(apart(stepper.read(part(vectors, 0, 3)), own.predict(part(vectors, 0, 3)))).toBeLessThan(1e-6);
    expect(apart(stepper.step(tf.squeeze(part(vectors, 3, 4), [1])), own.predict(part(vectors, 0, 4)))).toBeLessThan(
      1e-6,
    );
  });

  test("attention that looks back on 4 places gives at each what it gives for the last 4 alone", () => {
    const own = made(net().dense(8).transformer(2));
    const stepper = stepping(own, { sequences: 2, context: 4 });
    const first = stepper.read(part(vectors, 0, 9));
    for (const t of [3, 6, 8]) {
      const window = own.predict(part(vectors, t - 3, t + 1));
      expect(apart(part(first, t, t + 1), part(window, 3, 4))).toBeLessThan(1e-6);
    }
    const next = stepper.step(tf.squeeze(part(vectors, 9, 10), [1]));
    expect(apart(next, tf.squeeze(part(own.predict(part(vectors, 6, 10)), 3, 4), [1]))).toBeLessThan(1e-6);
  });

  test("a fork goes on by itself, reset begins anew, bit for bit, and nothing is left behind", () => {
    const own = made(net().dense(8).transformer(2).gru(3));
    const places = Array.from({ length: 4 }, (_, t) => numbersOf(part(vectors, t, t + 1)).slice(0, 4));
    const before = tf.memory().numTensors;
    const answer = (of: { step(x: number[]): tf.Tensor }, t: number): number[] => {
      const y = of.step(places[t]!);
      const out = numbersOf(y);
      y.dispose();
      return out;
    };
    const stepper = stepping(own);
    const wanted = [0, 1, 2].map((t) => answer(stepper, t));
    stepper.reset();
    expect(stepper.places).toBe(0);
    expect([0, 1].map((t) => answer(stepper, t))).toEqual(wanted.slice(0, 2));
    const fork = stepper.fork();
    answer(fork, 3);
    expect(answer(stepper, 2)).toEqual(wanted[2]);
    expect([fork.places, stepper.places]).toEqual([3, 3]);
    for (const one of [fork, stepper]) one.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("what cannot go place by place is named", () => {
    const refused =
      (model: unknown, input?: readonly number[]): (() => unknown) =>
      () =>
        stepping(made(model, input));
    expect(
      refused(
        net()
          .dense(8)
          .residual((n) => n.transformer(2, { causal: false })),
      ),
    ).toThrow(
      "carry a state along the sequence are required, got transformer at 2-residual/1-transformer; take predict",
    );
    expect(refused(net().lstm(3, { bidirectional: true }))).toThrow("got lstm at 1-lstm");
    expect(refused(net().dense(4).mixing(3, 3))).toThrow("got mixing at");
    expect(
      refused(
        net()
          .dense(8)
          .transformer(2)
          .adapt(prompt({ length: 2 })),
      ),
    ).toThrow("got the adapter prompt");
    expect(refused(mlp({ hidden: [3] }), [4])).toThrow("got flatten at");
    const stepper = stepping(made(gpt({ tokens: 9, width: 8, depth: 1, heads: 2 }), [3]));
    expect(() => stepper.step([1, 2])).toThrow("step() needs numbers of shape [1], got 2");
    stepper.read([1, 2, 3]);
    expect(() => stepper.step(4)).toThrow(
      "at most the 3 places that the network has positions for are required, got 4",
    );
  });
});
