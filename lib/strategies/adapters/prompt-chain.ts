import { tf } from "../../engine/index.ts";
import type { Params, Within } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import { blocksOf } from "../parts/blocks.ts";
import { addedBy, withAdded } from "../parts/prompts.ts";
import { requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** `[stages, 1, 1]`: 1 for the stages whose prompts are trained; `[1, places]`: 1 for the places of their outputs. */
  readonly tensors: { readonly stages: tf.Tensor; readonly places: tf.Tensor };
}

/** What hides a place. */
const hidden = -1e9;

/**
 * A chain of models that is one frozen transformer with a prompt for each stage: a stage reads the hidden states that the stages before it have left,
 * and nothing passes through the network a second time.
 *
 * A sequence is the input and one output after the other, as long as `segments` says: `[12, 4, 4]` for an input of 12 places and two stages. Before them
 * stand `length` trained vectors for each stage, which see each other and those of their own stage alone. The places of the input see no prompt; those
 * of an output see the prompt of its stage, the input, the outputs before, and their own up to themselves. So the states of the input and of the first output
 * are the same whether there is a second stage or not, and are computed once. Each experience trains the prompt of the next stage, by the loss at
 * that stage's places, and leaves all others bit for bit; with `together` all are trained in every experience. The network has to be causal.
 *
 * Without `segments` there is one stage, whose prompt is seen from everywhere: prompt tuning. The head is trained as well unless the model is
 * `freeze("head")`.
 *
 * Implements: P098 FTHSS
 *
 * Lyu et al. 2025, "Streamlining the collaborative chain of models into a single forward pass in generation-based tasks", arXiv:2502.11083, and the authors'
 * program: which segment sees which, and stages trained one by one or together. Differs from it: prompts are drawn, not taken from the words of a text.
 *
 * @throws RangeError where segments do not add up to the places of the sequences, or there is an experience more than stages.
 *
 * @example
 * ```ts
 * import { promptChain } from "thalweg";
 * promptChain({ length: 8, segments: [12, 4, 4] });
 * ```
 */
export const promptChain = strategy(
  "promptChain",
  {
    /** Vectors in each prompt. */
    length: 10,
    /** Places of the input and of each stage's output; null for one stage whose prompt is seen from everywhere. */
    segments: null as null | readonly number[],
    /** Whether all stages are trained at once. */
    together: false,
  },
  ({ length, segments, together }) => {
    requireWhole("promptChain", "length", length, 1);
    if (segments !== null && (segments.length < 2 || segments.some((n) => !Number.isSafeInteger(n) || n < 1)))
      throw new RangeError(
        `promptChain: segments of an input and one output at least, of whole numbers from 1, are required, got [${segments}]`,
      );
    const stages = segments === null ? 1 : segments.length - 1;
    /** The stage of each place, 0 for the input. */
    const stageOf = (segments ?? []).flatMap((places, stage) => new Array<number>(places).fill(stage));
    const requireFit = ({ places }: { readonly places: number }): void => {
      if (segments !== null && stageOf.length !== places)
        throw new RangeError(
          `promptChain: segments of ${places} places together are required, as the sequences have, got [${segments}], which are ${stageOf.length}`,
        );
    };
    const trainedIn = (index: number): Memory => {
      const isOn = (stage: number): boolean => together || segments === null || stage === index;
      const all = Array.from({ length: stages }, (_, stage) => +isOn(stage));
      return {
        tensors: {
          stages: tf.tensor3d(all, [stages, 1, 1]),
          places: tf.tensor2d([stageOf.map((stage) => +(stage > 0 && isOn(stage - 1)))], [1, stageOf.length]),
        },
      };
    };
    return {
      attention: true,
      tokens: true,
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters({ network, rng }): Params {
        const blocks = blocksOf(network);
        requireFit(blocks);
        const bound = Math.sqrt(3 / blocks.width);
        return { prompt: rng.uniforms([stages, length, blocks.width], -bound, bound) };
      },
      init: (): Memory => trainedIn(0),
      beforeExperience(_state: Memory, { index }) {
        if (segments !== null && !together && index >= stages)
          throw new RangeError(
            `promptChain: as many experiences as stages are required, ${stages}, got a further one; train all stages in each with { together: true }`,
          );
        return { ...trainedIn(index), restart: index > 0 && stages > 1 };
      },
      forward(_state: Memory, pass) {
        const { prompt } = addedBy<{ prompt: tf.Tensor3D }>(pass, "promptChain");
        return pass.plain(chained(pass.network, prompt, stageOf));
      },
      taskLoss({ tensors }: Memory, step) {
        if (segments === null || step.targets === null) return step.targetLoss();
        const { logits, y, mask, weight } = step;
        const targets = tf.where(tf.greater(tensors.places, 0), step.targets, tf.onesLike(step.targets).neg());
        return step.targetLoss({ logits, y, targets, mask, weight });
      },
      gradient: ({ tensors }: Memory, gradient) => only(gradient, (g) => tf.mul(g, tensors.stages)),
      weights: ({ tensors }: Memory, { before, after }) => {
        const was = addedBy<{ prompt: tf.Tensor }>({ weights: before }, "promptChain").prompt;
        return only(after, (now) => tf.where(tf.greater(tf.add(tensors.stages, tf.zerosLike(now)), 0), now, was));
      },
    };
  },
  ["boundary"],
);

function only(weights: Weights, change: (prompt: tf.Tensor) => tf.Tensor): Weights {
  const { prompt } = addedBy<{ prompt: tf.Tensor }>({ weights }, "promptChain");
  return withAdded(weights, "promptChain", { prompt: change(prompt) });
}

/** The prompts of all stages before a sequence from the first block to the last, and what sees what in between. */
function chained(network: Network, prompt: tf.Tensor3D, stageOf: readonly number[]): Within {
  const { paths } = blocksOf(network);
  const [stages, length, width] = prompt.shape;
  const before = stages * length;
  let inside = false;
  return {
    around(path, x, run) {
      const at = path.join("/");
      let now = x;
      if (at === paths[0] && !inside) {
        inside = true;
        const own = tf.tile(tf.reshape(prompt, [1, before, width]), [x.shape[0]!, 1, 1]);
        now = tf.concat([own, x], 1);
      }
      const y = run(now);
      if (at !== paths.at(-1) || !inside) return y;
      inside = false;
      const [n, places] = y.shape as [number, number];
      return tf.slice(y, [0, before, 0], [n, places - before, width]);
    },
    attended(_path, key, value) {
      const places = key.shape[1]! - before;
      if (!inside) return [key, value];
      const sees = (query: number, other: number): boolean => {
        const ofPrompt = (at: number): number => Math.floor(at / length);
        if (query < before) return other < before && ofPrompt(query) === ofPrompt(other);
        if (other >= before) return true;
        return stageOf.length === 0 || stageOf[query - before] === ofPrompt(other) + 1;
      };
      const all = before + places;
      const bias = Float32Array.from({ length: all * all }, (_, at) =>
        sees(Math.floor(at / all), at % all) ? 0 : hidden,
      );
      return [key, value, tf.tensor2d(bias, [all, all])];
    },
  };
}
