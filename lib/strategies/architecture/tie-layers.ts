import type { Rng } from "../../engine/index.ts";
import { tf } from "../../engine/index.ts";
import { mixedBlocks } from "../parts/block-weights.ts";
import { blocksOf } from "../parts/blocks.ts";
import { withExtra } from "../parts/buffer.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What a choice was made in. */
interface Choice {
  /** Of each block what it had chosen before. */
  readonly before: Float64Array;
  readonly block: number;
  readonly action: number;
}

/** A network of one hidden layer in one row of numbers, with the moments of Adam. */
export interface Values {
  readonly numbers: Float64Array;
  readonly mean: Float64Array;
  readonly square: Float64Array;
}

/** Which block each has its weights from, and what is thought of each choice. */
interface Memory {
  /** Of each block the number of the one whose weights it has: its own, or an earlier one's. */
  readonly roots: Int32Array;
  /** What each chose last, before it was followed to its root. */
  readonly chosen: Int32Array;
  readonly values: Values;
  /** Losses since the last choice, that choice, and how many there were. */
  readonly now: { sum: number; count: number; decisions: number; last: Choice | null };
}

/** Units of the hidden layer. */
const units = 128;

/**
 * Ties blocks of a transformer to earlier ones while it learns: every few steps it is decided of one block after the other, from the second on, whether it goes by itself or has
 * the weights of a block before it. In the beginning all have those of the first.
 *
 * Tied blocks have one set of weights: the gradient of each is the sum of all of theirs. Choices are those of Q-learning: a network of 128 hidden units says from what all blocks have
 * chosen what each choice of each block is worth. It learns after every choice that `max(−10, −e^loss) + discount · max` of the block's values in what came of it is what that choice was
 * worth, by a step of Adam with decay; loss is the mean over the steps since. With probability `epsilon`, which is multiplied by 0.95 after each round of the blocks down to 0.01, a
 * choice is drawn.
 *
 * Implements: P156 Dynamic Layer Tying
 * Hay and Wolf 2024, "Dynamic layer tying for parameter-efficient transformers", arXiv:2401.12819, with the learner of the authors' program (tamirdh/Dynamic-Layer-Tying).
 * Differs from the program: the reward is of the losses of training; tied blocks share their gradients, where there the first of them alone has one, and a block that goes by itself
 * again has numbers of its own; a block that others have their weights from leaves these to the first of them.
 *
 * @throws TypeError for a model with fewer than two blocks of attention in a row that are alike.
 *
 * @example
 * ```ts
 * import { classes, digits, tieLayers, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 4, heads: 2 })).by(tieLayers({ every: 10 }));
 * ```
 */
