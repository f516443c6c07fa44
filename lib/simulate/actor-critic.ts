import { needWhole, withDefaults } from "../data/options.ts";
import { type Rng, random } from "../engine/random.ts";
import { clock, type Machine, type Process } from "./clock.ts";
import { type Delay, delayOf, requireDelay } from "./parts/delay.ts";

/** A small world of numbered states and actions. */
export interface World {
  readonly states: number;
  readonly actions: number;
  readonly start: number;
  /** What an action comes to; `end` closes the episode. */
  step(state: number, action: number): { readonly state: number; readonly reward: number; readonly end: boolean };
}

/** A square of fields: from one corner to the other, each step costs 0.01, the goal gives 1; actions are up, down, left and right. */
export function gridWorld(size = 5): World {
  needWhole("gridWorld", "size", size, 2);
  const last = size * size - 1;
  return {
    states: size * size,
    actions: 4,
    start: 0,
    step(state, action) {
      const [row, column] = [Math.floor(state / size), state % size];
      const [down, right] = [
        [-1, 0],
        [1, 0],
        [0, -1],
        [0, 1],
      ][action] as [number, number];
      const inside = (x: number): number => Math.min(size - 1, Math.max(0, x));
      const next = inside(row + down) * size + inside(column + right);
      return next === last ? { state: next, reward: 1, end: true } : { state: next, reward: -0.01, end: false };
    },
  };
}

/** How actors learn. */
export interface ActorCriticOptions {
  /** Actors that run side by side. Default 4. */
  readonly workers?: number;
  /** Steps of an actor before it learns from them. Default 5. */
  readonly rollout?: number;
  /** Steps of all actors together. Default 5000. */
  readonly steps?: number;
  readonly lr?: number;
  /** How much what comes later counts. Default 0.99. */
  readonly discount?: number;
  /** How much the policy's entropy counts, and the error of the values. Defaults 0.01 and 0.5. */
  readonly entropy?: number;
  readonly value?: number;
  /** Longest episode. Default 200. */
  readonly limit?: number;
  /** Seconds of a step of the world, and random ones besides for each rollout. Default 1e-3 and none. */
  readonly perStep?: number;
  readonly delay?: Delay;
  /** Default 0. */
  readonly seed?: number;
}

/** What actors came to. */
export interface ActorCriticRun {
  /** Simulated seconds. */
  readonly seconds: number;
  /** Episodes in the order in which they ended. */
  readonly episodes: readonly { readonly seconds: number; readonly steps: number; readonly reward: number }[];
  /** Logits of actions `[states, actions]`, and the value of each state. */
  readonly policy: Float64Array;
  readonly values: Float64Array;
  /** Updates between the weights that a gradient was computed at and those it was added to, on average. */
  readonly staleness: number;
}

/** A stretch of an actor's way. */
export interface Rollout {
  readonly states: readonly number[];
  readonly actions: readonly number[];
  readonly rewards: readonly number[];
  /** Where it stopped; null where the episode was over. */
  readonly last: number | null;
}

interface Weights {
  readonly policy: Float64Array;
  readonly values: Float64Array;
}

/**
 * A3C: actors on machines of their own share one policy and one table of values, which each reads, acts by for a few steps, and steps on with the
 * gradient of what it met, whatever others have changed meanwhile.
 *
 * With returns `R` of the rollout, bootstrapped with the value of where it stopped, a rollout's gradient is that of
 * `Σ −log π(a|s) (R − V(s)) − entropy · H(π(s)) + value/2 · (R − V(s))²`, the advantage held. Policy and values are tables.
 *
 * Mnih et al. 2016, arXiv:1602.01783, section 4 and algorithm S3.
 * Differs from the paper: tables in place of a network, and plain steps in place of shared RMSProp.
 *
 * Implements: P224 A3C
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const run = await simulate.actorCritic(simulate.gridWorld(3), { workers: 2, steps: 200 });
 * run.policy.length; // 36
 * ```
 */
