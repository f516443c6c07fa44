/** Mixtures of experts against transformers' Mixtral and Switch, routing worked by hand, the losses of routers in a run. */
import { readFileSync } from "node:fs";
import {
  blobs,
  classes,
  countParameters,
  hashTables,
  jit,
  type Model,
  net,
  network,
  type Params,
  random,
  tape,
  tf,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { mixed, places } from "../../lib/models/parts/experts.ts";
import { flopsPerExample } from "../../lib/models/parts/flops.ts";
import { balanceLoss, loads, routed, zLoss } from "../../lib/models/parts/routing.ts";
import { peerNumbers } from "../support/peer-numbers.ts";
import { slopeAlong } from "./slope.ts";

type Sum = readonly [product: number, length: number];
const told = JSON.parse(readFileSync(new URL("./peers/experts.json", import.meta.url), "utf8")) as {
  readonly sizes: { readonly width: number; readonly inner: number; readonly experts: number; readonly length: number };
  readonly mixtral: { readonly y: number[]; readonly gradients: Record<string, Sum>; readonly balance: number[] };
  readonly switch: {
    readonly y: number[];
    readonly gradients: Record<string, Sum>;
    readonly z: number;
    readonly balance: number;
  };
};
const { width, inner, experts, length } = told.sizes;
const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const close = (got: readonly number[], wanted: readonly number[], digits = 5): void => {
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(wanted[i]!, digits);
};
const drawn = {
  router: peerNumbers(0, [width, experts]),
  gate: peerNumbers(1, [experts, width, inner]),
  up: peerNumbers(2, [experts, width, inner]),
  down: peerNumbers(3, [experts, inner, width]),
};
const x = tf.mul(peerNumbers(4, [1, length, width]), 2);
const weigh = peerNumbers(2000, [1, length, width]);
const summed = (i: number, g: tf.Tensor): Sum => [
  numbers(tf.sum(tf.mul(g, peerNumbers(3000 + i, g.shape))))[0]!,
  numbers(tf.norm(g))[0]!,
];
/** The tensors of a layer of experts; biases are 0 where it has some. */
const tensors = (parts: readonly ("gate" | "up" | "down")[]): Params => ({
  router: { kernel: drawn.router },
  experts: Object.fromEntries(
    Array.from({ length: experts }, (_, e) => [
      String(e + 1),
      Object.fromEntries(
        parts.map((part) => [part, { kernel: tf.squeeze(tf.slice(drawn[part], [e, 0, 0], [1, -1, -1]), [0]) }]),
      ),
    ]),
  ),
});
const outcome = (
  model: Model,
  params: Params,
  training: boolean,
): { readonly y: tf.Tensor; readonly grads: { readonly x: tf.Tensor; readonly params: Params } } => {
  const apply = (p: Params, of: tf.Tensor): tf.Tensor => model.apply(p, of, tape(training, null, {}).mode);
  const at = { x, params: { "1-moe": params } as Params };
  const { grads } = valueAndGrad((p: typeof at) => tf.sum(tf.mul(apply(p.params, p.x), weigh)), at);
  return { y: apply(at.params, x), grads: { x: grads.x, params: grads.params["1-moe"] as Params } };
};
const part = (grads: Params, name: string): tf.Tensor =>
  tf.stack(Object.values(grads.experts as Params).map((own) => ((own as Params)[name] as Params).kernel as tf.Tensor));

describe("moe", () => {
  test("gives what Mixtral's block of transformers gives, with its gradients", () => {
    const model = net().moe(experts, { form: "swiglu", bias: false, widen: inner / width }) as Model;
    const { y, grads } = outcome(model, tensors(["gate", "up", "down"]), false);
    close(numbers(y), told.mixtral.y);
    const wanted = told.mixtral.gradients;
    close(summed(0, (grads.params.router as Params).kernel as tf.Tensor), wanted.router!);
    for (const [i, name] of ["gate", "up", "down"].entries())
      close(summed(i + 1, part(grads.params, name)), wanted[name]!);
    close(summed(4, grads.x), wanted.x!);
  });

  test("gives what Switch's gives, with places for 3 of the 10 in each expert", () => {
    // ceil(1.2 · 10 / 4) = 3
    const model = net().moe(experts, {
      topK: 1,
      capacity: 1.2,
      form: "relu",
      bias: false,
      widen: inner / width,
    }) as Model;
    const { y, grads } = outcome(model, tensors(["up", "down"]), true);
    close(numbers(y), told.switch.y);
    close(summed(0, (grads.params.router as Params).kernel as tf.Tensor), told.switch.gradients.router!);
    close(summed(4, grads.x), told.switch.gradients.x!);
    const rows = told.switch.y.filter((_, i) => i % width === 0);
    expect(rows.filter((v) => v === 0).length).toBeGreaterThan(0);
  });

  test("has the losses of transformers' routers", () => {
    const rows = tf.reshape(x, [length, width]) as tf.Tensor2D;
    const logits = (router: tf.Tensor): tf.Tensor2D => tf.matMul(rows, router as tf.Tensor2D);
    const loss =
      (k: number) =>
      (router: tf.Tensor): tf.Scalar => {
        const way = routed(logits(router), k);
        return balanceLoss(loads(way), way.probabilities);
      };
    const { value, grads } = valueAndGrad(loss(2), drawn.router as tf.Tensor);
    close([numbers(value as tf.Tensor)[0]!, ...summed(0, grads as tf.Tensor)], told.mixtral.balance);
    close(numbers(loss(1)(drawn.router)), [told.switch.balance]);
    close(numbers(zLoss(logits(drawn.router))), [told.switch.z]);
  });

  test("gives places to first choices before second ones, in their order", () => {
    // three rows, two choices of three experts, two places each: expert 0 is full when row 2 asks for it second
    const chosen = tf.tensor2d(
      [
        [0, 1],
        [0, 2],
        [1, 0],
      ],
      [3, 2],
      "int32",
    );
    const { slots, rowsOfSlots } = places(chosen, 3, 2);
    expect(numbers(slots)).toEqual([0, 1, 2, 3, 4, 6]);
    expect(numbers(rowsOfSlots)).toEqual([0, 1, 2, 0, 1, 0]);
  });

  test("with places for all gives what every expert on every row gives", () => {
    const rows = random(1).normals([7, 4], 0, 1) as tf.Tensor2D;
    const model = net().moe(3) as Model;
    const params = (model.init(random(2), [4])["1-moe"] as Params).experts as Params;
    const logits = random(3).normals([7, 3], 0, 1) as tf.Tensor2D;
    const { mode } = tape(true, null, {});
    const [full, sent] = [null, 7].map((most) => numbers(mixed(rows, routed(logits, 2), params, mode, "gelu", most)));
    close(sent!, full!);
  });

  test("counts a router and all experts, and in training as many products as there are places", () => {
    const model = net().moe(4, { topK: 1, widen: 2, capacity: 1 }) as Model;
    const params = model.init(random(0), [6]);
    expect(countParameters(params)).toBe(6 * 4 + 4 * (6 * 12 + 12 + 12 * 6 + 6));
    const whole = network(model, [6]);
    const weights = whole.init(random(0), 2);
    expect(flopsPerExample(whole, weights)).toBe(2 * (6 * 4 + 4 * 2 * 6 * 12 + 6 * 2));
    let products = 0;
    const count = (_path: readonly string[], input: tf.Tensor, output: tf.Tensor): tf.Tensor => {
      products += input.size * output.shape.at(-1)!;
      return output;
    };
    jit(() => [model.apply(params, tf.zeros([8, 6]), tape(true, null, {}, count).mode)], { name: "count" })();
    expect(products).toBe(8 * (6 * 4 + 2 * 6 * 12));
  });

  test("asks of several batches together that experts are used alike", () => {
    const model = net().moe(2, { topK: 1, widen: 1, balance: 1, balanceOver: 2, zLoss: 0, capacity: 0 }) as Model;
    const params = model.init(random(1), [2]);
    const kernel = (params["1-moe"] as { router: { kernel: tf.Tensor } }).router.kernel;
    // the sign of the first number decides
    const at = {
      ...params,
      "1-moe": {
        ...(params["1-moe"] as Params),
        router: {
          kernel: tf.tensor2d([
            [5, -5],
            [0, 0],
          ]),
        },
      },
    };
    kernel.dispose();
    let statistics = model.statistics([2]);
    const costs = [
      [1, 1],
      [-1, -1],
      [1, 1],
    ].map(([a, b]) => {
      const run = tape(true, null, statistics);
      model.apply(
        at,
        tf.tensor2d([
          [a!, 0],
          [b!, 0],
        ]),
        run.mode,
      );
      statistics = run.written();
      return numbers(run.cost()!)[0]!;
    });
    // p = 1/(1 + e⁻¹⁰) for the one that is chosen; shares (1, 0), then (1/2, 1/2), then the count begins anew
    const p = 1 / (1 + Math.exp(-10));
    close(costs, [2 * p, 1, 2 * p]);
  });

  test("tells the losses of its router in the events of a run, and trains the router by them", async () => {
    const model = net().dense(8).moe(4, { widen: 1, balance: 0.1, zLoss: 0.01, jitter: 0.1 });
    const study = classes(blobs({ classes: 4, dimensions: 3, perClass: 20, seed: 1 }))
      .split(1)
      .learn(model)
      .train({ steps: 6, batch: 16 });
    const run = await study.run({ quiet: true, record: false });
    const steps = run.logs[0]!.events.flatMap((event) => (event.type === "step" ? [event] : []));
    expect(steps.length).toBeGreaterThan(3);
    for (const { terms, loss } of steps) {
      expect(Object.keys(terms)).toEqual(["task", "layers"]);
      // at least its smallest, 0.1 · topK
      expect(terms.layers).toBeGreaterThan(0.19);
      expect(loss).toBeCloseTo(terms.task! + terms.layers!, 6);
    }
  });

  test("says what it needs", () => {
    expect(() => net().moe(2, { topK: 3 })).toThrow("topK of at most the 2 experts is required, got 3");
    expect(() => net().moe(2, { capacity: -1 })).toThrow("capacity must be a number of at least 0, got -1");
    expect(() => net().moe(2).features([4, 4, 1])).toThrow("a vector or a sequence is required, got shape [4,4,1]");
  });
});

describe("residualMoe", () => {
  test("sums a routed expert and a shared one by the shares of the two ways", () => {
    const model = net().residualMoe(2, { widen: 1, form: "relu" }) as Model;
    const one = (by: number): Params => ({
      up: { kernel: tf.tensor2d([[1]]), bias: tf.zeros([1]) },
      down: { kernel: tf.tensor2d([[by]]), bias: tf.zeros([1]) },
    });
    const params = {
      "1-residualMoe": {
        router: { kernel: tf.tensor2d([[0, 1]]) },
        experts: { "1": one(10), "2": one(20) },
        shared: one(3),
        ways: { kernel: tf.zeros([1, 2]), bias: tf.tensor1d([0, Math.log(3)]) },
      },
    };
    // at 2 the second expert has e²/(1 + e²), the ways 1/4 and 3/4
    const gate = Math.exp(2) / (1 + Math.exp(2));
    close(
      numbers(model.apply(params, tf.tensor2d([[2]]), tape(false, null, {}).mode)),
      [(gate * 40) / 4 + (6 * 3) / 4],
      4,
    );
  });
});

describe("recurrentMoe", () => {
  test("has one GRU for all layers, whose state passes from one router to the next as torch's cell has it", () => {
    const model = net().recurrentMoe(2, { units: 1, widen: 1 }).recurrentMoe(2, { units: 1, widen: 1 }) as Model;
    const params = model.init(random(1), [3]);
    expect(Object.keys(params["1-recurrentMoe"]!).sort()).toEqual(["experts", "given", "held", "projection", "router"]);
    expect(Object.keys(params["2-recurrentMoe"]!).sort()).toEqual(["experts", "projection", "router"]);
    const states: number[] = [];
    const look = (path: readonly string[], input: tf.Tensor, output: tf.Tensor): tf.Tensor => {
      if (path.at(-1) === "router") states.push(numbers(input)[0]!);
      return output;
    };
    const first = params["1-recurrentMoe"] as unknown as Record<"given" | "held", Record<"kernel" | "bias", tf.Tensor>>;
    const seen: number[] = [];
    model.apply(
      params,
      tf.tensor2d([[1, -2, 3]]),
      tape(false, null, {}, (path, input, output) => {
        if (path.at(-1) === "projection") seen.push(numbers(output)[0]!);
        return look(path, input, output);
      }).mode,
    );
    const [wi, bi, wh, bh] = (["given", "held"] as const).flatMap((p) => [
      numbers(first[p].kernel),
      numbers(first[p].bias),
    ]);
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const next = (input: number, h: number): number => {
      const [r, z] = [0, 1].map((i) => sigmoid(wi![i]! * input + bi![i]! + wh![i]! * h + bh![i]!));
      const fresh = Math.tanh(wi![2]! * input + bi![2]! + r! * (wh![2]! * h + bh![2]!));
      return (1 - z!) * fresh + z! * h;
    };
    const one = next(seen[0]!, 0);
    close(states, [one, next(seen[1]!, one)]);
    expect(() => net().recurrentMoe(2, { units: 3 }).recurrentMoe(2, { units: 4 }).features([5])).toThrow(
      "a state of as many units in all such layers is required, got 3 before 4",
    );
  });
});

describe("hashMoe", () => {
  test("sends each place to the expert of its token, fully", () => {
    const model = net()
      .tap("tokens")
      .embedding(3, 2, { positions: false })
      .hashMoe(2, [0, 1, 0], { widen: 1, form: "relu" }) as Model;
    const own = (by: number): Params => ({
      up: { kernel: tf.eye(2), bias: tf.zeros([2]) },
      down: { kernel: tf.mul(tf.eye(2), by), bias: tf.tensor1d([by, 0]) },
    });
    const params = {
      "2-embedding": {
        tokens: {
          kernel: tf.tensor2d([
            [1, 2],
            [3, 4],
            [5, 6],
          ]),
        },
      },
      "3-hashMoe": { experts: { "1": own(10), "2": own(100) } },
    };
    const given = (training: boolean): number[] =>
      numbers(model.apply(params, tf.tensor2d([[2, 1, 0]]), tape(training, null, {}).mode));
    expect(given(false)).toEqual([60, 60, 400, 400, 20, 20]);
    // one place of three in each expert: the second token of the first expert passes by
    const tight = net()
      .tap("tokens")
      .embedding(3, 2, { positions: false })
      .hashMoe(2, [0, 1, 0], { widen: 1, form: "relu", capacity: 0.5 }) as Model;
    expect(numbers(tight.apply(params, tf.tensor2d([[2, 1, 0]]), tape(true, null, {}).mode))).toEqual([
      60, 60, 400, 400, 0, 0,
    ]);
    expect(() => net().embedding(3, 2).hashMoe(2, [0, 1, 0]).features([4])).toThrow(
      'a name that was tapped before is required, got "tokens"',
    );
    expect(() => net().tap("tokens").embedding(3, 2).hashMoe(2, [0, 2, 0])).toThrow(
      "an expert from 0 to 1 for each token is required, got 2",
    );
  });

  test.each([{}, { capacity: 0.5 }])("has the slope of finite differences with %o", (options) => {
    const model = net()
      .tap("tokens")
      .embedding(3, 4, { positions: false })
      .hashMoe(2, [0, 1, 0], { widen: 2, ...options }) as Model;
    const tokens = tf.tensor2d([[2, 1, 0, 0, 1]]);
    const weigh = random(8).normals([1, 5, 4], 0, 1);
    const loss = jit((given: { params: Params }) =>
      tf.sum(tf.mul(model.apply(given.params, tokens, tape(true, null, {}).mode), weigh)),
    );
    const given = { params: model.init(random(7), [5]) };
    expect(Math.abs(slopeAlong(loss as never, given as never, 1e-3) - 1)).toBeLessThan(0.01);
  });

  test("tables are drawn, balanced by counts, and clustered or dispersed by vectors", () => {
    expect(hashTables.random(50, 4, { seed: 3 })).toEqual(hashTables.random(50, 4, { seed: 3 }));
    expect(new Set(hashTables.random(50, 4)).size).toBe(4);
    expect(hashTables.balanced([5, 9, 1, 4], 2)).toEqual([1, 0, 0, 1]);
    const vectors = [
      [0, 0],
      [0, 0.1],
      [9, 9],
      [9, 9.1],
    ];
    const [a, b, c, d] = hashTables.clustered(vectors, 2);
    expect([a === b, c === d, a === c]).toEqual([true, true, false]);
    expect(hashTables.dispersed(vectors, 2)).toEqual([0, 1, 0, 1]);
    expect(() => hashTables.balanced([], 2)).toThrow("tokens must be a whole number of at least 1, got 0");
  });
});
