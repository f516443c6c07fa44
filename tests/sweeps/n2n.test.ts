import { describe, expect, test } from "vitest";
import { blobs, classes, compressionReward, distil, mlp, n2n, net, random, sgd, tf } from "../../lib/index.ts";
import { drawnAction, policy } from "../../lib/sweeps/parts/policy.ts";
import { seenOf, smaller } from "../../lib/sweeps/parts/students.ts";

describe("P013: policies that make networks smaller", () => {
  const options = { inputs: 2, actions: 3, units: 3 };
  const places = Float32Array.from([0.2, -0.4, 0.9, 0.1]);
  const other = Float32Array.from([-0.7, 0.3, 0.5, 0.6]);

  test.each([true, false])(
    "weights move along the gradient of the mean of advantage · log p (bidirectional: %s)",
    (bidirectional) => {
      const actions = [
        [2, 0],
        [1, 1],
      ];
      const advantages = [0.8, -0.5];
      const by = policy({ ...options, bidirectional, optimizer: sgd({ lr: 1 }) }, random(1));
      const before = by.save();
      const aim = (weights: readonly Float32Array[]): number => {
        const one = policy({ ...options, bidirectional, from: weights }, random(0));
        const total = [places, other].reduce((sum, row, i) => {
          const chances = one.chances(row);
          return sum + advantages[i]! * actions[i]!.reduce((log, action, t) => log + Math.log(chances[t]![action]!), 0);
        }, 0);
        one.dispose();
        return total / 2;
      };
      by.reinforce([places, other], actions, advantages);
      const after = by.save();
      by.dispose();
      for (const [tensor, at] of [
        [0, 1],
        [before.length - 2, 2],
        [before.length - 1, 0],
      ] as const) {
        const moved = (by_: number) =>
          before.map((leaf, k) => (k === tensor ? leaf.map((value, j) => (j === at ? value + by_ : value)) : leaf));
        const slope = (aim(moved(0.02)) - aim(moved(-0.02))) / 0.04;
        expect(after[tensor]![at]! - before[tensor]![at]!).toBeCloseTo(slope, 3);
      }
    },
  );

  test("a policy learns which actions are rewarded, and one that goes on from it knows them", () => {
    const rng = random(3);
    const by = policy({ ...options, bidirectional: true, optimizer: sgd({ lr: 0.5 }) }, random(2));
    for (let round = 0; round < 150; round++) {
      const chances = by.chances(places);
      const actions = Array.from({ length: 4 }, (_, i) =>
        chances.map((row, t) => drawnAction(row, rng.at(round, i, t))),
      );
      // the first place should take action 2, the other one action 0
      by.reinforce(
        actions.map(() => places),
        actions,
        actions.map(([a, b]) => Number(a === 2) + Number(b === 0) - 1),
      );
    }
    const next = policy({ ...options, bidirectional: true, from: by.save() }, random(9));
    expect(next.chances(places)).toEqual(by.chances(places));
    expect(next.chances(places)[0]![2]).toBeGreaterThan(0.8);
    expect(next.chances(places)[1]![0]).toBeGreaterThan(0.8);
    expect(() => policy({ ...options, units: 4, bidirectional: true, from: by.save() }, rng)).toThrow("weights of");
    by.dispose();
    next.dispose();
  });

  test("rewards, what is seen of layers and smaller layers are as by hand", () => {
    // 10 of 100 numbers left: C = 0.9, 0.9 · 1.1 = 0.99
    expect(compressionReward({ accuracy: 0.8, parameters: 10 }, { accuracy: 1, parameters: 100 })).toBeCloseTo(
      0.792,
      10,
    );
    const { stack } = net().conv(8, 5, { stride: 2 }).relu().conv(4, 3).flatten().dense(16) as never as {
      stack: never[];
    };
    expect(seenOf(stack[2]!, stack)).toEqual([1 / 15, 3 / 5, 1, 4 / 16, 1 / 5]);
    expect(seenOf(stack[3]!, stack)).toEqual([0, 0, 0, 0, 0]);
    expect(smaller(stack[0]!, 0.7, 0.6).options).toMatchObject({ filters: 4, window: 3, stride: 2 });
    expect(smaller(stack[4]!, 0.1, 0.01).options).toMatchObject({ units: 1 });
  });

  test("students of layers of the teacher are trained once each, the best is one of them, and nothing is left behind", async () => {
    const stream = classes(blobs({ classes: 3, dimensions: 4, perClass: 20, testPerClass: 10 }));
    const teacher = await (
      await stream
        .learn(mlp({ hidden: [12, 12] }))
        .train({ batch: 20, steps: 40 })
        .run({ quiet: true, record: false })
    ).network();
    const before = tf.memory().numTensors;
    const build = (model: never) => stream.learn(model).by(distil({ teacher })).train({ batch: 20, steps: 4 });
    const found = await n2n(teacher, build, { rounds: [2, 2], students: 3, seed: 1 });
    expect(tf.memory().numTensors).toBe(before);
    expect(found.history.map(({ stage }) => stage)).toEqual([...Array(6).fill("remove"), ...Array(6).fill("shrink")]);
    expect(found.best.reward).toBe(Math.max(...found.history.map(({ reward }) => reward)));
    expect(found.compression).toBe(teacher.parameters / found.best.parameters);
    expect(found.trained).toBeLessThanOrEqual(found.history.length);
    for (const { reward, parameters } of found.history)
      expect(parameters === 0 ? reward === -1 : parameters < teacher.parameters).toBe(true);
    // policies go on with a deeper teacher
    const deep = await (
      await stream
        .learn(mlp({ hidden: [12, 12, 12] }))
        .train({ batch: 20, steps: 4 })
        .run({ quiet: true, record: false })
    ).network();
    const { policies } = found;
    await n2n(deep, build, { rounds: [1, 1], students: 1, policies, limit: { parameters: 1 } });
    const bound = await n2n(teacher, build, { rounds: [0, 1], students: 2, limit: { parameters: 1 } });
    // in round 0 limits do not bind yet
    for (const { reward, parameters } of bound.history) if (parameters > 0) expect(reward).toBeGreaterThan(0);
    await expect(n2n(teacher, build, { shares: [0] })).rejects.toThrow("shares above 0");
    teacher.dispose();
    deep.dispose();
  });
});
