import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { mapTensors, paths, type Tree, tf } from "../../lib/engine/index.ts";
import { mlp, not } from "../../lib/models/index.ts";
import {
  adam,
  applyUpdates,
  chain,
  clip,
  groups,
  lookahead,
  type Optimizer,
  only,
  optimizer,
  optimizerFromJson,
  type Seen,
  sam,
  scale,
  sgd,
  trustRatio,
  weightDecay,
} from "../../lib/optim/index.ts";
import { specFromJson } from "../../lib/train/from-json.ts";
import { open } from "../../lib/train/session.ts";
import { specHash, specJson } from "../../lib/train/spec.ts";
import { advance, run, spec, stream } from "../strategies/support.ts";
import { blind } from "./support.ts";

const told = stream({ needs: [] } as never);
const whole = (optimizer: Optimizer, more = {}): number[] => run(spec(told, [], { optimizer, ...more })).weights;

/** One step on given gradients: what the parameters become. */
function step(optimizer: Optimizer, params: Record<string, number[]>, grads: Record<string, number[]>, steps = 1) {
  const tensors = (of: Record<string, number[]>) => mapTree(of);
  let w = tensors(params);
  let state: Tree = optimizer.init(w);
  for (let i = 0; i < steps; i++) {
    const [updates, next] = optimizer.update(tensors(grads), state, w, tf.scalar(optimizer.rate));
    [w, state] = [applyUpdates(w, updates as typeof w), next];
  }
  return Object.fromEntries(Object.entries(w).map(([name, t]) => [name, [...t.dataSync()]]));
}
const mapTree = (of: Record<string, number[]>): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(of).map(([name, values]) => [name, tf.tensor1d(values)]));

describe("a chain", () => {
  test("of one optimizer gives its very numbers, and so do groups of the same one", () => {
    const alone = whole(adam({ lr: 0.01 }));
    expect(whole(chain(adam({ lr: 0.01 })))).toEqual(alone);
    expect(whole(chain(scale(1), adam({ lr: 0.01 })))).toEqual(alone);
    expect(whole(groups(["2-dense", adam({ lr: 0.01 })], ["head", adam({ lr: 0.01 })], adam({ lr: 0.01 })))).toEqual(
      alone,
    );
  });

  test("clips over all parameters together: (3, 4) of norm 5 to norm 1 are (.6, .8)", () => {
    const { a, b } = step(chain(clip(1), sgd({ lr: 1 })), { a: [0], b: [0] }, { a: [3], b: [4] });
    expect([a![0], b![0]]).toEqual([expect.closeTo(-0.6, 6), expect.closeTo(-0.8, 6)]);
    const within = step(chain(clip(10), sgd({ lr: 1 })), { a: [0], b: [0] }, { a: [3], b: [4] });
    expect(within).toEqual({ a: [-3], b: [-4] });
    expect(step(chain(clip({ value: 2 }), sgd({ lr: 1 })), { a: [0] }, { a: [-3] })).toEqual({ a: [2] });
  });

  test("of adam, decay and trust is one step of LAMB worked by hand", () => {
    // first step of adam: sign(g) = (1, −1); decayed u = (1 + .1 · 3, −1 + .1 · 4) = (1.3, −.6); ‖w‖ = 5, ‖u‖ = √(1.69 + .36)
    const { w } = step(chain(adam({ lr: 0.1 }), weightDecay(0.1), trustRatio()), { w: [3, 4] }, { w: [2, -5] });
    const trust = 5 / Math.hypot(1.3, 0.6);
    expect(w![0]).toBeCloseTo(3 - 0.1 * trust * 1.3, 5);
    expect(w![1]).toBeCloseTo(4 + 0.1 * trust * 0.6, 5);
  });

  test("without an optimizer takes the direction itself away; with a part that cannot be followed it is refused", () => {
    expect(step(chain(scale(0.5)), { a: [1] }, { a: [1] })).toEqual({ a: [0.5] });
    expect(() => chain()).toThrow("chain: parts are required");
    expect(() => chain(adam(), sgd())).toThrow("got adam and sgd; groups of parameters");
    expect(() => chain(lookahead(adam()), trustRatio())).toThrow("lookahead as the last part is required");
    expect(() => clip(0)).toThrow("a norm or a value above 0 is required");
  });
});

describe("groups", () => {
  test("move each parameter by the first that selects it, each at its own rate, and the rest by the last", () => {
    const each = groups(["a", sgd({ lr: 0.1 })], ["*", sgd({ lr: 0.01 })]);
    const moved = step(each, { a: [0], b: [0] }, { a: [1], b: [1] });
    expect([moved.a![0], moved.b![0]]).toEqual([expect.closeTo(-0.1, 7), expect.closeTo(-0.01, 7)]);
    expect(step(groups(["a", sgd({ lr: 1 })]), { a: [0], b: [0] }, { a: [1], b: [1] })).toEqual({ a: [-1], b: [0] });
    expect(() => step(groups(["*", sgd()], ["a", sgd()], sgd()), { a: [0] }, { a: [1] })).toThrow(
      "what no group before it does",
    );
    expect(() => step(groups(["c", sgd()], sgd()), { a: [0] }, { a: [1] })).toThrow('got "c"; the nearest paths are a');
    expect(() => groups(sgd(), ["a", sgd()])).toThrow("at last one optimizer for the rest");
  });

  test("know the kinds of a network: decay but for biases and norms is one line", () => {
    const optimizer = chain(sgd({ lr: 1 }), only(not({ kind: ["bias", "norm"] }), weightDecay(0.5)));
    const { kernel, bias } = step(optimizer, { kernel: [2], bias: [2] }, { kernel: [0], bias: [0] });
    expect([kernel, bias]).toEqual([[1], [2]]);
    expect(() => whole(groups([{ kind: "embedding" }, sgd()], sgd()))).toThrow("there are the kinds weight, bias");
  });

  test("leave out what is frozen", () => {
    const model = mlp({ hidden: [6, 5] }).freeze("2-dense");
    expect(() => whole(groups(["2-dense", sgd()], sgd()), { model })).toThrow(
      "groups: a filter that selects a parameter",
    );
    expect(whole(groups(["4-dense", adam()], adam()), { model })).toEqual(whole(adam(), { model }));
  });
});

