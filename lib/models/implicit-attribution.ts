/** Which places of a sequence an answer comes from. */
import { needOneOf, withDefaults } from "../data/options.ts";
import { tf, valueAndGrad } from "../engine/index.ts";
import { type LayerPass, tape } from "./model.ts";
import { batchesOf, type NetworkInput, rulesOf } from "./parts/inputs.ts";
import type { TrainedNetwork } from "./trained.ts";

/** Options of `implicitAttribution`. */
export interface ImplicitAttributionOptions {
  /** The column of the logits that is explained; default the one with the largest logit, example by example. */
  readonly column?: number;
  /** What of each layer counts: its whole implicit attention, or that of its recurrence alone. Default "weights". */
  readonly of?: "weights" | "core";
  /** Whether the layers' matrices are weighed by how much the answer rises with what they give at a place. Default true. */
  readonly gradients?: boolean;
  /** The place that is asked: the last, or the mean of all, as where places are pooled. Default "last". */
  readonly from?: "last" | "mean";
}

/**
 * How much each place of a sequence counts for an answer, `[n][length]`, by attribution through the implicit attention of a network's layers.
 *
 * Each layer has one matrix: the positive part of its implicit attention, the mean over its channels, times how much the logit rises with what the layer gives at the place that is
 * seen (the largest positive gradient of its channels, from 0 to 1), brought to 0 … 1. To each the identity is added, for what passes it by; rows are made to sum to 1; the product of
 * all is read at the place that is asked.
 *
 * Zimerman, Ali and Wolf 2024, arXiv:2405.16504, section 3.3, and their program, after Chefer, Gur and Wolf 2021, arXiv:2012.09838, and rollout, Abnar and Zuidema 2020,
 * arXiv:2005.00928; with `of: "core"` it is attribution by the attention of the recurrence alone, Ali, Zimerman and Wolf 2024, "The hidden attention of Mamba models", arXiv:2403.01590.
 * Differs from the paper: rolled out from the first layer on, and in whole matrices, not only the row of the class token.
 *
 * @throws RangeError when the network has no layer with an implicit attention.
 *
 * @example
 * ```ts
 * import { implicitAttribution, net, network, random, trained, type Model } from "thalweg";
 * const model = net().embedding(9, 8, { positions: false }).gla(2).last() as unknown as Model;
 * const own = trained({ model, input: [4], weights: network(model, [4]).init(random(0), 9) });
 * implicitAttribution(own, [[1, 2, 3, 4]])[0]!.length; // 4
 * ```
 */
export function implicitAttribution(
  network: TrainedNetwork,
  x: NetworkInput,
  options: ImplicitAttributionOptions = {},
): number[][] {
  const { of, gradients, from, column } = withDefaults("implicitAttribution", options, {
    column: -1,
    of: "weights",
    gradients: true,
    from: "last",
  } as Required<ImplicitAttributionOptions>);
  needOneOf("implicitAttribution", "of", of, ["weights", "core"]);
  needOneOf("implicitAttribution", "from", from, ["last", "mean"]);
  const batches = batchesOf(x, rulesOf(network));
  const rows: number[][] = [];
  const step = batches.given === undefined ? 16 : batches.length;
  for (let first = 0; first < batches.length; first += step) {
    const batch = batches.tensor(first, Math.min(step, batches.length - first));
    rows.push(...tf.tidy(() => attributed(network, batch, { of, gradients, from, column })));
    if (batch !== batches.given) batch.dispose();
  }
  return rows;
}

function attributed(
  { structure, weights, statistics, model }: TrainedNetwork,
  x: tf.Tensor,
  { of, gradients, from, column }: Required<ImplicitAttributionOptions>,
): number[][] {
  type Around = (path: readonly string[], x: tf.Tensor, run: (x: tf.Tensor) => tf.Tensor, at: LayerPass) => tf.Tensor;
  const pass = (around: Around): tf.Tensor => {
    const features = structure.features(weights, x, tape(false, null, statistics, { around }).mode);
    const logits = structure.logits(weights, features);
    if (logits.rank === 2) return logits;
    const [n, length, columns] = logits.shape as [number, number, number];
    return from === "mean" ? tf.mean(logits, 1) : tf.reshape(tf.slice(logits, [0, length - 1, 0]), [n, columns]);
  };
  const matrices: tf.Tensor[] = [];
  const shapes: number[][] = [];
  const logits = pass((_, given, run, { layer, params, mode }) => {
    const gave = run(given);
    if (layer.mixes === undefined) return gave;
    const own = layer.mixes(given, params, mode)[of];
    matrices.push(tf.mean(tf.relu(own), 1));
    shapes.push(gave.shape);
    return gave;
  });
  if (matrices.length === 0)
    throw new RangeError(
      `implicitAttribution: a network with a layer that is linear once its gates are chosen (mamba, gla, retention, …) is required, got ${model.spec.name} without one`,
    );
  const length = matrices[0]!.shape[1]!;
  if (matrices.some(({ shape }) => shape[1] !== length))
    throw new RangeError("implicitAttribution: layers over equally many places are required, got different ones");
  const asked = column < 0 ? tf.argMax(logits, 1) : tf.fill([x.shape[0]!], column, "int32");
  const chosen = tf.oneHot(tf.cast(asked, "int32"), logits.shape[1]!);
  const rises = gradients
    ? valueAndGrad(
        (added: readonly tf.Tensor[]) => {
          let next = 0;
          return tf.sum(
            tf.mul(
              pass((_, given, run, { layer }) =>
                layer.mixes === undefined ? run(given) : tf.add(run(given), added[next++]!),
              ),
              chosen,
            ),
          );
        },
        shapes.map((shape) => tf.zeros(shape)),
      ).grads
    : [];
  const eye = tf.expandDims(tf.eye(length), 0);
  const joint = matrices.reduce<tf.Tensor | null>((before, matrix, i) => {
    const by = gradients ? scaled(tf.max(tf.relu(rises[i]!), 2), [1]) : null;
    const own = scaled(by === null ? matrix : tf.mul(matrix, tf.expandDims(by, 1)), [1, 2]);
    const passed = tf.add(own, eye);
    const shares = tf.div(passed, tf.sum(passed, 2, true));
    return before === null ? shares : tf.matMul(shares, before);
  }, null)!;
  const asks = from === "mean" ? tf.mean(joint, 1) : tf.squeeze(tf.slice(joint, [0, length - 1, 0], [-1, 1, -1]), [1]);
  return asks.arraySync() as number[][];
}

/** From 0 to 1 over some axes. */
function scaled(x: tf.Tensor, axes: number[]): tf.Tensor {
  const least = tf.min(x, axes, true);
  return tf.div(tf.sub(x, least), tf.maximum(tf.sub(tf.max(x, axes, true), least), 1e-12));
}
