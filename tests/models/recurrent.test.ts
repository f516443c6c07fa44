/** Recurrent layers whose places are a loop in the program, against the same passes written out. */
import { jit, leaves, type Model, net, type Params, random, tape, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

const numbersOf = (t: tf.Tensor): number[] => [...t.dataSync()];

describe.each([
  ["gru", net().gru(3), 70],
  ["lstm", net().lstm(3), 11],
  ["lstm both ways", net().lstm(3, { bidirectional: true }), 11],
] as [string, Model, number][])("%s", (_, model, length) => {
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
    expect(seen.filter((path) => path === "state").length).toBe(length);
    expect(seen.filter((path) => path === "input").length).toBe(1);
  });
});
