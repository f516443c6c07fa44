/** Prompts behind a gate beside PyTorch and sums by hand. */
import { readFileSync } from "node:fs";
import {
  adam,
  classes,
  diffusion,
  digits,
  dit,
  from,
  type Model,
  mapTensors,
  net,
  network,
  type Params,
  paths,
  promptMixture,
  random,
  type Tree,
  tape,
  tf,
  trained,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import type { LayerPass, Mode } from "../../lib/models/model.ts";
import { conditionNames } from "../../lib/models/parts/conditioned.ts";
import { peerNumbers } from "../support/peer-numbers.ts";

type Numbers = { readonly [name: string]: number };
const peer = JSON.parse(readFileSync(new URL("./peers/prompt-mixture.json", import.meta.url), "utf8")) as {
  readonly [name: string]: { readonly out: number[]; readonly cost: number; readonly gradients: Numbers };
};
const scalar = (x: tf.Tensor): number => x.dataSync()[0]!;
const shapes = { prompt: [2, 5, 2], gate: [5, 5], bias: [5], noise: [4, 5] };
const small = (): Model => dit({ width: 8, heads: 2, depth: 2, widen: 2, classes: 3, steps: 20 }) as Model;
/** The tensors of a denoiser drawn anew, so that time and class make a difference; those that are named are what is given. */
const drawn = (model: Model, given: { readonly [path: string]: tf.Tensor } = {}, input = [4, 4, 1]): Params => {
  const made = model.init(random(0), input);
  const at = new Map(paths(made as Tree).map(([path, t], i) => [t, [path, i] as const]));
  return mapTensors((t) => {
    const [path, i] = at.get(t)!;
    return given[path] ?? random(7).at(i).uniforms(t.shape, -0.5, 0.5);
  }, made);
};
const said = (model: Model, params: Params): Float32Array => {
  const [time, label] = [tf.tensor1d([0, 300, 900]), tf.tensor1d([0, 2, 3], "int32")];
  const { mode } = tape(false, null, {}, { beside: { time, label } });
  return model.apply(params, peerNumbers(1, [3, 4, 4, 1]), mode).dataSync() as Float32Array;
};

describe("promptMixture (P230)", () => {
  test.each([
    ["all noisy", 1],
    ["two noisy", 0.4],
    ["all", 1],
    ["two", 0.4],
  ] as const)("%s prompts: gates, balance and gradients are PyTorch's", (name, share) => {
    const noisy = name.endsWith("noisy");
    const { around } = promptMixture({ share });
    const condition = peerNumbers(1000, [3, 4], 0, 2);
    const own = Object.fromEntries(Object.entries(shapes).map(([key, shape], i) => [key, peerNumbers(i, shape, 0, 2)]));
    let out: tf.Tensor | undefined;
    let cost: tf.Scalar | null = null;
    const through = (params: Params): tf.Scalar => {
      const { mode, cost: added } = tape(noisy, null, {});
      const memory = new Map<string, tf.Tensor>();
      const pass = (x: tf.Tensor, block: number): tf.Tensor => {
        const rng = { at: () => ({ normals: (shape: number[]) => peerNumbers(1100 + block, shape, 0, 3) }) };
        const at = {
          mode: noisy ? { ...mode, rng } : mode,
          remembered: new Map([[conditionNames.condition, condition]]),
        } as unknown as LayerPass & { mode: Mode };
        return around!(params, x, (given) => given, memory, at);
      };
      out = pass(pass(peerNumbers(1001, [3, 5, 2]), 0), 1);
      cost = added();
      expect(memory.size).toBe(0);
      const sum = tf.sum(tf.mul(out, peerNumbers(2000, [3, 5, 2]))) as tf.Scalar;
      return cost === null ? sum : tf.add(sum, cost);
    };
    through(own).dispose();
    [...out!.dataSync()].forEach((v, i) => {
      expect(v).toBeCloseTo(peer[name]!.out[i]!, 5);
    });
    if (noisy) expect(scalar(cost!)).toBeCloseTo(peer[name]!.cost, 4);
    else expect(cost).toBeNull();
    const { grads } = valueAndGrad(through, own);
    Object.entries(shapes).forEach(([key, shape], i) => {
      const sum = scalar(tf.sum(tf.mul(grads[key] as tf.Tensor, peerNumbers(3000 + i, shape))));
      expect(Math.abs(sum - peer[name]!.gradients[key]!), key).toBeLessThan(2e-4);
    });
  });

  test("prompts of zeros leave a denoiser as it is, bit for bit, whatever the gate says", () => {
    const model = small().adapt(promptMixture({ share: 0.5 }));
    const zeros = { "adapters/promptMixture/prompt": tf.zeros([2, 4, 8]) };
    const { adapters, ...plain } = drawn(model, zeros);
    expect(Object.keys(adapters as object)).toEqual(["promptMixture"]);
    expect([...said(model, { adapters, ...plain } as Params)]).toEqual([...said(small(), plain)]);
  });

  test("a gate of zeros adds a share of the first block's prompts, as positions would", () => {
    const model = small().adapt(promptMixture());
    const first = peerNumbers(2, [1, 4, 8], 0, 4);
    const gate = { gate: [9, 4], bias: [4], noise: [8, 4] };
    const given = {
      "adapters/promptMixture/prompt": tf.concat([first, tf.zeros([1, 4, 8])], 0),
      ...Object.fromEntries(Object.entries(gate).map(([key, s]) => [`adapters/promptMixture/${key}`, tf.zeros(s)])),
    };
    const { adapters, positions, ...rest } = drawn(model, given);
    const places = tf.add((positions as Params).places as tf.Tensor, tf.div(tf.squeeze(first, [0]), 4));
    const patched = said(model, { adapters, positions, ...rest } as Params);
    const moved = said(small(), { ...rest, positions: { places } } as Params);
    patched.forEach((v, i) => {
      expect(v).toBeCloseTo(moved[i]!, 5);
    });
    expect([...patched]).not.toEqual([...said(small(), { ...rest, positions } as Params)]);
  });

  test("prompts and gate alone are trained on a frozen denoiser, from where it was", async () => {
    const plain = dit({ width: 8, heads: 2, depth: 2, widen: 2, classes: 10, steps: 20 });
    const input = [8, 8, 1];
    const begun = network(plain, input).init(random(3), 10);
    const whole = trained({ model: plain, input, weights: { ...begun, model: drawn(plain, {}, input) } });
    const run = await classes(digits())
      .learn(from(whole).adapt(promptMixture({ share: 0.5 })) as typeof plain)
      .by(diffusion({ looks: 0 }))
      .with(adam({ lr: 0.01 }))
      .train({ batch: 16, steps: 3 })
      .run({ quiet: true, record: false });
    const after = await run.network();
    const old = new Map(paths(whole.weights.model as Tree).map(([path, t]) => [path, t.dataSync()]));
    for (const [path, t] of paths(after.weights.model as Tree)) {
      if (!path.startsWith("adapters/")) expect([...t.dataSync()]).toEqual([...old.get(path)!]);
      else expect([path, t.dataSync().some((v) => v !== 0)]).toEqual([path, true]);
    }
    for (const each of [whole, after]) each.dispose();
  });

  test("what is no block of a denoiser is refused, and so are shares of nothing", () => {
    const text = net().embedding(7, 8).transformer(2).last() as unknown as Model;
    expect(() => text.adapt(promptMixture({ on: "*-transformer" })).init(random(0), [4])).toThrow(
      "blocks of a denoiser over sequences of one shape are required, got 2-transformer",
    );
    const chain = net().flatten().conditions(4).modulate() as unknown as Model;
    expect(() => chain.adapt(promptMixture({ on: "*-modulate" })).init(random(0), [2, 2, 1])).toThrow("got 3-modulate");
    expect(() => promptMixture({ share: 0 })).toThrow("a share in (0, 1]");
    expect(() => promptMixture({ balance: -1 })).toThrow("a balance of at least 0");
  });
});
