import { random, simulate } from "thalweg";
import { describe, expect, test } from "vitest";
import { gradientOf } from "../../lib/simulate/actor-critic.ts";

const rng = random(3);
const drawn = (name: string, size: number): Float32Array => rng.at(name).fillNormal(new Float32Array(size));

describe("serving, over traces of requests", () => {
  /** Dialogues that go on, each behind one of two long instructions. */
  const dialogues = (count: number, turns: number): { input: number[]; output: number[] }[] => {
    const made: { input: number[]; output: number[] }[] = [];
    const said = Array.from({ length: count }, (_, d) => [
      ...Array.from({ length: 60 }, (_, t) => 1000 * ((d % 2) + 1) + t),
      ...Array.from({ length: 10 }, (_, t) => 10_000 + 100 * d + t),
    ]);
    for (let turn = 0; turn < turns; turn++)
      for (const [d, own] of said.entries()) {
        if (rng.at("turn", d, turn).uniform() < 0.3) continue;
        const output = Array.from({ length: 8 }, (_, t) => 100_000 + 1000 * d + 10 * turn + t);
        made.push({ input: [...own], output });
        own.push(...output, ...Array.from({ length: 5 }, (_, t) => 500_000 + 1000 * d + 10 * turn + t));
      }
    return made;
  };

  test("P060 Marconi: with room for all, a request need not read what an earlier one ended with or branched at", () => {
    const trace = dialogues(6, 5);
    const run = simulate.prefixCache(trace, { capacity: 1e9 });
    // by hand: a prefix serves where an earlier request ended, or where two earlier ones parted
    const before: number[][] = [];
    const points = new Set<string>();
    const key = (tokens: readonly number[]): string => tokens.join();
    trace.forEach(({ input, output }, i) => {
      let most = 0;
      for (let l = 1; l <= input.length; l++) if (points.has(key(input.slice(0, l)))) most = l;
      expect(run.saved[i]).toBe(most);
      const whole = [...input, ...output];
      const shared = before.reduce((far, other) => {
        let l = 0;
        while (l < whole.length && whole[l] === other[l]) l++;
        return Math.max(far, l);
      }, 0);
      if (shared > 0) points.add(key(whole.slice(0, shared)));
      points.add(key(whole));
      before.push(whole);
    });
    expect(run.tokenHits).toBeGreaterThan(0.5);
  });

  test("P060 Marconi: in little room, states at branches serve more tokens than one for every block, and it holds no more than there is", () => {
    const trace = dialogues(20, 8);
    const of = (more: object) =>
      simulate.prefixCache(trace, { capacity: 3000, tokenBytes: 1, stateBytes: 200, ...more });
    const [own, blocks, lru] = [of({}), of({ admit: "blocks", block: 16, alpha: 0 }), of({ alpha: 0 })];
    expect(own.tokenHits).toBeGreaterThan(1.5 * blocks.tokenHits);
    expect(own.tokenHits).toBeGreaterThanOrEqual(lru.tokenHits * 0.95);
    for (const { most } of [own, blocks, lru]) expect(most).toBeLessThanOrEqual(3000);
    expect(() => simulate.prefixCache(trace, { capacity: 100 })).toThrow("room for a request");
  });

  test("P177 BlendServe: requests of arithmetic run beside those of memory, prefixes stay together, and no order is faster than the bound", () => {
    // some read long prompts in groups that share half of them and answer shortly, the others answer at length
    const batch = Array.from({ length: 50 }, (_, i) => {
      const tokens = (from: number): number[] => Array.from({ length: 50 }, (_, t) => from + t);
      return i < 30
        ? { prompt: [...tokens((i % 10) * 100), ...tokens(10_000 + 100 * i)], answer: 2 }
        : { prompt: [90_000 + i, 1, 2], answer: 80 };
    });
    const of = (order: "given" | "prefix" | "blend") =>
      simulate.blendServe(batch, { room: 1200, order, memory: 0.05, chunk: 16 });
    const [given, prefix, blend] = [of("given"), of("prefix"), of("blend")];
    expect(blend.seconds).toBeLessThan(0.92 * prefix.seconds);
    expect(blend.seconds).toBeLessThan(given.seconds);
    expect(blend.shared).toBeGreaterThan(0.9 * prefix.shared);
    for (const run of [given, prefix, blend]) {
      expect(run.seconds).toBeGreaterThanOrEqual(run.least * 0.999);
      expect([...run.began].sort((a, b) => a - b)).toEqual(batch.map((_, i) => i));
    }
    // one request alone, by hand: 3 tokens read in one step, then answers beside 4 and 5 tokens
    const alone = simulate.blendServe([{ prompt: [1, 2, 3], answer: 2 }], { room: 10, memory: 0.5 });
    expect(alone.seconds).toBeCloseTo(3 + Math.max(1, 0.5 * 4) + Math.max(1, 0.5 * 5), 12);
    expect(() => simulate.blendServe(batch, { room: 10 })).toThrow("room for");
  });
});

describe("P224 A3C", () => {
  test("a rollout's gradient is a finite difference of its loss, with the advantage held", () => {
    const [states, actions] = [4, 3];
    const weights = {
      policy: Float64Array.from(drawn("policy", states * actions)),
      values: Float64Array.from(drawn("values", states)),
    };
    const how = { discount: 0.9, entropy: 0.1, value: 0.5 };
    const rollout = { states: [0, 2, 2], actions: [1, 0, 2], rewards: [0.5, -1, 2], last: 3 };
    const returns = [0, 0, 0];
    let ahead = weights.values[3]!;
    for (let i = 2; i >= 0; i--) returns[i] = ahead = rollout.rewards[i]! + 0.9 * ahead;
    const held = returns.map((r, i) => r - weights.values[rollout.states[i]!]!);
    const loss = ({ policy, values }: typeof weights): number =>
      rollout.states.reduce((sum, s, i) => {
        const z = [...policy.subarray(s * actions, (s + 1) * actions)];
        const total = z.reduce((a, b) => a + Math.exp(b), 0);
        const p = z.map((x) => Math.exp(x) / total);
        const doubt = -p.reduce((a, x) => a + x * Math.log(x), 0);
        const error = returns[i]! - values[s]!;
        return sum - Math.log(p[rollout.actions[i]!]!) * held[i]! - 0.1 * doubt + 0.25 * error ** 2;
      }, 0);
    const slope = gradientOf(rollout, weights, actions, how);
    for (const part of ["policy", "values"] as const)
      weights[part].forEach((_, i) => {
        const moved = (far: number) => {
          const own = { policy: weights.policy.slice(), values: weights.values.slice() };
          own[part][i]! += far;
          return loss(own);
        };
        expect(slope[part][i]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 5);
      });
  });

  test("actors find the way to the goal, more of them sooner, and the same seed gives the same way", async () => {
    const world = simulate.gridWorld(4);
    const of = (workers: number) => simulate.actorCritic(world, { workers, steps: 8000, seed: 2 });
    const [one, eight, again] = [await of(1), await of(8), await of(8)];
    const late = (run: typeof one): number => {
      const last = run.episodes.slice(-20);
      return last.reduce((sum, { steps }) => sum + steps, 0) / last.length;
    };
    for (const run of [one, eight]) expect(late(run)).toBeLessThan(9); // six steps are the shortest way
    expect(eight.seconds).toBeLessThan(one.seconds / 6);
    expect([one.staleness, Math.round(eight.staleness)]).toEqual([0, 7]);
    expect(again.policy).toEqual(eight.policy);
  });
});
