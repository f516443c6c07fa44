import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { blunt, compensated, gate, type Sharpness, sharpened, sharpnessAt } from "../parts/gates.ts";
import {
  type LayerPath,
  layerAt,
  layerPaths,
  overInputs,
  overUnits,
  requireChain,
  unitsAt,
  withLayer,
} from "../parts/layers.ts";
import { movedColumns, ownColumns } from "../parts/own-head.ts";
import { requireNumber, strategy } from "../strategy.ts";

/** Gates of past tasks, one for each unit of each hidden layer, and the sharpness of the next step. */
interface Memory {
  readonly tensors: {
    readonly past: { readonly [path: LayerPath]: tf.Tensor };
    readonly task: tf.Tensor;
    /** The head's columns of this task. */
    readonly open: tf.Tensor;
  };
  readonly carried: Sharpness;
  readonly start: number;
  readonly perEpoch: number;
}

/**
 * Hard attention to the task: each task learns which units it uses, and weights between units of past tasks are spared.
 *
 * Unit i of a hidden layer is multiplied by `sigmoid(s · e_i)` with an embedding e of the task, where s goes from `1/sharpest` to
 * `sharpest` in each epoch and is `sharpest` at test time. With a the largest gates of past tasks, the step of a weight from unit j to
 * unit i is multiplied by `1 − min(a_i, a_j)`; embeddings have their gradient rescaled for s, and the loss has
 * `c · Σ gate · (1 − a) / Σ (1 − a)` added. Needs the task at test time.
 *
 * Serrà et al. 2018, arXiv:1801.01423, eq. 1–6. Layers with rectifiers in a row only, units of a convolution being channels: gates act before
 * the rectifier, which is the same.
 * Embeddings begin standard normal, so that about half of the units are open.
 * Differs from the paper: the factor is on the step rather than on the gradient, which is the same for plain descent and protects under
 * any optimizer.
 *
 * @example
 * ```ts
 * import { hat } from "thalweg";
 * hat({ c: 0.75, sharpest: 400 });
 * ```
 */
export const hat = strategy(
  "hat",
  {
    /** Strength of the pull towards few units. */
    c: 0.75,
    /** The largest sharpness. */
    sharpest: 400,
  },
  ({ c, sharpest }) => {
    requireNumber("hat", "c", c, 0);
    requireNumber("hat", "sharpest", sharpest, 1);
    const embeddings = (weights: Weights): Params => weights.added!.hat as Params;
    const gates = (e: tf.Tensor, task: tf.Tensor, s: tf.Tensor | number): tf.Tensor =>
      gate(tf.gather(e, tf.cast(task, "int32")), s);
    /** Which share of each weight's movement is left by past tasks. */
    const freedom = (past: Memory["tensors"]["past"], weights: Weights, tree: Weights): Weights => {
      let next = tree;
      let before: tf.Tensor | null = null;
      for (const [path, own] of Object.entries(past)) {
        const { kernel, bias } = layerAt(weights, path);
        const free = tf.sub(1, before === null ? own : tf.minimum(overInputs(before, kernel), own));
        const layer = layerAt(next, path);
        next = withLayer(next, path, {
          kernel: tf.mul(layer.kernel, free),
          ...(bias !== undefined && { bias: tf.mul(layer.bias!, tf.sub(1, own)) }),
        });
        before = own;
      }
      return next;
    };
    return {
      tokens: "it needs layers that see an example once, not at each of its places",
      parameters(context): Params {
        requireChain("hat", context);
        const { weights, stream, rng } = context;
        const hidden = layerPaths(context).slice(0, -1);
        return Object.fromEntries(
          hidden.map((path) => [path, rng.at(path).normals([stream.tasks, unitsAt(weights, path)])]),
        );
      },
      init: ({ weights, columns }): Memory => ({
        tensors: {
          past: Object.fromEntries(
            Object.entries(embeddings(weights)).map(([path, e]) => [path, tf.zeros([(e as tf.Tensor).shape[1]!])]),
          ),
          task: tf.scalar(0, "int32"),
          open: tf.ones([1, columns]),
        },
        carried: blunt(sharpest),
        start: 0,
        perEpoch: 1,
      }),
      beforeExperience: ({ tensors }: Memory, { task, train }, context): Memory => ({
        tensors: { past: { ...tensors.past }, task: tf.scalar(task, "int32"), open: ownColumns(task, context) },
        carried: blunt(sharpest),
        start: context.step,
        perEpoch: Math.ceil(train.length / context.batch),
      }),
      batch({ start, perEpoch }: Memory, batch, { step }) {
        const s = sharpnessAt((step + 1 - start) % perEpoch, perEpoch, sharpest);
        return { ...batch, extra: { ...batch.extra, hat: { next: { data: Float32Array.of(s), shape: [] } } } };
      },
      rowwise: true,
      forward({ carried }: Memory, { plain, weights, task, training }) {
        if (task === null) return plain();
        const s = training ? carried.sharpness : sharpest;
        return plain(weights, (path, _input, output) => {
          const e = embeddings(weights)[path.join("/")];
          return e === undefined ? output : tf.mul(output, overUnits(gates(e as tf.Tensor, task, s), output));
        });
      },
      loss({ tensors, carried }: Memory, { weights }) {
        let [used, free]: [tf.Tensor, tf.Tensor] = [tf.scalar(0), tf.scalar(1e-6)];
        for (const [path, e] of Object.entries(embeddings(weights))) {
          const left = tf.sub(1, tensors.past[path]!);
          used = tf.add(used, tf.sum(tf.mul(gates(e as tf.Tensor, tensors.task, carried.sharpness), left)));
          free = tf.add(free, tf.sum(left));
        }
        return tf.mul(tf.div(used, free), c) as tf.Scalar;
      },
      gradient({ carried }: Memory, gradient, { weights }) {
        const s = carried.sharpness;
        const rescaled = mapTensors(
          (g, e) => compensated(g, e!, s, sharpest),
          embeddings(gradient),
          embeddings(weights),
        );
        return { ...gradient, added: { ...gradient.added, hat: rescaled } };
      },
      weights({ tensors }: Memory, { before, after }) {
        const moved = mapTensors((now, old) => tf.sub(now, old!), after, before);
        const spared = freedom(tensors.past, before, moved);
        const next = mapTensors((old, step) => tf.add(old, step!), before, spared);
        const clipped = mapTensors(
          (e, old) => {
            const own = tf.reshape(tf.equal(tf.range(0, e.shape[0], 1, "int32"), tensors.task), [e.shape[0]!, 1]);
            return tf.where(own, tf.clipByValue(e, -6, 6), old!);
          },
          embeddings(next),
          embeddings(before),
        );
        const head = movedColumns(before.head, next.head, tensors.open);
        return { ...next, head, added: { ...next.added, hat: clipped } };
      },
      update: (_state, _change, { extra }): Tree => sharpened(extra.next!),
      afterExperience({ tensors, ...rest }: Memory, { task }, { weights }): Memory {
        const past = Object.fromEntries(
          Object.entries(tensors.past).map(([path, old]) => [
            path,
            tf.tidy(() =>
              tf.maximum(old, gates(embeddings(weights)[path] as tf.Tensor, tf.scalar(task, "int32"), sharpest)),
            ),
          ]),
        );
        return { ...rest, tensors: { ...tensors, past } };
      },
    };
  },
  ["task", "boundary", "length"],
);
