import { scoped, tf } from "../../engine/index.ts";
import type { Network } from "../../models/network.ts";
import { type BlockPath, blocksOf } from "../parts/blocks.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, chosen, cosines, type Prefix, prefixedAt, queryOf, withAdded } from "../parts/prompts.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Prefixes for all tasks, `[layers, 2, length, width]`; for each, `[tasks, layers, 2, length, width]`, and a key for each, `[tasks, features]`.
 * The 2 are keys and values of attention. A type, so that it is a tree of tensors.
 */
type Prompts = { readonly general?: tf.Tensor; readonly expert: tf.Tensor; readonly key: tf.Tensor };

interface Memory {
  /** `[1, columns]` of the experience; `[tasks]`, 1 for its own prompt, and 1 for those of all so far. */
  readonly tensors: { readonly open: tf.Tensor; readonly now: tf.Tensor; readonly seen: tf.Tensor } | undefined;
}

/**
 * DualPrompt: a frozen network with prefixes that all experiences share in its first layers, and in later ones prefixes of which each
 * experience has its own.
 *
 * Prefixes are keys and values that go before those of attention. In training an experience uses its own and pulls its key to the features
 * that the network gives without prefixes: the loss is the cross-entropy among the classes of the experience, minus `pull ·` the cosine of
 * the two. In evaluation an example gets the prefix whose key has the largest cosine with its features. A new prefix begins as a copy of the
 * last one. Memory grows with the number of experiences: a prefix and a key for each.
 *
 * Wang et al. 2022, arXiv:2204.04799, eq. 3–6; the defaults are those of the program for split CIFAR-100, JH-LEE-KR/dualprompt-pytorch.
 * Differs from the paper: as in that program prefixes and keys begin uniform in [−1, 1); keys of experiences still to come do not compete,
 * which they do there. Layers that the network does not have are left out; where none is left for the experience's own prefix, it goes into
 * the last one.
 *
 * Implements: P124 DualPrompt
 *
 * @example
 * ```ts
 * import { dualPrompt } from "thalweg";
 * dualPrompt({ general: [0], expert: [1, 2, 3], expertLength: 10 });
 * ```
 */
