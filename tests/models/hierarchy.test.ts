/** A hierarchy of experts for several tasks, and the head that reads them apart, by hand. */
import {
  headed,
  jit,
  type Model,
  modelFromJson,
  net,
  network,
  type Params,
  random,
  tape,
  tf,
  towers,
  valueAndGrad,
} from "thalweg";
import { expect, test } from "vitest";
import { slopeAlong } from "./slope.ts";

type Node = { readonly [name: string]: Node } & {
  readonly kernel?: tf.Tensor;
  readonly bias?: tf.Tensor;
  readonly scale?: tf.Tensor;
};
const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

const groups = [[0, 2], [1]];
const model = net().hierarchicalMoe(groups, { experts: 2, units: 3, rank: 2 }) as Model;
const all = model.init(random(4), [4]);
const root = all["1-hierarchicalMoe"] as unknown as Node;
const x = [0.5, -1, 2, 0.3];
const apply = (params: Params, rows: tf.Tensor): tf.Tensor =>
  model.apply(params, rows, tape(false, null, model.statistics([4])).mode);

/** A vector times a kernel, and a bias if there is one. */
const times = (v: readonly number[], { kernel, bias }: Node): number[] => {
  const [inputs, outputs] = kernel!.shape as [number, number];
  const k = numbers(kernel!);
  const b = bias === undefined ? new Array<number>(outputs).fill(0) : numbers(bias);
  return b.map((shift, j) =>
    Array.from({ length: inputs }, (_, i) => v[i]! * k[i * outputs + j]!).reduce((a, c) => a + c, shift),
  );
};
const expert = (v: readonly number[], own: Node): number[] => {
  const open = times(times(v, own.narrow!), own.gate!).map((g) => 2 * sigmoid(g));
  // running statistics as they begin: mean 0, variance 1
  const normal = times(
    v.map((value, i) => value * open[i]!),
    own.dense!,
  ).map((value) => value / Math.sqrt(1 + 1e-5));
  return normal.map((value) => value * sigmoid(value));
};
const both = (v: readonly number[], set: Node): number[][] => [expert(v, set.expert1!), expert(v, set.expert2!)];
const weighed = (outputs: number[][], logits: number[]): number[] => {
  const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
  return outputs[0]!.map((_, j) => outputs.reduce((sum, y, i) => sum + (Math.exp(logits[i]!) / total) * y[j]!, 0));
};
const sum = (a: number[], b: number[]): number[] => a.map((v, i) => v + b[i]!);

test("hierarchicalMoe is the sum of the experts that a task sees, at both levels, and of its own once more", () => {
  const first = Object.fromEntries(["shared", "group1", "group2"].map((way) => [way, both(x, root.first![way]!)]));
  const gate = (level: "firstGates" | "secondGates", way: string, part: "all" | "own"): number[] =>
    times(x, root[level]![way]![part]!);
  const y = Object.fromEntries(
    ["shared", "group1", "group2"].map((way) => {
      const seen = way === "shared" ? ["shared", "group1", "group2"] : [way, "shared"];
      return [
        way,
        sum(
          weighed(
            seen.flatMap((other) => first[other]!),
            gate("firstGates", way, "all"),
          ),
          weighed(first[way]!, gate("firstGates", way, "own")),
        ),
      ];
    }),
  );
  const z = [1, 2, 1].flatMap((group, task) => {
    const way = `task${task + 1}`;
    const own = both(y[`group${group}`]!, root.second![way]!);
    const seen = [
      ...own,
      ...both(y[`group${group}`]!, root.second![`group${group}`]!),
      ...both(y.shared!, root.second!.shared!),
    ];
    return sum(weighed(seen, gate("secondGates", way, "all")), weighed(own, gate("secondGates", way, "own")));
  });
  const given = numbers(apply(all, tf.tensor2d([x])));
  expect(given).toHaveLength(9);
  for (const [i, value] of given.entries()) expect(value).toBeCloseTo(z[i]!, 5);
});

test("no task moves the experts of another group, or of another task", () => {
  const rows = random(1).normals([5, 4], 0, 1);
  const { grads } = valueAndGrad((p: Params) => tf.sum(tf.square(tf.slice(apply(p, rows), [0, 0], [5, 3]))), all);
  const size = (path: string): number => {
    const node = path.split("/").reduce<Node>((at, name) => at[name]!, grads["1-hierarchicalMoe"] as unknown as Node);
    return numbers(tf.norm(node.dense!.kernel!))[0]!;
  };
  for (const way of ["first/shared", "first/group1", "second/shared", "second/group1", "second/task1"])
    expect(size(`${way}/expert1`)).toBeGreaterThan(1e-6);
  // what the shared way makes of the second group's experts comes to every task
  expect(size("first/group2/expert1")).toBeGreaterThan(1e-6);
  for (const way of ["second/group2", "second/task2", "second/task3"]) expect(size(`${way}/expert1`)).toBe(0);
});

test("hierarchicalMoe has the slope of finite differences", () => {
  const weigh = random(6).normals([5, 9], 0, 1);
  const loss = jit((given: { x: tf.Tensor; params: Params }) => tf.sum(tf.mul(apply(given.params, given.x), weigh)));
  const given = { x: random(5).normals([5, 4], 0, 1), params: all };
  expect(Math.abs(slopeAlong(loss, given, 1e-3) - 1)).toBeLessThan(0.01);
});

test("towers read the features of each task apart, and both are made again from their JSON", () => {
  const whole = headed(model, towers());
  const structure = network(whole, [4]);
  const weights = structure.init(random(2), 3);
  const features = tf.tensor2d([[1, 2, 3, 4, 5, 6, 7, 8, 9]]);
  const [k, b] = [numbers(weights.head.kernel as tf.Tensor), numbers(weights.head.bias as tf.Tensor)];
  const wanted = b.map((shift, c) => [0, 1, 2].reduce((sum, i) => sum + k[3 * c + i]! * (3 * c + i + 1), shift));
  const logits = numbers(structure.logits(weights, features));
  for (const [c, value] of logits.entries()) expect(value).toBeCloseTo(wanted[c]!, 5);
  expect(modelFromJson(JSON.parse(JSON.stringify(whole))).spec).toEqual(whole.spec);
  expect(() => structure.init(random(2), 2)).toThrow("features that 2 columns can share are required, got 9");
  expect(() => structure.grow(weights, random(2), 4)).toThrow("a stream that names all its columns from the start");
  expect(() => net().hierarchicalMoe([[0, 2]])).toThrow(
    "groups that name every task from 0 once are required, got [[0,2]]",
  );
});
