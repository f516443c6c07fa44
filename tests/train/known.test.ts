import { describe, expect, test } from "vitest";
import { flopsDone, random, tf } from "../../lib/engine/index.ts";
import { lora, makeModel, net, network, prompt, vit } from "../../lib/models/index.ts";
import { type Model, tape } from "../../lib/models/model.ts";
import { stemOf } from "../../lib/models/parts/stem.ts";
import { adam, resolution } from "../../lib/optim/index.ts";
import { derpp, lwf, naive, nearestMean, replay, tent } from "../../lib/strategies/index.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { training } from "../../lib/train/index.ts";
import { remembering, stemFor } from "../../lib/train/parts/known.ts";
import { open } from "../../lib/train/session.ts";
import { advance, run, spec, stream } from "../strategies/support.ts";

const image = [8, 8, 1];
const small = (): Model => vit({ patch: 4, width: 8, depth: 2, heads: 2 }) as unknown as Model;
const over = () => stream({ needs: ["boundary"] } as never);
/** The same model, which is not seen to be layers in a row: nothing of it is known. */
const opaque = (model: Model): Model => {
  const { stack: _, ...rest } = model;
  return makeModel({ ...rest, toJSON: model.toJSON } as never) as unknown as Model;
};
const stemOfModel = (model: Model, input: number[]) => {
  const of = network(model, input);
  return stemOf(of, of.init(random(0), 2), of.statistics());
};
const shapeOf = (model: Model, input: number[]) => stemOfModel(model, input)?.shape;
const two = (): Model => net().dense(12).relu().dense(10).relu() as unknown as Model;

describe("the frozen beginning of a network", () => {
  test("ends at the first layer with something that is trained, an adapter or not", () => {
    const blocks = ["patches", "class", "positions", "block1"];
    expect(shapeOf(small().freeze(blocks), image)).toEqual([5, 8]);
    expect(shapeOf(small().freeze("*"), image)).toEqual([8]);
    expect(shapeOf(small().adapt(lora({ rank: 1, on: "block2*" })), image)).toEqual([5, 8]);
    expect(shapeOf(small().adapt(prompt({ on: "block2" })), image)).toEqual([5, 8]);
    // prompts begin at the first block and go on from there
    expect(stemOfModel(small().adapt(prompt({ deep: false })), image)!.share).toBeLessThan(0.1);
    expect(stemOfModel(small(), image)).toBeNull();
    expect(stemOfModel(small().freeze("block2"), image)).toBeNull();
  });

  test("ends where noise is drawn or statistics are written, not where frozen ones are only read", () => {
    const with_ = (frozen: Model, input = [3]) => shapeOf(frozen, input);
    expect(with_((net().dense(4).dropout(0.5).dense(5) as unknown as Model).freeze("*"))).toEqual([4]);
    expect(with_((net().dense(4).batchNorm().dense(5) as unknown as Model).freeze("*"))).toEqual([4]);
    expect(with_((net().dense(4).batchNorm().dense(5) as unknown as Model).freeze("*", { still: true }))).toEqual([5]);
  });

  test("and the rest give what the network gives; where a later layer reads an earlier one there is none", () => {
    const model = small().adapt(lora({ rank: 1, on: "block2*" }));
    const of = network(model, image);
    const weights = of.init(random(1), 2);
    const stem = stemOf(of, weights, {})!;
    const x = random(2).uniforms([3, ...image]);
    const first = stem.first(weights, {}, x);
    expect(first.shape).toEqual([3, 5, 8]);
    const [whole, rest] = [0, 1].map((i) => {
      const { mode } = tape(true, random(1), {});
      return (i === 0 ? of.features(weights, x, mode) : stem.rest(weights, first, mode)).dataSync();
    });
    for (let i = 0; i < whole!.length; i++) expect(rest![i]).toBeCloseTo(whole![i]!, 6);
    expect(stem.share).toBeGreaterThan(0.4);
    const read = net().dense(4).tap("early").dense(4).read("early").dense(2) as unknown as Model;
    expect(shapeOf(read.freeze("1-dense"), [3])).toBeUndefined();
  });
});