export const dualPrompt = strategy(
  "dualPrompt",
  {
    /** The layers of attention, from 0, that have the shared prefix, and its length. */
    general: [0, 1] as readonly number[],
    generalLength: 5,
    /** The layers that have the experience's own, and its length. */
    expert: [2, 3, 4] as readonly number[],
    expertLength: 5,
    /** How strongly keys are pulled to the features of their experience. */
    pull: 1,
  },
  ({ general, generalLength, expert, expertLength, pull }) => {
    for (const layer of [...general, ...expert]) requireWhole("dualPrompt", "a layer", layer, 0);
    requireWhole("dualPrompt", "generalLength", generalLength, 1);
    requireWhole("dualPrompt", "expertLength", expertLength, 1);
    requireNumber("dualPrompt", "pull", pull, 0);
    const layersOf = (network: Network): { readonly shared: BlockPath[]; readonly own: BlockPath[] } => {
      const { paths } = blocksOf(network);
      const among = (layers: readonly number[]): BlockPath[] => layers.flatMap((layer) => paths[layer] ?? []);
      const own = among(expert);
      return { shared: among(general), own: own.length > 0 ? own : paths.slice(-1) };
    };
    return {
      attention: true,
      tokens: "it gives one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters({ network, rng, stream }): Prompts {
        const { width } = blocksOf(network);
        const { shared, own } = layersOf(network);
        const drawn = (name: string, shape: number[]): tf.Tensor => rng.at(name).uniforms(shape, -1, 1);
        return {
          ...(shared.length > 0 && { general: drawn("general", [shared.length, 2, generalLength, width]) }),
          expert: drawn("expert", [stream.length, own.length, 2, expertLength, width]),
          key: drawn("key", [stream.length, network.width[0]!]),
        };
      },
      init: (): Memory => ({ tensors: undefined }),
      beforeExperience(_state: Memory, experience, context) {
        const { index } = experience;
        const tasks = Array.from({ length: context.stream.length }, (_, t) => t);
        const marks = (which: (task: number) => boolean): tf.Tensor => tf.tensor1d(tasks.map((t) => +which(t)));
        const state: Memory = {
          tensors: {
            open: openColumns(experience, context),
            now: marks((t) => t === index),
            seen: marks((t) => t <= index),
          },
        };
        if (index === 0) return state;
        const own = context.weights.added!.dualPrompt as Prompts;
        return {
          ...state,
          restart: true,
          weights: withAdded(context.weights, "dualPrompt", { ...own, expert: copied(own.expert, index - 1, index) }),
        };
      },
      forward({ tensors }, pass) {
        const prompts = addedBy<Prompts>(pass, "dualPrompt");
        const tasks = prompts.key.shape[0]!;
        const scores = cosines(queryOf(pass), prompts.key);
        const open =
          tensors === undefined ? scores : (tf.add(scores, tf.mul(tf.sub(tensors.seen, 1), 4)) as tf.Tensor2D);
        const which =
          pass.training && tensors !== undefined
            ? tf.tile(tf.reshape(tensors.now, [1, tasks]), [scores.shape[0], 1])
            : tf.reshape(chosen(open, 1), scores.shape);
        const passed = pass.plain(prefixedAt(prefixes(prompts, which as tf.Tensor2D, layersOf(pass.network))));
        return { ...passed, aside: { cosine: tf.sum(tf.mul(scores, which), 1) } };
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      loss: (_state, { aside }) => tf.mul(tf.mean(aside.cosine!), -pull) as tf.Scalar,
      weights({ tensors }, { before, after }) {
        const [was, now] = [before, after].map(({ added }) => added!.dualPrompt as Prompts);
        const kept = (name: "expert" | "key"): tf.Tensor => {
          const moves = tf.reshape(tensors!.now, [-1, ...was![name].shape.slice(1).map(() => 1)]);
          return tf.where(tf.greater(tf.mul(moves, tf.onesLike(was![name])), 0), now![name], was![name]);
        };
        return withAdded(after, "dualPrompt", { ...now!, expert: kept("expert"), key: kept("key") });
      },
    };
  },
  ["boundary", "length"],
);

/** The prefixes of each layer: what all share, then what each row has chosen. */
function prefixes(
  { general, expert }: Prompts,
  which: tf.Tensor2D,
  { shared, own }: { readonly shared: readonly BlockPath[]; readonly own: readonly BlockPath[] },
): Record<BlockPath, Prefix> {
  const [tasks, layers, , length, width] = expert.shape as [number, number, number, number, number];
  const [n] = which.shape;
  const rows = tf.reshape(tf.matMul(which, tf.reshape(expert, [tasks, -1]) as tf.Tensor2D), [
    n,
    layers,
    2,
    length,
    width,
  ]);
  const found: Record<BlockPath, Prefix> = {};
  const put = (path: BlockPath, of: Prefix): void => {
    const before = found[path];
    const joined = (name: keyof Prefix): tf.Tensor => tf.concat([before![name], of[name]], 1);
    found[path] = before === undefined ? of : { key: joined("key"), value: joined("value") };
  };
  for (const [i, path] of shared.entries()) {
    const [key, value] = tf.unstack(tf.gather(general!, i)).map((part) => tf.tile(tf.expandDims(part, 0), [n, 1, 1]));
    put(path, { key: key!, value: value! });
  }
  for (const [i, path] of own.entries()) {
    const part = (which: number): tf.Tensor =>
      tf.reshape(tf.slice(rows, [0, i, which, 0, 0], [n, 1, 1, length, width]), [n, length, width]);
    put(path, { key: part(0), value: part(1) });
  }
  return found;
}

/** A pool in which a member is a copy of another. */
function copied(pool: tf.Tensor, from: number, to: number): tf.Tensor {
  return scoped(() => tf.stack(tf.unstack(pool).map((member, i, all) => (i === to ? all[from]! : member))));
}
