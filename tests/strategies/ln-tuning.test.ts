import { describe, expect, test } from "vitest";
import { mapTensors, random, tf } from "../../lib/engine/index.ts";
import type { Params } from "../../lib/models/model.ts";
import { tape } from "../../lib/models/model.ts";
import { network, type Weights } from "../../lib/models/network.ts";
import { adam } from "../../lib/optim/index.ts";
import { lnTuning } from "../../lib/strategies/index.ts";
import { evaluation, training } from "../../lib/train/index.ts";
import { open } from "../../lib/train/session.ts";
import { close, contextOf, hooksOf } from "./by-hand.ts";
import { advance, modelFor, numbers, spec, stream } from "./support.ts";

const strategy = lnTuning({ first: 0.5 });
const model = modelFor([strategy]);
const over = () => stream({ needs: ["boundary"] } as never);
const norms = (weights: Weights): Record<string, tf.Tensor> =>
  (weights.added!.lnTuning as unknown as { norms: Record<string, tf.Tensor> }).norms;

describe("lnTuning (P222)", () => {
  test("an example passes through the normalisations of the task whose key is nearest to what the untouched network makes of it", () => {
    const of = network(model, [3]);
    const weights = of.init(random(4), 6);
    const added = hooksOf(strategy).parameters(contextOf(of, weights, { rng: random(1) })) as unknown as {
      norms: Record<string, tf.Tensor>;
    };
    expect(Object.keys(added.norms).length).toBeGreaterThan(3);
    const x = random(8).uniforms([2, 3], -2, 2);
    const through = (by?: Record<string, tf.Tensor>): tf.Tensor => {
      let at = weights.model;
      for (const [path, change] of Object.entries(by ?? {})) {
        const names = path.split("/");
        const moved = (node: Params, [first, ...rest]: readonly string[]): Params => ({
          ...node,
          [first!]: rest.length === 0 ? tf.add(node[first!] as tf.Tensor, change) : moved(node[first!] as Params, rest),
        });
        at = moved(at, names);
      }
      return model.apply(at, x, tape(false, null, {}).mode);
    };
    const drawn = (seed: number) =>
      mapTensors((t: tf.Tensor) => random(seed + t.size).uniforms(t.shape, -0.5, 0.5), added.norms);
    const [past, mine] = [drawn(1), drawn(50)];
    const [one, two] = tf.unstack(through()); // the queries
    const own = { ...added, norms: mine, key: two! };
    const stacked = mapTensors((t: tf.Tensor) => tf.expandDims(t, 0), past);
    const state = { tensors: { norms: stacked, keys: tf.expandDims(tf.mul(one!, 3), 0) } };
    const at = { ...weights, added: { lnTuning: own } } as unknown as Weights;
    const plain = (given: Weights | object = {}) => {
      const features = of.features("model" in given ? (given as Weights) : at, x, tape(false, null, {}).mode);
      return { features, logits: of.logits(at, features) };
    };
    const out = hooksOf(strategy).forward(state, {
      network: of,
      weights: at,
      x,
      task: null,
      training: false,
      rng: null,
      statistics: {},
      plain,
    } as never);
    const [first, second] = [tf.unstack(through(past))[0]!, tf.unstack(through(mine))[1]!];
    close([...out.features.dataSync()], [...first.dataSync(), ...second.dataSync()]);
    close([...out.logits.dataSync()], [...of.logits(at, out.features).dataSync()]);
  });

  test("normalisations and key move in the first half of an experience, the head in the second, the model never", () => {
    const given = spec(over(), [strategy], {
      model,
      optimizer: adam(),
      training: training({ batch: 6, epochs: 2 }),
      evaluation: evaluation({ atStart: false, everySteps: 4 }),
    });
    const session = open(given, 1, "test");
    session.advance();
    const now = () => {
      const { weights } = session.learner;
      return { model: numbers(weights.model), head: numbers(weights.head), own: numbers(norms(weights)) };
    };
    const begun = now();
    expect(begun.own.every((v) => v === 0)).toBe(true);
    advance(session, 4); // of 8
    const half = now();
    expect([half.model, half.head]).toEqual([begun.model, begun.head]);
    expect(half.own).not.toEqual(begun.own);
    advance(session, 8);
    const end = now();
    expect([end.model, end.own]).toEqual([begun.model, half.own]);
    expect(end.head).not.toEqual(begun.head);
    session.dispose();
  });
});
