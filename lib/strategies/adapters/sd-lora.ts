import { cloneTree, mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { changed, drawLowRank, type LowRank, productsWith } from "../parts/low-rank.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, withAdded } from "../parts/prompts.ts";
import { requireWhole, strategy } from "../strategy.ts";

type Changes = { readonly [name: string]: LowRank };
/** The change of the experience, and how large it and those before are: `[experiences]`. A type, so that it is a tree of tensors. */
type Own = { readonly change: Changes; readonly size: tf.Tensor };

interface Memory {
  readonly tensors: { readonly open?: tf.Tensor; readonly past?: readonly Changes[] };
}

/**
 * SD-LoRA: every experience adds a low-rank change of a frozen network's attention; directions of the past stay, and how large each is goes
 * on being learnt.
 *
 * The products of queries and values have `α_t A_t B_t + Σ_{k<t} α_k A_k B_k / (‖A_k‖ ‖B_k‖)` added; A_t, B_t and all α are trained, with the
 * cross-entropy among the classes of the experience. Every α begins as 1 and goes on from where the last experience left it. Nothing of the
 * past is kept, and no task is asked for. Memory and work grow with the number of experiences.
 *
 * Wu et al. 2025, "SD-LoRA: scalable decoupled low-rank adaptation for class incremental learning", arXiv:2501.13198, eq. 3; the program
 * WuYichen-97/SD-Lora-CL.
 * Differs from the paper: A begins uniform as PyTorch's layers do; a direction that has become none (all zeros) adds nothing.
 *
 * @example
 * ```ts
 * import { sdLora } from "thalweg";
 * sdLora({ rank: 4 });
 * ```
 */
export const sdLora = strategy(
  "sdLora",
  {
    /** Rank of each change. */
    rank: 10,
  },
  ({ rank }) => {
    requireWhole("sdLora", "rank", rank, 1);
    return {
      attention: true,
      classes: true,
      tokens: "it is for networks that give one vector for each example",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, rng, stream }): Params => ({
        change: drawLowRank(network, rng.at(0), rank, ["query", "value"]) as Params,
        size: tf.ones([stream.length]),
      }),
      init: (): Memory => ({ tensors: {} }),
      beforeExperience({ tensors }: Memory, experience, context) {
        const open = openColumns(experience, context);
        if (experience.index === 0) return { tensors: { open } };
        const { change, size } = context.weights.added!.sdLora as Own;
        const past = [...(tensors.past ?? []), cloneTree(change as Tree) as Changes];
        const fresh = drawLowRank(context.network, context.rng.at(experience.index), rank, ["query", "value"]);
        const own = { change: fresh as Params, size };
        return { tensors: { open, past }, weights: withAdded(context.weights, "sdLora", own), restart: true };
      },
      forward({ tensors }, pass) {
        const { change, size } = addedBy<Own>(pass, "sdLora");
        const past = tensors?.past ?? [];
        const alpha = tf.unstack(size);
        const within = productsWith(pass.network, (name, rows) => {
          const now = change[name];
          if (now === undefined) return null;
          const before = past.map((of, k) => tf.mul(direction(rows, of[name]!), alpha[k]!));
          return tf.addN([tf.mul(changed(rows, now), alpha[past.length]!), ...before]);
        });
        return pass.plain(within);
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      weights({ tensors }, { before, after }) {
        const [was, now] = [before, after].map(({ added }) => added!.sdLora as Own);
        const count = tensors?.past?.length ?? 0;
        const used = tf.lessEqual(tf.range(0, now!.size.shape[0]!, 1, "int32"), count);
        const size = tf.where(used, now!.size, was!.size);
        return withAdded(after, "sdLora", { change: mapTensors((t: tf.Tensor) => t, now!.change) as Params, size });
      },
    };
  },
  ["boundary", "length"],
);

/** `rows · A · B / (‖A‖ ‖B‖)`. */
function direction(rows: tf.Tensor2D, { down, up }: LowRank): tf.Tensor {
  const lengths = tf.mul(tf.norm(down), tf.norm(up));
  return tf.div(changed(rows, { down, up }), tf.maximum(lengths, 1e-12));
}