export async function actorCritic(world: World, options: ActorCriticOptions = {}): Promise<ActorCriticRun> {
  const { delay, ...plain } = options;
  const o = withDefaults<Required<Omit<ActorCriticOptions, "delay">>>("actorCritic", plain, {
    workers: 4,
    rollout: 5,
    steps: 5000,
    lr: 0.3,
    discount: 0.99,
    entropy: 0.01,
    value: 0.5,
    limit: 200,
    perStep: 1e-3,
    seed: 0,
  });
  for (const key of ["workers", "rollout", "steps", "limit"] as const) needWhole("actorCritic", key, o[key]);
  requireDelay("actorCritic", delay);
  const shared: Weights = {
    policy: new Float64Array(world.states * world.actions),
    values: new Float64Array(world.states),
  };
  const rng = random(o.seed);
  const time = clock({ machines: Array.from({ length: o.workers }, (_, k) => `actor ${k}`) });
  const episodes: { seconds: number; steps: number; reward: number }[] = [];
  let [taken, version, stale] = [0, 0, 0];

  function* actor(me: Machine): Process {
    const draw = rng.at("actor", me.index);
    let [state, steps, reward] = [world.start, 0, 0];
    for (let k = 0; taken < o.steps; k++) {
      const read: Weights = { policy: shared.policy.slice(), values: shared.values.slice() };
      const from = version;
      const [states, actions, rewards]: [number[], number[], number[]] = [[], [], []];
      let over = false;
      while (!over && states.length < o.rollout) {
        const action = drawn(policyAt(read.policy, state, world.actions), draw);
        const next = world.step(state, action);
        states.push(state);
        actions.push(action);
        rewards.push(next.reward);
        state = next.state;
        steps++;
        reward += next.reward;
        over = next.end || steps >= o.limit;
      }
      taken += states.length;
      const rollout = { states, actions, rewards, last: over ? null : state };
      const seconds = o.perStep * states.length + delayOf(delay, draw.at("delay", k));
      const slope = yield* me.work(seconds, "act", () => gradientOf(rollout, read, world.actions, o));
      for (const part of ["policy", "values"] as const)
        for (const [i, g] of slope[part].entries()) shared[part][i]! -= o.lr * g;
      stale += version - from;
      version++;
      if (over) episodes.push({ seconds: me.now, steps, reward });
      if (over) [state, steps, reward] = [world.start, 0, 0];
    }
  }
  for (let k = 0; k < o.workers; k++) time.spawn(k, actor);
  await time.run();
  return { seconds: time.now, episodes, ...shared, staleness: stale / Math.max(1, version) };
}

/** The gradient of a rollout's loss. */
export function gradientOf(
  { states, actions, rewards, last }: Rollout,
  { policy, values }: Weights,
  count: number,
  { discount, entropy, value }: { readonly discount: number; readonly entropy: number; readonly value: number },
): Weights {
  const slope: Weights = { policy: new Float64Array(policy.length), values: new Float64Array(values.length) };
  let ahead = last === null ? 0 : values[last]!;
  for (let i = states.length - 1; i >= 0; i--) {
    ahead = rewards[i]! + discount * ahead;
    const state = states[i]!;
    const p = policyAt(policy, state, count);
    const advantage = ahead - values[state]!;
    const doubt = p.reduce((sum, x) => sum - x * Math.log(Math.max(x, 1e-300)), 0);
    for (const [action, x] of p.entries()) {
      const chosen = Number(actions[i] === action);
      slope.policy[state * count + action]! +=
        (x - chosen) * advantage + entropy * x * (Math.log(Math.max(x, 1e-300)) + doubt);
    }
    slope.values[state]! -= value * advantage;
  }
  return slope;
}

/** The probabilities of actions in a state. */
function policyAt(policy: Float64Array, state: number, actions: number): number[] {
  const logits = [...policy.subarray(state * actions, (state + 1) * actions)];
  const most = Math.max(...logits);
  const each = logits.map((z) => Math.exp(z - most));
  const total = each.reduce((a, b) => a + b, 0);
  return each.map((x) => x / total);
}

function drawn(p: readonly number[], rng: Rng): number {
  let left = rng.uniform();
  for (const [action, x] of p.entries()) {
    left -= x;
    if (left < 0) return action;
  }
  return p.length - 1;
}
