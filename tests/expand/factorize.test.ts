import { expand, gpt, type Params, random, tape, tf, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import { apart, at, numbers, stirred } from "./support.ts";

const x = random(2).normals([5, 8, 8, 1]);
const whole = stirred(vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 }), [8, 8, 1]);

describe("dense layers cut into experts (P008)", () => {
  test("answer as before where all experts are chosen", () => {
    for (const experts of [1, 4])
      expect(apart(whole, expand.factorize(whole, { experts, topK: experts }).network, x)).toBeLessThan(3e-6);
    const text = stirred(gpt({ tokens: 7, width: 8, depth: 2, heads: 2 }), [6], 7);
    const tokens = tf.tensor2d([0, 1, 2, 3, 4, 5], [1, 6]);
    expect(apart(text, expand.factorize(text, { experts: 2, topK: 2 }).network, tokens)).toBeLessThan(3e-6);
    expect(apart(whole, expand.factorize(whole, { experts: 4, topK: 2 }).network, x)).toBeGreaterThan(1e-3);
  });

  test("give E / k times the chosen ones, and routers lose what the formula says", () => {
    const made = expand.factorize(whole, { experts: 4, topK: 1, approximate: 1 }).network;
    const name = made.model.names!.findIndex((each) => each.endsWith("residual")) + 1;
    const model = made.model.stack![name]!.parts![0]!.model;
    const layer = model.stack![1]!;
    const params = (made.weights.model[made.model.names![name]!] as Params)["2-factoredMoe"] as Params;
    const rows = random(4).normals([6, 8]) as tf.Tensor2D;
    const { mode, cost } = tape(true, null, {});
    const given = layer.apply(rows, params, mode).arraySync() as number[][];
    const of = (path: string): tf.Tensor2D =>
      path.split("/").reduce<unknown>((node, part) => (node as Params)[part], params) as tf.Tensor2D;
    const outputs = [1, 2, 3, 4].map((e) => {
      const up = tf.add(tf.matMul(rows, of(`experts/${e}/up/kernel`)), of(`experts/${e}/up/bias`));
      const inner = tf.mul(tf.mul(up, 0.5), tf.add(1, tf.erf(tf.div(up, Math.SQRT2))));
      return tf
        .add(tf.matMul(inner as tf.Tensor2D, of(`experts/${e}/down/kernel`)), of(`experts/${e}/down/bias`))
        .arraySync() as number[][];
    });
    const logits = tf.add(tf.matMul(rows, of("router/kernel")), of("router/bias")).arraySync() as number[][];
    const softmax = (z: number[]): number[] => {
      const all = z.reduce((sum, v) => sum + Math.exp(v), 0);
      return z.map((v) => Math.exp(v) / all);
    };
    let loss = 0;
    logits.forEach((row, i) => {
      const best = row.indexOf(Math.max(...row));
      given[i]!.forEach((v, j) => {
        expect(v).toBeCloseTo(4 * outputs[best]![i]![j]!, 4);
      });
      const part = given[i]!.map((_, j) => outputs.reduce((sum, out) => sum + out[i]![j]!, 0) / 4);
      const off = outputs.map((out) => out[i]!.reduce((sum, v, j) => sum + (v - part[j]!) ** 2, 0));
      const wanted = softmax(off.map((v) => +(v === Math.min(...off))));
      loss += softmax(row).reduce((sum, p, e) => sum + p * Math.log(p / wanted[e]!), 0) / 6;
    });
    expect(cost()!.dataSync()[0]).toBeCloseTo(loss, 5);
    expect(numbers(at(made, `model/${made.model.names![name]}/2-factoredMoe/experts/3/up/bias`))).toEqual(
      numbers(at(whole, "model/block1/up/bias")).slice(8, 12),
    );
    expect(() => expand.factorize(whole, { experts: 3 })).toThrow(
      "that divide the inner width of 16 are required, got 3",
    );
  });
});