export const tieLayers = strategy(
  "tieLayers",
  {
    /** Steps between choices. */
    every: 4,
    /** The chance that a choice is drawn at first. */
    epsilon: 1,
    /** How much what comes later counts. */
    discount: 0.99,
    /** The rate at which values are learnt. */
    rate: 1e-3,
  },
  ({ every, epsilon, discount, rate }) => {
    requireWhole("tieLayers", "every", every, 1);
    requireNumber("tieLayers", "epsilon", epsilon, 0, 1);
    requireNumber("tieLayers", "discount", discount, 0, 1);
    requireNumber("tieLayers", "rate", rate, 0);
    const namesOf = (network: Context["network"]): string[] =>
      blocksOf(network).paths.map((path) => path.replace(/^model\//, ""));
    return {
      tokens: true,
      attention: true,
      init({ network, weights, rng }): Memory {
        const names = namesOf(network);
        const shapes = names.map((name) => JSON.stringify(weights.model[name], shapeOnly));
        if (names.length < 2 || shapes.some((shape) => shape === undefined || shape !== shapes[0]))
          throw new TypeError(
            `tieLayers: a model with at least two blocks of attention in a row that are alike is required, got ${network.model.spec.name}`,
          );
        return {
          roots: new Int32Array(names.length),
          chosen: new Int32Array(names.length),
          values: drawnValues(names.length, rng.at("values")),
          now: { sum: 0, count: 0, decisions: 0, last: null },
        };
      },
      batch({ roots }: Memory, batch) {
        const count = roots.length;
        const data = new Float32Array(count * count);
        roots.forEach((root, i) => {
          data[i * count + root] = 1;
        });
        return withExtra(batch, "tieLayers", { map: { data, shape: [count, count] } });
      },
      gradient: (_, gradient, step) => {
        const map = step.extra.map as tf.Tensor2D;
        return mixedBlocks(gradient, namesOf(step.network), tf.matMul(map, map, false, true));
      },
      weights: (_, { after }, step) => mixedBlocks(after, namesOf(step.network), step.extra.map!),
      outputs: (_, step) => ({ loss: step.targetLoss() }),
      afterStep(memory: Memory, { outputs }, { rng, step }) {
        memory.now.sum += outputs.loss![0]!;
        memory.now.count++;
        if (memory.now.count < every) return;
        decide(memory, rng.at("decide", step), { epsilon, discount, rate });
      },
      afterExperience(memory: Memory) {
        const own = new Set(memory.roots).size;
        return { ...memory, notes: [`${own} of ${memory.roots.length} blocks have weights of their own`] };
      },
    };
  },
);

/** Learns what the last choice was worth, and lets the next block choose, in place. */
export function decide(
  { roots, chosen, values, now }: Memory,
  rng: Rng,
  { epsilon, discount, rate }: { readonly epsilon: number; readonly discount: number; readonly rate: number },
): void {
  const count = roots.length;
  const state = Float64Array.from(chosen);
  if (now.last !== null) {
    const { before, block, action } = now.last;
    const reward = Math.max(-10, -Math.exp(now.sum / now.count));
    const target = reward + discount * Math.max(...worth(values, state).subarray(placeOf(block), placeOf(block + 1)));
    learn(values, before, placeOf(block) + action, target, rate, now.decisions);
  }
  const block = 1 + (now.decisions % (count - 1));
  const chance = Math.max(epsilon === 0 ? 0 : 0.01, epsilon * 0.95 ** Math.floor(now.decisions / (count - 1)));
  const own = worth(values, state).subarray(placeOf(block), placeOf(block + 1));
  const action = rng.at("drawn").uniform() < chance ? rng.at("which").int(block + 1) : own.indexOf(Math.max(...own));
  chosen[block] = action;
  tie(roots, block, action);
  Object.assign(now, { sum: 0, count: 0, decisions: now.decisions + 1, last: { before: state, block, action } });
}

/** Where the values of a block's choices begin: block i has i + 1 of them. */
function placeOf(block: number): number {
  return (block * (block + 1)) / 2;
}

/** Lets a block go by itself, or have the weights of an earlier one; those that had theirs from it have them from the first of them. */
export function tie(roots: Int32Array, block: number, to: number): void {
  if (to !== block && roots[block] === block) {
    const others = [...roots.keys()].filter((i) => i !== block && roots[i] === block);
    for (const i of others) roots[i] = others[0]!;
  }
  roots[block] = to === block ? block : roots[to]!;
}

/** A network from what `count` blocks chose to what their choices are worth: a product, a sum, ReLU, a product and a sum, as PyTorch begins them. */
export function drawnValues(count: number, rng: Rng): Values {
  const outputs = placeOf(count);
  const [first, second] = [(count + 1) * units, (units + 1) * outputs];
  const drawn = (part: string, size: number, inputs: number): Float32Array =>
    rng.at(part).fillUniform(new Float32Array(size), -1 / Math.sqrt(inputs), 1 / Math.sqrt(inputs));
  const numbers = Float64Array.of(...drawn("first", first, count), ...drawn("second", second, units));
  return { numbers, mean: new Float64Array(numbers.length), square: new Float64Array(numbers.length) };
}

/** What comes out of the hidden layer. */
function hiddenOf({ numbers }: Values, state: Float64Array): Float64Array {
  const n = state.length;
  return Float64Array.from({ length: units }, (_, h) =>
    Math.max(
      0,
      state.reduce((sum, x, i) => sum + x * numbers[i * units + h]!, numbers[n * units + h]!),
    ),
  );
}

/** What each choice is worth. */
export function worth(values: Values, state: Float64Array): Float64Array {
  const outputs = placeOf(state.length);
  const [hidden, from] = [hiddenOf(values, state), (state.length + 1) * units];
  return Float64Array.from({ length: outputs }, (_, o) =>
    hidden.reduce(
      (sum, x, h) => sum + x * values.numbers[from + h * outputs + o]!,
      values.numbers[from + units * outputs + o]!,
    ),
  );
}

/** A step of Adam with decay on the squared difference of one choice's worth from a target, in place; `taken` are the steps with this one. */
export function learn(
  values: Values,
  state: Float64Array,
  choice: number,
  target: number,
  rate: number,
  taken: number,
): void {
  const { numbers, mean, square } = values;
  const [n, outputs] = [state.length, placeOf(state.length)];
  const [hidden, from] = [hiddenOf(values, state), (n + 1) * units];
  const slope = 2 * (worth(values, state)[choice]! - target);
  const gradient = new Float64Array(numbers.length);
  gradient[from + units * outputs + choice] = slope;
  hidden.forEach((x, h) => {
    const place = from + h * outputs + choice;
    gradient[place] = slope * x;
    if (x <= 0) return;
    const back = slope * numbers[place]!;
    for (let i = 0; i < n; i++) gradient[i * units + h] = back * state[i]!;
    gradient[n * units + h] = back;
  });
  gradient.forEach((g, i) => {
    mean[i] = 0.9 * mean[i]! + 0.1 * g;
    square[i] = 0.999 * square[i]! + 0.001 * g * g;
    const step = mean[i]! / (1 - 0.9 ** taken) / (Math.sqrt(square[i]! / (1 - 0.999 ** taken)) + 1e-8);
    numbers[i] = numbers[i]! * (1 - 0.01 * rate) - rate * step;
  });
}

/** Of a tensor its shape alone, for `JSON.stringify`. */
function shapeOnly(_: string, value: unknown): unknown {
  return value instanceof tf.Tensor ? value.shape : value;
}
