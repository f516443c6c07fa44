import { type Examples, gather, select } from "../../data/dataset.ts";
import { disposeTree, type Rng, tf } from "../../engine/index.ts";
import { type Tap, tape } from "../../models/model.ts";
import { crossEntropies, masked, type Network, type Weights } from "../../models/network.ts";
import { descent } from "../parts/descent.ts";
import { still } from "../parts/still.ts";
import * as t from "../parts/test-time.ts";
import { requireViews, type ViewOptions, viewOf } from "../parts/views.ts";
import { type Context, type Reset, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/** The function that adapts. A type, not an interface, so that it is a tree of tensors. */
type Controller = {
  readonly first: tf.Tensor;
  readonly firstBias: tf.Tensor;
  readonly second: tf.Tensor;
  readonly secondBias: tf.Tensor;
};

interface Memory {
  /** Examples that a signal is retrieved from: rows `[capacity, numbers]`, labels, and how many there are. */
  readonly rows: Float32Array;
  readonly labels: Int32Array;
  readonly filled: number;
  readonly tensors: { readonly controller: Controller; readonly rows: tf.Tensor; readonly labels: tf.Tensor };
}

/** Where a signal comes from. */
const signals = ["retrieval", "confidence"] as const;

/**
 * RNA: a learned function looks at a signal of how well the frozen network does on an example, and at its prediction, and in one pass gives
 * a scale and a shift for every channel of every layer.
 *
 * A layer then gives `(1 + γ) z + β` in place of z. The signal: "retrieval", how often each class is among the `neighbours` nearest of some
 * training examples, number by number; or "confidence", the entropy of the prediction alone. The function has one hidden layer of `hidden` units; it
 * begins by changing nothing, and is trained after each experience, the network being frozen, to make predictions of distorted examples right.
 * Nothing is descended at test time, and nothing is carried from one batch to the next.
 *
 * Implements: P179 RNA (Rapid Network Adaptation)
 *
 * Yeo, Kar, Sodagar and Zamir 2023, arXiv:2309.15762, section 3.1–3.2.
 * Differs from the paper: neighbours are by the examples' own numbers, not by the features of another trained network; distortions are noisy, moved
 * and partly hidden examples.
 *
 * @example
 * ```ts
 * import { classes, digits, net, rna } from "thalweg";
 * const model = net().conv(8, 3).relu().flatten();
 * classes(digits()).corrupt("gaussianNoise", 5, { part: "test" }).learn(model).by(rna({ hidden: 32 }));
 * ```
 */
export const rna = strategy(
  "rna",
  {
    /** Where the signal comes from: "retrieval" or "confidence". */
    signal: "retrieval" as (typeof signals)[number],
    /** Nearest examples that are looked at. */
    neighbours: 10,
    /** Training examples that are kept for that. */
    capacity: 200,
    /** Units of the function that adapts. */
    hidden: 64,
    /** How it is trained. */
    lr: 3e-3,
    epochs: 10,
    shiftPixels: 1,
    flip: 0,
    /** The largest deviation of the noise of a distorted example; each has up to that. */
    noise: 0.5,
    hide: 0.2,
    /** Test examples that arrive at once. */
    batch: 64,
    /** Whether the test examples of a task arrive in random order. */
    shuffle: true,
  },
  ({ signal, neighbours, capacity, hidden, lr, epochs, batch, shuffle, ...how }) => {
    requireOneOf("rna", "signal", signal, signals);
    for (const [name, value] of Object.entries({ neighbours, capacity, hidden, epochs, batch }))
      requireWhole("rna", name, value, 1);
    requireNumber("rna", "lr", lr, 0);
    requireViews("rna", how);
    const held = (rows: Float32Array, labels: Int32Array, width: number) => ({
      rows: tf.tensor2d(rows.slice(), [capacity, width]),
      labels: tf.tensor1d(labels.slice(), "int32"),
    });

    /** *Traced.* What the function is told of each row, `[n, 2 · columns + 1]`. */
    function told(x: tf.Tensor, logits: tf.Tensor, { rows, labels }: Omit<Memory["tensors"], "controller">): tf.Tensor {
      const columns = logits.shape[1]!;
      const own = [tf.softmax(logits), tf.expandDims(tf.div(t.entropies(logits), Math.log(columns)), 1)];
      if (signal === "confidence") return still(tf.concat([tf.zerosLike(own[0]!), ...own], 1));
      return still(tf.concat([votes(x, rows, labels, columns, neighbours), ...own], 1));
    }

    return {
      tokens: t.onePrediction,
      classes: true,
      init({ network, weights, statistics, columns, rng }): Memory {
        const width = network.input.reduce((a, b) => a * b, 1);
        const [rows, labels] = [new Float32Array(capacity * width), new Int32Array(capacity).fill(-1)];
        const size = 2 * channelsOf(network, weights, statistics);
        const controller = fresh(2 * columns + 1, hidden, size, rng.at("controller"));
        return { rows, labels, filled: 0, tensors: { controller, ...held(rows, labels, width) } };
      },
      afterExperience(state: Memory, { train, index }, context): Memory {
        if (train.length < 2) return state;
        const { network, weights, statistics, rng, columns } = context;
        const width = state.rows.length / capacity;
        const order = rng.at("bank", index).permutation(train.length);
        const count = Math.min(capacity, Math.floor(train.length / 2));
        const kept = joined(state, select(train, order.subarray(0, count)), capacity, rng.at("place", index));
        const tensors = held(kept.rows, kept.labels, width);
        const { controller: last } = state.tensors;
        const grown = last.first.shape[0] !== 2 * columns + 1;
        const from = grown ? fresh(2 * columns + 1, hidden, last.second.shape[1]!, rng.at("controller", index)) : last;
        const mask = context.mask(Int32Array.of(context.stream.taskOf(index)));
        const open = mask === null ? null : tf.tensor(mask.data, mask.shape as number[], "float32");
        const rest = select(train, order.slice(count)); // an example that is kept would find itself
        const schedule = { lr, batch: context.batch, epochs };
        const controller = descent("rna", from, rest, schedule, rng.at("train", index), (at, x, y, noise) => {
          const seen = distorted(x, noise, how);
          const pass = (tap: Tap): tf.Tensor =>
            masked(
              network.logits(weights, network.features(weights, seen, tape(false, null, statistics, tap).mode)),
              open,
            );
          const channels = new Map<string, number>();
          const plain = pass(recording(channels));
          const logits = pass(modulating(channels, at, told(seen, plain, tensors)));
          return tf.mean(crossEntropies(logits, y)) as tf.Scalar;
        });
        if (grown) disposeTree(from);
        open?.dispose();
        return { ...kept, tensors: { controller, ...tensors } };
      },
      forget(state: Memory, columns): Memory {
        const width = state.rows.length / capacity;
        const stay = Array.from({ length: state.filled }, (_, i) => i).filter((i) => !columns.has(state.labels[i]!));
        const [rows, labels] = [new Float32Array(state.rows.length), new Int32Array(capacity).fill(-1)];
        for (const [to, from] of stay.entries()) {
          rows.set(state.rows.subarray(from * width, (from + 1) * width), to * width);
          labels[to] = state.labels[from]!;
        }
        const { controller } = state.tensors;
        return { rows, labels, filled: stay.length, tensors: { controller, ...held(rows, labels, width) } };
      },
      adapting: { batch, reset: "batch" satisfies Reset, shuffle },
      adapt({ tensors: { controller, ...bank } }: Memory, { x, mask, forward }) {
        const channels = new Map<string, number>();
        const plain = masked(forward(x, { tap: recording(channels) }).logits, mask);
        if (controller.first.shape[0] !== 2 * plain.shape[1]! + 1) return { logits: plain }; // columns came since it was trained
        return {
          logits: masked(forward(x, { tap: modulating(channels, controller, told(x, plain, bank)) }).logits, mask),
        };
      },
    };
  },
);

/** How many channels are modulated. */
function channelsOf(network: Network, weights: Weights, statistics: Context["statistics"]): number {
  const found = new Map<string, number>();
  tf.tidy(() => {
    network.features(weights, tf.zeros([1, ...network.input]), tape(false, null, statistics, recording(found)).mode);
  });
  return [...found.values()].reduce((a, b) => a + b, 0);
}

/** A tap that notes the channels of each layer of the model. */
function recording(channels: Map<string, number>): Tap {
  return (path, _input, output) => {
    if (path[0] === "model") channels.set(path.join("/"), output.shape.at(-1)!);
    return output;
  };
}

/** One that changes nothing. */
function fresh(inputs: number, hidden: number, outputs: number, rng: Rng): Controller {
  const drawn = rng.fillNormal(new Float32Array(inputs * hidden), 0, Math.sqrt(2 / inputs));
  return {
    first: tf.tensor2d(drawn, [inputs, hidden]),
    firstBias: tf.zeros([hidden]),
    second: tf.zeros([hidden, outputs]),
    secondBias: tf.zeros([outputs]),
  };
}

/** *Traced.* A tap that scales and shifts what layers give by what the function makes of its signal. */
function modulating(
  channels: ReadonlyMap<string, number>,
  { first, firstBias, second, secondBias }: Controller,
  signal: tf.Tensor,
): Tap {
  const within = tf.relu(tf.add(tf.matMul(signal as tf.Tensor2D, first as tf.Tensor2D), firstBias));
  const all = tf.add(tf.matMul(within as tf.Tensor2D, second as tf.Tensor2D), secondBias);
  const n = signal.shape[0]!;
  return (path, _input, output) => {
    let at = 0;
    for (const [name, count] of channels) {
      if (name === path.join("/")) {
        const part = (from: number): tf.Tensor => {
          const values = tf.slice(all, [0, from], [n, count]);
          // a layer may give several rows for each example, one after the other
          const places = output.size / count / n;
          return tf.reshape(tf.tile(tf.expandDims(values, 1), [1, places, 1]), output.shape);
        };
        return tf.add(tf.mul(output, tf.add(part(2 * at), 1)), part(2 * at + count));
      }
      at += count;
    }
    return output;
  };
}

/** *Traced.* The shares of the classes among the nearest kept examples of each row; where none are kept, zeros. */
function votes(x: tf.Tensor, rows: tf.Tensor, labels: tf.Tensor, columns: number, neighbours: number): tf.Tensor {
  const flat = tf.reshape(x, [x.shape[0]!, -1]) as tf.Tensor2D;
  const squares = tf.sub(tf.sum(tf.square(rows), 1), tf.mul(tf.matMul(flat, rows as tf.Tensor2D, false, true), 2));
  const none = t.as01(tf.less(labels, 0));
  const count = Math.min(neighbours, rows.shape[0]!);
  const { indices } = tf.topk(tf.neg(tf.add(squares, tf.mul(none, 1e12))), count);
  const found = tf.gather(labels, tf.cast(indices, "int32")) as tf.Tensor2D;
  const each = tf.cast(tf.equal(tf.expandDims(found, -1), tf.range(0, columns, 1, "int32")), "float32");
  return tf.mean(each, 1);
}

/** *Traced.* Examples as they are to be met: each with noise of a strength of its own. */
function distorted(x: tf.Tensor, rng: Rng, { noise, ...how }: ViewOptions): tf.Tensor {
  const strengths = tf.mul(rng.at("strength").uniforms([x.shape[0]!, ...x.shape.slice(1).map(() => 1)]), noise);
  const view = viewOf(x, rng, { ...how, noise: 0 });
  return tf.add(view, tf.mul(rng.at("own").normals(x.shape), strengths));
}

/** Kept examples with more: the first free places, then places at random. */
function joined(
  { rows, labels, filled }: Pick<Memory, "rows" | "labels" | "filled">,
  more: Examples,
  capacity: number,
  rng: Rng,
): Pick<Memory, "rows" | "labels" | "filled"> {
  const width = rows.length / capacity;
  const own = { rows: rows.slice(), labels: labels.slice(), filled };
  const values = gather(
    more,
    Uint32Array.from({ length: more.length }, (_, i) => i),
  );
  for (let i = 0; i < more.length; i++) {
    const place = own.filled < capacity ? own.filled++ : rng.int(capacity);
    own.rows.set(values.subarray(i * width, (i + 1) * width), place * width);
    own.labels[place] = more.labels[i]!;
  }
  return own;
}