describe("what it gives is computed once for each example", () => {
  test("rows that came before cost nothing, and count as done", () => {
    const model = two().freeze("*");
    const of = network(model, [3]);
    const weights = of.init(random(1), 2);
    const known = remembering(stemOf(of, weights, {})!, [3]);
    const x = random(3).uniforms([5, 3]).dataSync() as Float32Array;
    const start = flopsDone();
    const first = known.rows(x, weights, {});
    const once = flopsDone() - start;
    expect(once).toBe(32 * 2 * (3 * 12 + 12 * 10)); // 32 rows at a time
    expect(known.saved).toBeCloseTo((5 / 32) * once - once, 6);
    const again = known.rows(Float32Array.from([...x.slice(6, 9), ...x]), weights, {});
    expect(flopsDone() - start).toBe(once);
    expect([...again.slice(10)]).toEqual([...first]);
    expect([...again.slice(0, 10)]).toEqual([...first.slice(20, 30)]);
    expect(flopsDone() - start + known.saved).toBeCloseTo((11 / 32) * once, 6);
    const plain = of.features(weights, tf.tensor2d(x, [5, 3]), tape(false, null, {}).mode).dataSync();
    for (let i = 0; i < plain.length; i++) expect(first[i]).toBeCloseTo(plain[i]!, 6);
  });

  test("where there is no more room, what was not used for long is computed again", () => {
    const model = two().freeze("*");
    const of = network(model, [3]);
    const weights = of.init(random(1), 2);
    const known = remembering(stemOf(of, weights, {})!, [3], 2 * 2 * 10); // two rows in each generation
    const rows = Array.from({ length: 6 }, (_, i) => random(i).uniforms([3]).dataSync() as Float32Array);
    const cost = (row: number): number => {
      const before = flopsDone();
      known.rows(rows[row]!, weights, {});
      return flopsDone() - before;
    };
    const [a, ...later] = [0, 1, 2, 0, 3, 4, 0, 1].map(cost);
    expect(later.map((each) => each / a!)).toEqual([1, 1, 0, 1, 1, 0, 1]); // 0 is kept, being used; 1 is not
  });
});

describe("a run with a frozen beginning", () => {
  const given = (model: Model, strategies: readonly Strategy[]) =>
    spec(over(), strategies, { model, optimizer: adam(), training: training({ batch: 5, epochs: 2 }) });
  const plainEvents = (events: readonly object[]): string =>
    JSON.stringify(events, (key, value) => (key === "seconds" ? 0 : value));

  test.each([
    ["naive", () => [naive()]],
    ["replay, whose rows come from memory", () => [replay({ capacity: 8 })]],
    ["derpp, which looks at logits of rows again", () => [derpp({ capacity: 8 })]],
    ["lwf, whose teacher has other weights", () => [lwf()]],
    ["nearestMean, which predicts", () => [nearestMean()]],
  ] as const)("is to the bit what it is without, with %s", (_, strategies) => {
    const model = two().freeze("1-dense");
    const [with_, without] = [model, opaque(model)].map((of) => run(given(of, strategies())));
    expect(stemFor(given(model, []), network(model, [3]))).not.toBeNull();
    expect(stemFor(given(opaque(model), []), network(opaque(model), [3]))).toBeNull();
    expect(with_!.weights).toEqual(without!.weights);
    expect(plainEvents(with_!.events)).toBe(plainEvents(without!.events));
  });

  test("goes on from the middle as if it had not stopped, what it cost included, and leaves no tensor", () => {
    const all = given(two().freeze("1-dense"), [replay({ capacity: 8 })]);
    const session = open(all, 1, "test");
    const events = advance(session, 10);
    const bytes = session.save();
    const tensors = tf.memory().numTensors;
    advance(session, 14);
    expect(tf.memory().numTensors).toBe(tensors);
    session.dispose();
    const again = run(all, 1, bytes);
    const whole = run(all, 1);
    expect(again.weights).toEqual(whole.weights);
    expect(plainEvents([...events, ...again.events])).toBe(plainEvents(whole.events));
  });

  test("has none where images change their size within the program, or weights at test time", () => {
    const model = two().freeze("1-dense");
    const of = network(model, [3]);
    const stem = (more: object): unknown => stemFor({ ...given(model, []), ...more } as never, of);
    expect(stem({})).not.toBeNull();
    expect(stem({ strategies: [tent()] })).toBeNull();
    expect(stem({ batching: [resolution()] })).toBeNull();
  });
});
