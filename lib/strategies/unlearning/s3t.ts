import { type Examples, joined, select } from "../../data/dataset.ts";
import { disposeTree, mapTensors, type Rng, scoped, tf } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import { crossEntropies, type Network, type Weights } from "../../models/network.ts";
import { parametersOf } from "../../models/parameters.ts";
import { descending, type Trainer } from "../parts/descent.ts";
import { intact, rotations } from "../parts/slices.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What is trained on a slice: a change of low rank of one layer's kernel, and a change of the head. */
type Adapter = { readonly down: tf.Tensor; readonly up: tf.Tensor; readonly head: Params };

/** What an adapter is trained beside. A type, not an interface, so that it is a tree of tensors. */
type Beside = { readonly weights: Weights; readonly statistics: Params; readonly before: readonly Adapter[] };

/** A slice: the examples of some classes of an experience. */
interface Slice {
  readonly experience: number;
  readonly columns: readonly number[];
}

interface Memory {
  /** By shard and sequence: the slices in the order in which they were trained on. */
  readonly orders: readonly (readonly (readonly Slice[])[])[];
  /** The adapters, in the same places. */
  readonly tensors: { readonly chains: readonly (readonly (readonly Adapter[])[])[] };
}

/**
 * S3T: the network stays frozen, each slice of the training data has a small layer of its own, and to forget a slice its layer and those that
 * were trained after it are switched off. Nothing of what is forgotten is left, and nothing is trained again.
 *
 * Examples are dealt to `shards`, and cut into `slices` of neighbouring classes. Within a shard the slices come one after the other, in
 * `sequences` orders that begin with different slices: the layer of a slice is trained on this slice and those before it, with their layers frozen.
 * It is a change of low rank of one kernel, from the top down, and of the head. A prediction is the mean over shards, each by
 * its order that has most left. Only a shard with nothing left is trained again. Memory and work grow with the experiences.
 *
 * Put it on a trained network: `stream.learn(from(trained))`.
 *
 * Implements: P303 S3T exact unlearning
 *
 * Basu Roy Chowdhury et al. 2024, arXiv:2406.16257, section 3 and algorithm 1.
 * Differs from the paper: slices are classes of an experience, since requests of a stream are for classes; orders are rotations, at most as many
 * as slices; a slice changes the head too.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, s3t } from "thalweg";
 * const stream = classes(digits()).split(1).repeat(2).forget(["3"], { at: 1 });
 * stream.learn(mlp({ hidden: [64] })).by(s3t({ shards: 2, slices: 5, sequences: 5 }));
 * ```
 */
