/** Recurrent layers whose places are a loop in the program, against the same passes written out. */
import { readFileSync } from "node:fs";
import { jit, leaves, type Model, modelFromJson, net, type Params, random, tape, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

const numbersOf = (t: tf.Tensor): number[] => [...t.dataSync()];
const apply = (model: unknown, params: Params, x: tf.Tensor): tf.Tensor =>
  (model as Model).apply(params, x, tape(true, null, {}).mode);
const close = (a: readonly number[], b: readonly number[], within = 1e-5): void => {
  expect(a.length).toBe(b.length);
  a.forEach((value, i) => {
    expect(Math.abs(value - b[i]!)).toBeLessThan(within * Math.max(1, Math.abs(value)));
  });
};

describe.each([
  ["gru", net().gru(3), 70],
  ["lstm", net().lstm(3), 11],
  ["lstm both ways", net().lstm(3, { bidirectional: true }), 11],
  ["rnn", net().rnn(3, { activation: "relu" }), 11],
  ["cfc", net().cfc(3, { hidden: 4 }), 11],
  ["slstm", net().slstm(4, { heads: 2 }), 6],
] as [string, Model, number][])("%s", (name, model, length) => {
  const x = random(1).normals([2, length, 4], 0, 1);
  const params = model.init(random(2), [length, 4]);
  const loss = (params: Params, x: tf.Tensor): tf.Tensor => {
    const y = model.apply(params, x, tape(true, null, {}).mode);
    return tf.sum(tf.mul(y, tf.sin(tf.reshape(tf.range(0, y.size), y.shape))));
  };
  const slopes = (given: { params: Params; x: tf.Tensor }) =>
    valueAndGrad(({ params, x }: typeof given) => loss(params, x), given);

  test("is the same as a loop in the program as written out, forward and backward", () => {
    const wanted = slopes({ params, x });
    const got = jit(slopes)({ params, x });
    const [a, b] = [wanted, got].map(({ value, grads }) => [value, ...leaves(grads)].flatMap(numbersOf));
    expect(a!.length).toBe(b!.length);
    a!.forEach((value, i) => {
      expect(Math.abs(value - b![i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
    });
  });

  test("shows a strategy that taps layers each of its products", () => {
    const seen: string[] = [];
    tf.tidy(() => {
      const mode = tape(true, null, {}, (path, _, output) => {
        seen.push(path.slice(2).join("/"));
        return output;
      }).mode;
      model.apply(params, x, mode);
    });
    // the products of several heads are not seen
    expect(seen.filter((path) => path === "state").length).toBe(name === "slstm" ? 0 : length);
    expect(seen.filter((path) => path === "input").length).toBe(1);
  });
});

describe("beside others' programs", () => {
  type Nested = readonly (number | Nested)[];
  type Given = { readonly [name: string]: Nested };
  const found = JSON.parse(readFileSync(new URL("peers/recurrent.json", import.meta.url), "utf8")) as unknown as Record<
    string,
    Given
  > & { readonly x: Nested; readonly times: Nested; readonly ltc: Record<string, Given> };
  const tensors = (of: object): Params =>
    Object.fromEntries(
      Object.entries(of).map(([name, value]) => [
        name,
        Array.isArray(value) ? tf.tensor(value as never) : tensors(value),
      ]),
    );
  const x = tf.tensor3d(found.x as never);
  const timed = tf.concat([x, tf.expandDims(tf.tensor2d(found.times as never), 2)], 2);
  const zeros = (units: number): tf.Tensor => tf.zeros([units]);
  const inputAndState = ({ input, inputBias, state, stateBias }: Params): Params => ({
    input: { kernel: input!, bias: inputBias! },
    state: { kernel: state!, bias: stateBias ?? zeros((state as tf.Tensor).shape[1]!) },
  });

  test("rnn is PyTorch's, slstm and time constants are as the papers write them", () => {
    const { timescale, ...timed } = tensors(found.timescales!);
    const models: [string, unknown, Params][] = [
      ["rnn", net().rnn(4), { "1-rnn": inputAndState(tensors(found.rnn!)) }],
      ["slstm", net().slstm(4), { "1-slstm": inputAndState(tensors(found.slstm!)) }],
      [
        "timescales",
        net().rnn(4, { timescales: true, activation: "leakyRelu" }),
        { "1-rnn": { ...inputAndState(timed), timescale: timescale! } },
      ],
    ];
    for (const [name, model, params] of models)
      close(numbersOf(apply(model, params, x)), (found[name]!.out as number[][][]).flat(2));
  });

  test.each([
    ["gated", "default"],
    ["ungated", "no_gate"],
    ["pure", "pure"],
  ] as const)("cfc of the form %s is ncps's, in regular and in irregular time", (form, theirs) => {
    const { out, outInTime, input, inputBias, state, kernel, bias, ...rest } = tensors(found[`cfc ${theirs}`]!);
    const own = {
      input: { kernel: input!, bias: inputBias! },
      state: { kernel: state! },
      out: { kernel: kernel!, bias: bias! },
    };
    const params = { "1-cfc": { ...own, ...rest } };
    close(numbersOf(apply(net().cfc(4, { hidden: 5, form }), params, x)), numbersOf(out as tf.Tensor));
    const inTime = net().cfc(4, { hidden: 5, form, times: true });
    close(numbersOf(apply(inTime, params, timed)), numbersOf(outInTime as tf.Tensor));
  });

  test("ltc is ncps's, in regular and in irregular time", () => {
    const params = { "1-ltc": tensors(found.ltc) };
    close(numbersOf(apply(net().ltc(4), params, x)), (found.ltc.out as unknown as number[][][]).flat(2));
    close(
      numbersOf(apply(net().ltc(4, { times: true }), params, timed)),
      (found.ltc.outInTime as unknown as number[][][]).flat(2),
    );
  });
});

describe("options of recurrent layers", () => {
  const x = random(3).normals([2, 7, 3], 0, 1);

  test.each(["rnn", "gru", "lstm", "slstm"] as const)("%s of two heads is two narrow ones side by side", (name) => {
    const whole = net()[name](4, { heads: 2 });
    const vectors = { rnn: 1, gru: 3, lstm: 4, slstm: 4 }[name];
    const params = whole.init(random(5), [7, 3]);
    const { input, state } = params[`1-${name}`] as unknown as Record<string, Record<string, tf.Tensor>>;
    // of each vector of a product a head has its half
    const half = (t: tf.Tensor, head: number): tf.Tensor =>
      tf.concat(
        tf.split(t, 2 * vectors, t.rank - 1).filter((_, i) => i % 2 === head),
        t.rank - 1,
      );
    const heads = [0, 1].map((head) => {
      const kernel = tf.squeeze(tf.slice(state!.kernels!, [head, 0, 0], [1, 2, 2 * vectors]), [0]);
      const own = {
        input: { kernel: half(input!.kernel!, head), bias: half(input!.bias!, head) },
        state: { kernel, bias: half(state!.bias!, head) },
      };
      return apply(net()[name](2), { [`1-${name}`]: own }, x);
    });
    close(numbersOf(apply(whole, params, x)), numbersOf(tf.concat(heads, 2)));
  });

  test.each(["rnn", "gru", "lstm"] as const)("%s truncated takes what came before for a constant", (name) => {
    const params = net()[name](4).init(random(6), [7, 3]);
    const last = (y: tf.Tensor): tf.Tensor => tf.sum(tf.square(tf.slice(y, [0, y.shape[1]! - 1, 0], [2, 1, 4])));
    const cut = jit((params: Params) =>
      valueAndGrad((p: Params) => last(apply(net()[name](4, { truncate: 5 }), p, x)), params),
    );
    // by hand: the state after five places, and then two places from it
    const layer = (net()[name](4) as unknown as Model).stack![0]!;
    const { mode } = tape(true, null, {});
    const [, states] = layer.recurs!(
      tf.slice(x, [0, 0, 0], [2, 5, 3]),
      params[`1-${name}`] as Params,
      mode,
      null,
      tf.ones([2, 5]),
    );
    const two = tf.slice(x, [0, 5, 0], [2, 2, 3]);
    const wanted = valueAndGrad(
      (p: Params) => last(layer.recurs!(two, p[`1-${name}`] as Params, mode, states, tf.ones([2, 2]))[0]),
      params,
    );
    const [a, b] = [cut(params), wanted].map(({ value, grads }) => [value, ...leaves(grads)].flatMap(numbersOf));
    close(a!, b!, 1e-4);
    // and written out, as where a strategy taps layers
    const plain = valueAndGrad((p: Params) => last(apply(net()[name](4, { truncate: 5 }), p, x)), params);
    close([plain.value, ...leaves(plain.grads)].flatMap(numbersOf), b!, 1e-4);
  });

  test("bidirectional is what lstm has as an option", () => {
    const one = net().lstm(3, { bidirectional: true });
    const { reverse, ...onwards } = one.init(random(4), [7, 3])["1-lstm"] as Record<string, Params>;
    const both = { onwards: { "1-lstm": onwards }, backwards: { "1-lstm": reverse! } };
    const model = net().bidirectional((n) => n.lstm(3));
    expect(model.features([7, 3])).toEqual([7, 6]);
    close(
      numbersOf(apply(model, { "1-bidirectional": both }, x)),
      numbersOf(apply(one, { "1-lstm": { ...onwards, reverse: reverse! } }, x)),
    );
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
  });

  test("say what they need", () => {
    expect(() => net().gru(6, { heads: 4 })).toThrow("gru: units that 4 heads divide are required, got 6");
    expect(() => net().rnn(6).features([6])).toThrow("rnn: a sequence of vectors is required, got shape [6]");
    expect(() => net().rnn(6, { heads: 2, timescales: true })).toThrow(
      "rnn: timescales or heads are required, got both",
    );
  });
});
