import { tf } from "../../engine/index.ts";
import { blocksOf } from "../parts/blocks.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, chosen, cosines, largest, promptedAt, queryOf } from "../parts/prompts.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/** A pool of prompts `[pool, length, width]` and a key for each, `[pool, features]`. A type, so that it is a tree of tensors. */
type Pool = { readonly prompt: tf.Tensor; readonly key: tf.Tensor };

interface Memory {
  readonly tensors: { readonly open: tf.Tensor } | undefined;
}

/**
 * L2P, learning to prompt: a frozen network, and a pool of prompts from which each example chooses those whose keys are most like its features.
 *
 * The query q is the network's features without prompts. The `top` prompts with the largest `cos(q, kᵢ)` go before the sequence that comes
 * into the first block, and the head sees the mean of what becomes of them. The loss is the cross-entropy among the classes of the
 * experience, minus `pull ·` the sum of the cosines of the chosen keys. Only prompts, keys and head are trained. Nothing is kept of the past
 * and no task is asked for.
 *
 * Put it on a trained network: `stream.learn(from(pretrained("vit-small"))).by(l2p())`.
 *
 * Wang et al. 2022, arXiv:2112.08654, eq. 3–5; the defaults are those of the program for split CIFAR-100, JH-LEE-KR/l2p-pytorch.
 * Differs from the paper: as in that program keys and prompts begin uniform in [0, 1), the classes of the experience alone compete, and keys
 * are not told how often they were chosen. `batchwise` is that program's choice, the paper's is each example's own.
 *
 * Implements: P206 L2P
 *
 * @example
 * ```ts
 * import { classes, from, l2p, pretrained } from "thalweg";
 * l2p({ pool: 10, length: 5, top: 5 }).spec.name; // "l2p"
 * ```
 */
export const l2p = strategy(
  "l2p",
  {
    /** Prompts in the pool. */
    pool: 10,
    /** Vectors in each. */
    length: 5,
    /** Prompts that are chosen for an example. */
    top: 5,
    /** How strongly chosen keys are pulled to the queries. */
    pull: 0.1,
    /** What the head sees: what became of the "prompts", or of the "rest" (the class token, where that is what the network reads). */
    read: "prompts" as "prompts" | "rest",
    /** Whether all examples of a batch get the prompts that are chosen most often in it. */
    batchwise: false,
  },
  ({ pool, length, top, pull, read, batchwise }) => {
    requireWhole("l2p", "pool", pool, 1);
    requireWhole("l2p", "length", length, 1);
    requireWhole("l2p", "top", top, 1);
    if (top > pool) throw new RangeError(`l2p: at most ${pool} prompts can be chosen from the pool, got top ${top}`);
    requireNumber("l2p", "pull", pull, 0);
    requireOneOf("l2p", "read", read, ["prompts", "rest"]);
    return {
      attention: true,
      tokens: "it gives one vector for each example, and a sequence has one at each place",
      rowwise: !batchwise,
      trains: (path) => !path.startsWith("model/"),
      parameters({ network, rng }): Pool {
        const { width } = blocksOf(network);
        return {
          prompt: rng.at("prompt").uniforms([pool, length, width]),
          key: rng.at("key").uniforms([pool, network.width[0]!]),
        };
      },
      init: (): Memory => ({ tensors: undefined }),
      beforeExperience: (_state: Memory, experience, context): Memory => ({
        tensors: { open: openColumns(experience, context) },
      }),
      forward(_state, pass) {
        const { prompt, key } = addedBy<Pool>(pass, "l2p");
        const own = cosines(queryOf(pass), key);
        const scores = batchwise ? votes(own, top) : own;
        const { members, which } = largest(prompt, scores, top);
        const [n, , , width] = members.shape as [number, number, number, number];
        const rows = tf.reshape(members, [n, top * length, width]);
        const passed = pass.plain(promptedAt(blocksOf(pass.network).paths[0]!, rows, read));
        return { ...passed, aside: { chosen: tf.sum(tf.mul(tf.sum(which, 1), own), 1) } };
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      loss: (_state, { aside }) => tf.mul(tf.mean(aside.chosen!), -pull) as tf.Scalar,
    };
  },
  ["boundary"],
);

/** The scores of all rows as how often each member is among the `count` largest of a row, the first of those as often before the others. */
function votes(scores: tf.Tensor2D, count: number): tf.Tensor2D {
  const [n] = scores.shape;
  return tf.tile(tf.expandDims(tf.sum(chosen(scores, count), [0, 1]), 0), [n, 1]) as tf.Tensor2D;
}
