/** What recurrences along a sequence do, seen as attention. */
import { tf } from "../engine/index.ts";
import { type LayerPass, tape } from "./model.ts";
import { batchesOf, type NetworkInput, rulesOf } from "./parts/inputs.ts";
import type { Mixing } from "./parts/mixing.ts";
import type { TrainedNetwork } from "./trained.ts";

export type { Mixing } from "./parts/mixing.ts";

/** A layer's pass as attention. Its tensors belong to the caller. */
export interface ImplicitAttention extends Mixing {
  /** Where the layer lies in the weights: "model/2-residual/model/2-mamba". */
  readonly layer: string;
  /** What came in, `[n, length, width]`, and what the layer gave. */
  readonly given: tf.Tensor;
  readonly gave: tf.Tensor;
  /**
   * The matrix of one example for a picture: absolute values, the largest 1. A row is a place that looks, a column one that is seen. Default the first example and
   * the mean over all channels; `"core"` leaves out what stands around the recurrence.
   */
  heat(options?: {
    readonly example?: number;
    readonly channel?: number;
    readonly of?: "weights" | "core";
  }): number[][];
  dispose(): void;
}

/**
 * The layers of a network that are linear once their gates are chosen, as attention: one matrix over places for each channel, in which gates, activations, convolutions
 * and normalisations are contained.
 *
 * Layers: `mamba`, `longhorn`, `gateLoop`, `gla`, `retention`, `deltaNet`, `mlstm`, `lightNet`, `linearAttention`; wherever they stand in the network, in the order of the pass. For each,
 * `out(weights · values + rest)` is what it gave, exactly but for rounding. An example of `length` places and `channels` channels has `channels · length²` numbers, and a selective
 * recurrence is unrolled with as many times its states: sequences of some hundred places are what it is for.
 *
 * Implements: P214 Implicit attention of gated RNNs
 * Zimerman, Ali and Wolf 2024, "Explaining modern gated-linear RNNs via a unified implicit attention formulation", arXiv:2405.16504, section 3 and the authors' program; `implicitAttribution` is
 * section 3.3. Differs from the paper: other layers than RWKV and Griffin, with the same formulation; normalisations within a layer are part of its matrices too, and what
 * biases of a convolution add is kept apart, so that the sum is exact.
 *
 * @throws RangeError when the network has no such layer.
 *
 * @example
 * ```ts
 * import { implicitAttention, net, network, random, similarityHeatmap, trained, type Model } from "thalweg";
 * const model = net().embedding(9, 8, { positions: false }).mamba({ state: 2 }).last() as unknown as Model;
 * const own = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 9) });
 * const [layer] = implicitAttention(own, [[1, 2, 3, 4, 5, 6]]);
 * layer!.layer; // "model/2-mamba"
 * layer!.weights.shape; // [1, 16, 6, 6]
 * similarityHeatmap(layer!.heat()).data.length; // 1
 * ```
 */
export function implicitAttention(network: TrainedNetwork, x: NetworkInput): ImplicitAttention[] {
  const found: ImplicitAttention[] = [];
  const { structure, weights, statistics } = network;
  const batches = batchesOf(x, rulesOf(network));
  const batch = batches.tensor(0, batches.length);
  tf.tidy(() => {
    const around = (
      path: readonly string[],
      given: tf.Tensor,
      run: (x: tf.Tensor) => tf.Tensor,
      { layer, params, mode }: LayerPass,
    ): tf.Tensor => {
      const gave = run(given);
      if (layer.mixes !== undefined) found.push(kept(path.join("/"), given, gave, layer.mixes(given, params, mode)));
      return gave;
    };
    structure.features(weights, batch, tape(false, null, statistics, { around }).mode);
  });
  if (batch !== batches.given) batch.dispose();
  if (found.length === 0)
    throw new RangeError(
      `implicitAttention: a network with a layer that is linear once its gates are chosen (mamba, gla, retention, …) is required, got ${network.model.spec.name} without one`,
    );
  return found;
}

function kept(layer: string, given: tf.Tensor, gave: tf.Tensor, mixing: Mixing): ImplicitAttention {
  const tensors = [given, gave, mixing.weights, mixing.core, mixing.values, ...(mixing.rest ? [mixing.rest] : [])];
  const held = tensors.map((t) => tf.keep(t.clone()));
  const [x, y, weights, core, values, rest = null] = held as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor?,
  ];
  return {
    layer,
    given: x,
    gave: y,
    weights,
    core,
    values,
    rest,
    out: mixing.out,
    heat: ({ example = 0, channel, of = "weights" } = {}) =>
      tf.tidy(() => {
        const all = of === "core" ? core : weights;
        const [n, channels, length] = all.shape as [number, number, number];
        if (!(example >= 0 && example < n) || (channel !== undefined && !(channel >= 0 && channel < channels)))
          throw new RangeError(
            `implicitAttention: an example below ${n} and a channel below ${channels} are required, got ${example} and ${channel ?? "all"}`,
          );
        const from = [example, channel ?? 0, 0, 0];
        const own = tf.slice(tf.abs(all), from, [1, channel === undefined ? channels : 1, length, length]);
        const mean = tf.mean(own, [0, 1]);
        return tf.div(mean, tf.maximum(tf.max(mean), 1e-30)).arraySync() as number[][];
      }),
    dispose: () => tf.dispose(held),
  };
}
