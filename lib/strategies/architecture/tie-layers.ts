import type { Rng } from "../../engine/index.ts";
import { tf } from "../../engine/index.ts";
import { mixedBlocks } from "../parts/block-weights.ts";
import { blocksOf } from "../parts/blocks.ts";
import { withExtra } from "../parts/buffer.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Which block each has its weights from, and what is thought of each choice. */
interface Memory {
  /** Of each block the number of the one whose weights it has: its own, or an earlier one's. */
  readonly roots: Int32Array;
  /** `[blocks, blocks]`: how much lower the loss was than usual where block i chose block j. */
  readonly values: Float64Array;
  /** What was chosen last, before it was followed to its root. */
  readonly chosen: Int32Array;
  /** Losses since then, and what is usual. */
  readonly now: { sum: number; count: number; usual: number; decisions: number };
}

/**
 * Ties blocks of a transformer to earlier ones while it learns: every few steps it is decided for each block whether it goes by itself or has the weights of a
 * block before it.
 *
 * Tied blocks have one set of weights: the gradient of each is the sum of all of theirs. Decisions come from values that are learnt, `q ← q + rate · (reward − q)`, where the
 * reward of all that was chosen is the mean loss that is usual less that of the steps since; with probability `epsilon`, halved after every `halve` decisions, a choice is drawn.
 *
 * Implements: P156 Dynamic Layer Tying
 * Hay and Wolf 2024, "Dynamic layer tying for parameter-efficient transformers", arXiv:2401.12819, and the authors' program (tamirdh/Dynamic-Layer-Tying).
 * Differs from the program: a table of values for each block and choice in place of a network over whole states; all blocks choose at once, there one after the other; the reward
 * is how much lower the loss is than usual, there minus the perplexity, cut off at −10; blocks begin each by itself, there all with the weights of the first.
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
    /** Steps between decisions. */
    every: 15,
    /** The chance that a choice is drawn at first. */
    epsilon: 0.8,
    /** Decisions after which it is half of that. */
    halve: 5,
    /** How fast values are learnt. */
    rate: 0.3,
  },
  ({ every, epsilon, halve, rate }) => {
    requireWhole("tieLayers", "every", every, 1);
    requireNumber("tieLayers", "epsilon", epsilon, 0, 1);
    requireWhole("tieLayers", "halve", halve, 1);
    requireNumber("tieLayers", "rate", rate, 0, 1);
    const namesOf = (network: Context["network"]): string[] =>
      blocksOf(network).paths.map((path) => path.replace(/^model\//, ""));
    return {
      tokens: true,
      attention: true,
      init({ network, weights }): Memory {
        const names = namesOf(network);
        const shapes = names.map((name) => JSON.stringify(weights.model[name], shapeOnly));
        if (names.length < 2 || shapes.some((shape) => shape === undefined || shape !== shapes[0]))
          throw new TypeError(
            `tieLayers: a model with at least two blocks of attention in a row that are alike is required, got ${network.model.spec.name}`,
          );
        const own = Int32Array.from(names, (_, i) => i);
        return {
          roots: own,
          values: new Float64Array(names.length ** 2),
          chosen: own.slice(),
          now: { sum: 0, count: 0, usual: Number.NaN, decisions: 0 },
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
      afterStep({ roots, values, chosen, now }: Memory, { outputs }, { rng, step }) {
        now.sum += outputs.loss![0]!;
        now.count++;
        if (now.count < every) return;
        decide({ roots, values, chosen, now }, rng.at("decide", step), { epsilon, halve, rate });
      },
      afterExperience(memory: Memory) {
        const own = new Set(memory.roots).size;
        return { ...memory, notes: [`${own} of ${memory.roots.length} blocks have weights of their own`] };
      },
    };
  },
);

/** Learns what the last choices were worth, and chooses anew, in place. */
export function decide(
  { roots, values, chosen, now }: Memory,
  rng: Rng,
  { epsilon, halve, rate }: { readonly epsilon: number; readonly halve: number; readonly rate: number },
): void {
  const count = roots.length;
  const loss = now.sum / now.count;
  const reward = Number.isNaN(now.usual) ? 0 : now.usual - loss;
  now.usual = Number.isNaN(now.usual) ? loss : now.usual + rate * (loss - now.usual);
  chosen.forEach((choice, i) => {
    values[i * count + choice]! += rate * (reward - values[i * count + choice]!);
  });
  const chance = epsilon * 0.5 ** (now.decisions / halve);
  for (let i = 0; i < count; i++) {
    const own = values.subarray(i * count, i * count + i + 1);
    const best = own.reduce((at, value, j) => (value > own[at]! ? j : at), i);
    chosen[i] = rng.at("drawn", i).uniform() < chance ? rng.at("which", i).int(i + 1) : best;
    roots[i] = chosen[i] === i ? i : roots[chosen[i]!]!;
  }
  now.decisions++;
  [now.sum, now.count] = [0, 0];
}

/** Of a tensor its shape alone, for `JSON.stringify`. */
function shapeOnly(_: string, value: unknown): unknown {
  return value instanceof tf.Tensor ? value.shape : value;
}