export const s3t = strategy(
  "s3t",
  {
    /** Networks that are trained on disjoint examples. */
    shards: 2,
    /** Slices of an experience. */
    slices: 4,
    /** Orders in which a shard is trained on its slices. */
    sequences: 4,
    /** The rank of a slice's change of a kernel. */
    rank: 4,
    /** How slices are trained on. */
    lr: 5e-3,
    epochs: 5,
  },
  ({ shards, slices, sequences, rank, lr, epochs }) => {
    for (const [name, value] of Object.entries({ shards, slices, sequences, rank, epochs }))
      requireWhole("s3t", name, value, 1);
    requireNumber("s3t", "lr", lr, 0);

    /** What trains an adapter behind others, compiled once for a network. */
    const trainers = new WeakMap<Network, Trainer<Adapter, Beside>>();
    const trainerOf = (network: Network): Trainer<Adapter, Beside> => {
      const made =
        trainers.get(network) ??
        descending<Adapter, Beside>("s3t", lr, (now, { weights, statistics, before }, x, y) => {
          const changed = withAdapters(network, weights, [...before, now]);
          const features = network.features(changed, x, tape(false, null, statistics).mode);
          return tf.mean(crossEntropies(network.logits(changed, features), y)) as tf.Scalar;
        });
      trainers.set(network, made);
      return made;
    };

    /** An order with more slices, each with its adapter. */
    function longer(
      context: Context,
      shard: number,
      order: readonly Slice[],
      chain: readonly Adapter[],
      more: readonly Slice[],
      rng: Rng,
    ): { readonly order: readonly Slice[]; readonly chain: readonly Adapter[] } {
      const { network, weights, statistics } = context;
      const own = { order: [...order], chain: [...chain] };
      for (const slice of more) {
        const table = examplesOf([...own.order, slice], shard, context);
        if (table === null) continue;
        const at = own.chain.length;
        const draw = rng.at(slice.experience, at);
        const begun = fresh(network, weights, at, rank, draw.at("init"));
        const beside = { weights, statistics, before: [...own.chain] };
        const trained = trainerOf(network)(begun, beside, table, { batch: context.batch, epochs }, draw.at("order"));
        disposeTree(begun);
        own.order.push(slice);
        own.chain.push(trained);
      }
      return own;
    }

    /** The examples of slices that are dealt to a shard. */
    function examplesOf(own: readonly Slice[], shard: number, { stream }: Context): Examples | null {
      const tables = own.flatMap(({ experience, columns }) => {
        const { train } = stream.experience(experience);
        const met = new Map<number, number>();
        const rows = [...train.labels.subarray(0, train.length).keys()].filter((i) => {
          const label = train.labels[i]!;
          const place = met.get(label) ?? 0;
          met.set(label, place + 1);
          return columns.includes(label) && place % shards === shard;
        });
        return rows.length === 0 ? [] : [select(train, Uint32Array.from(rows))];
      });
      return tables.length === 0 ? null : joined(tables);
    }

    /** The slices of an experience. */
    function cut({ train, index }: { readonly train: Examples; readonly index: number }): Slice[] {
      const columns = [...new Set(train.labels.subarray(0, train.length))].sort((a, b) => a - b);
      const count = Math.min(slices, columns.length);
      return Array.from({ length: count }, (_, i) => ({
        experience: index,
        columns: columns.slice(
          Math.floor((i * columns.length) / count),
          Math.floor(((i + 1) * columns.length) / count),
        ),
      }));
    }

    /** All orders with the slices of an experience behind them. */
    function withExperience(
      state: Memory,
      experience: { readonly train: Examples; readonly index: number },
      context: Context,
      which: (shard: number) => boolean,
    ): Memory {
      const own = cut(experience);
      const turned = rotations(own.length, sequences);
      const grown = state.orders.map((orders, shard) =>
        orders.map((order, sequence) => {
          const chain = state.tensors.chains[shard]![sequence]!;
          if (!which(shard) || own.length === 0) return { order, chain };
          const more = turned[sequence % turned.length]!.map((i) => own[i]!);
          return longer(context, shard, order, chain, more, context.rng.at("slice", shard, sequence));
        }),
      );
      return {
        orders: grown.map((shard) => shard.map(({ order }) => order)),
        tensors: { chains: grown.map((shard) => shard.map(({ chain }) => chain)) },
      };
    }

    const none = <X>(): X[][][] => Array.from({ length: shards }, () => Array.from({ length: sequences }, () => []));
    return {
      tokens: "no stream of tokens asks to forget a class",
      classes: true,
      rowwise: true,
      init: (): Memory => ({ orders: none(), tensors: { chains: none() } }),
      learn: (state: Memory, experience, context) => withExperience(state, experience, context, () => true),
      forget(state: Memory, columns, context) {
        const hit = (slice: Slice): boolean => slice.columns.some((column) => columns.has(column));
        const left = state.orders.map((orders) => orders.map((order) => intact(order, hit)));
        let next: Memory = {
          orders: state.orders.map((orders, s) => orders.map((order, b) => order.slice(0, left[s]![b]!))),
          tensors: {
            chains: state.tensors.chains.map((chains, s) => chains.map((chain, b) => chain.slice(0, left[s]![b]!))),
          },
        };
        const empty = left.map((each) => each.every((count) => count === 0));
        for (let i = 0; i < context.experience && empty.includes(true); i++)
          next = withExperience(
            next,
            { train: context.stream.experience(i).train, index: i },
            context,
            (s) => empty[s]!,
          );
        const again = empty.filter(Boolean).length;
        return {
          ...next,
          notes: [
            `s3t: ${again} of ${shards} shards had nothing left and ${again === 1 ? "was" : "were"} trained again`,
          ],
        };
      },
      predict({ tensors: { chains } }: Memory, { network, weights, x, logits, forward }) {
        const best = chains
          .map((shard) => shard.reduce((a, b) => (b.length > a.length ? b : a)))
          .filter((chain) => chain.length > 0);
        if (best.length === 0) return logits;
        const each = best.map((chain) =>
          tf.softmax(forward(x, { weights: withAdapters(network, weights, chain) }).logits),
        );
        return tf.log(tf.maximum(tf.div(tf.addN(each), each.length), 1e-20));
      },
    };
  },
);

/** The kernels of the model, from the top down. */
function kernelsOf(network: Network, weights: Weights): { readonly path: string; readonly shape: readonly number[] }[] {
  return parametersOf(weights, network.kindOf)
    .filter(({ path, shape }) => path.startsWith("model/") && path.endsWith("/kernel") && shape.length > 1)
    .reverse();
}

/** The adapter of the slice at a place in its order, which changes nothing. */
function fresh(network: Network, weights: Weights, place: number, rank: number, rng: Rng): Adapter {
  const kernels = kernelsOf(network, weights);
  const shape = kernels[place % Math.max(1, kernels.length)]?.shape ?? [1, 1];
  const units = shape.at(-1)!;
  const inputs = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return scoped(() => ({
    down: tf.tensor2d(rng.fillNormal(new Float32Array(inputs * rank), 0, 1 / Math.sqrt(inputs)), [inputs, rank]),
    up: tf.zeros([rank, units]),
    head: mapTensors((leaf) => tf.zerosLike(leaf), weights.head),
  }));
}

/** *Traced.* Weights with the changes of some slices. */
function withAdapters(network: Network, weights: Weights, chain: readonly Adapter[]): Weights {
  const kernels = kernelsOf(network, weights);
  let { model, head } = weights;
  for (const [place, adapter] of chain.entries()) {
    const at = kernels[place % Math.max(1, kernels.length)];
    if (at !== undefined) {
      const change = tf.reshape(tf.matMul(adapter.down as tf.Tensor2D, adapter.up as tf.Tensor2D), [...at.shape]);
      model = plus(model, at.path.split("/").slice(1), change);
    }
    head = mapTensors((leaf, change) => tf.add(leaf, padded(change!, leaf.shape)), head, adapter.head);
  }
  return { ...weights, model, head };
}

/** A tree with something added to the tensor at a path. */
function plus(node: Params, [first, ...rest]: readonly string[], change: tf.Tensor): Params {
  const own = node[first!]!;
  return {
    ...node,
    [first!]: rest.length === 0 ? tf.add(own as tf.Tensor, change) : plus(own as Params, rest, change),
  };
}

/** A change with zeros for columns that came later. */
function padded(change: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const missing = shape.map((size, axis) => [0, size - change.shape[axis]!] as [number, number]);
  return missing.every(([, after]) => after === 0) ? change : tf.pad(change, missing);
}