describe("records", () => {
  const all = chain(
    clip({ value: 1 }),
    only(["1-conv", /dense/], scale(0.1)),
    sam(groups([{ kind: "bias" }, sgd()], lookahead(adam()))),
  );

  test("hold chains, groups and what is around an optimizer, and give the same optimizer again", () => {
    expect(optimizerFromJson(JSON.parse(JSON.stringify(all))).toJSON()).toEqual(all.toJSON());
    const made = spec(told, [], { optimizer: chain(clip(1), adam()) });
    const again = specFromJson(JSON.parse(JSON.stringify(specJson(made))), [
      blobs({ classes: 6, dimensions: 3, perClass: 12, testPerClass: 6 }),
    ]);
    expect(specHash(again)).toBe(specHash(made));
    expect(() => optimizerFromJson({ name: "mine", options: {} })).toThrow('got "mine"');
  });

  test("refuse a filter that is a function", () => {
    expect(() => only(() => true, scale(2))).toThrow("can stand in the record of a study is required");
  });
});

describe("around an optimizer", () => {
  test("lookahead goes half way every second step: w = 1, .9, then .5 · 1 + .5 · .8 = .9, and on from there", () => {
    const ahead = lookahead(sgd({ lr: 0.1 }), { steps: 2, share: 0.5 });
    expect([1, 2, 3, 4].map((steps) => step(ahead, { w: [1] }, { w: [1] }, steps).w![0]!.toFixed(6))).toEqual([
      "0.900000",
      "0.900000",
      "0.800000",
      "0.800000",
    ]);
  });

  test("sam steps by the gradient at the worst point: for ½w² at w = (3, 4), radius 1, that is w + w/‖w‖", () => {
    const w = { w: tf.tensor1d([3, 4]) };
    const [updates] = sam(sgd({ lr: 1 }), { radius: 1 }).update(w, [], w, tf.scalar(1), blind) as [typeof w, Tree];
    expect([...updates.w.dataSync()]).toEqual([expect.closeTo(-3.6, 5), expect.closeTo(-4.8, 5)]);
  });

  test("sam trains with frozen parameters and in groups, the same after a saved state", () => {
    const given = spec(told, [], {
      optimizer: groups(["head", sam(sgd({ lr: 0.05 }))], adam()),
      model: mlp({ hidden: [6, 5] }).freeze("2-dense"),
    });
    const all = run(given, 1);
    const session = open(given, 1, "test");
    advance(session, 9);
    const bytes = session.save();
    const tensors = tf.memory().numTensors;
    advance(session, 25);
    expect(tf.memory().numTensors).toBe(tensors);
    session.dispose();
    expect(run(given, 1, bytes).weights).toEqual(all.weights);
  });
});

test("`Optimizer.update` sees the task and a layer's inputs, when it asks to: here it makes the gradient of a layer from them", () => {
  const byHand = optimizer("byHand", { lr: 0.05 }, () => ({
    sees: ["task", "layers"],
    init: () => [],
    update(grads, state, _params, rate, seen) {
      expect(seen!.task!.shape).toEqual([4]);
      const flat = paths(grads).map(([path, g]) => {
        const [, layer, name] = /^(.*)\/(\w+)$/.exec(path)!;
        const [{ input, gradient }] = seen!.layers[layer!]! as [Seen["layers"][string][number]];
        const own =
          name === "bias" ? tf.sum(gradient, 0) : tf.matMul(input as tf.Tensor2D, gradient as tf.Tensor2D, true);
        return tf.mul(tf.add(own, tf.mul(g, 0)), tf.neg(rate));
      });
      let next = 0;
      return [mapTensors(() => flat[next++]!, grads), state];
    },
  }));
  const tasks = stream({ needs: ["task"] } as never);
  const close = (a: number[], b: number[]): void => {
    for (const [i, x] of a.entries()) expect(x).toBeCloseTo(b[i]!, 5);
  };
  close(
    run(spec(tasks, [], { optimizer: byHand() })).weights,
    run(spec(tasks, [], { optimizer: sgd({ lr: 0.05 }) })).weights,
  );
});

test("an optimizer that asks for nothing is shown nothing, and its program has nothing more in it", () => {
  const blind = optimizer("blind", { lr: 0.05 }, () => ({
    init: () => [],
    update(grads, state, _params, rate, seen) {
      expect(seen).toBeUndefined();
      return [mapTensors((g) => tf.mul(g, tf.neg(rate)), grads), state];
    },
  }));
  expect(whole(blind())).toEqual(whole(sgd({ lr: 0.05 })));
});
