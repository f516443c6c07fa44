import { nn, type Rng, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { chunkSize, lowerOnes } from "../../parts/chunks.ts";
import {
  answer,
  answerAlong,
  forEach,
  type Kernels,
  slopes,
  summed,
  throughChunks,
  withOnes,
} from "../../parts/inner-learner.ts";
import { normParams, product, productParams } from "../../parts/product.ts";
import { byHeads, kernelParams, projected, requireHeads, stateful, together } from "../../parts/stateful.ts";

/** Options of `ttt`. */
export interface TttOptions {
  /** What each head learns: one linear layer, or two of which the inner is four times as wide. Default "linear". */
  readonly inner?: "linear" | "mlp";
  /** The largest rate of the inner learning, which a sigmoid of the input brings down; divided by the width of a head. Default 1, for "mlp" 0.1. */
  readonly rate?: number;
  /** Places whose gradients are taken at the same weights. Default 16. */
  readonly batch?: number;
}

/**
 * A layer whose state is a model that learns at test time: each head trains a small network, by a step of gradient descent at each place, to make the
 * value out of the key, and answers the query with it.
 *
 * `W ← W − η ∇ℓ(W; k, v)`, `ℓ = ½‖norm(f(k)) − (v − k)‖²`, `o = q + norm(f(q))` with the W of that place; gradients of a batch of places are taken at the W before
 * it, and the rate of a place is `σ(w x + b) rate / d`, times `1 / i + cᵢ` at the i-th place of the batch. What is given is normalised and multiplied once more.
 * The outer training goes through the inner steps. A batch is a few products of matrices; between batches goes W. Sequences of vectors keep their shape.
 * A step of training on 4 sequences of 1,024 places, 64 wide, takes 37 ms on one thread where `gla` takes 20.
 *
 * Implements: P086 TTT layers
 * Sun et al. 2024, "Learning to (learn at test time): RNNs with expressive hidden states", arXiv:2407.04620, sections 2.3 to 2.7: TTT-Linear and TTT-MLP in the dual
 * form, sizes and beginnings as in the authors' ttt-lm-pytorch.
 * Differs from the paper: queries and keys are not turned by their places within a batch (rotary positions).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().ttt(2)).features([100]); // [100, 32]
 * ```
 */
export const ttt = sameLayer(
  "ttt",
  (heads: number, { inner = "linear", rate = inner === "mlp" ? 0.1 : 1, batch = chunkSize }: TttOptions = {}) => {
    requireCount("ttt", "heads", heads);
    requireCount("ttt", "batch", batch, 2);
    if (inner !== "linear" && inner !== "mlp")
      throw new RangeError(`ttt: inner "linear" or "mlp" is required, got ${JSON.stringify(inner)}`);
    if (!(rate > 0)) throw new RangeError(`ttt: a rate above 0 is required, got ${rate}`);
    const kernelsOf = (params: Params): Kernels => {
      const { first, second } = params.inner as { readonly first: tf.Tensor; readonly second?: tf.Tensor };
      return second === undefined ? [first] : [first, second];
    };
    /** `1 / i + cᵢ` for the places of a batch, `[batch, 1]`. */
    const paces = ({ pace }: Params): tf.Tensor => {
      const harmonic = Float32Array.from({ length: batch }, (_, i) => 1 / (i + 1));
      return tf.relu(
        tf.add(tf.tensor2d(harmonic, [batch, 1]), tf.reshape((pace as Params).added as tf.Tensor, [batch, 1])),
      );
    };
    return {
      options: {
        heads,
        ...(inner !== "linear" && { inner }),
        ...(rate !== (inner === "mlp" ? 0.1 : 1) && { rate }),
        ...(batch !== chunkSize && { batch }),
      },
      shape(input) {
        requireHeads("ttt", input, heads);
        return input;
      },
      init(rng, [, units]): Params {
        const d = units! / heads;
        const square = (part: string): Params => kernelParams(rng.at(part), units!, units!);
        // the last row is the bias
        const kernel = (at: Rng, inputs: number, outputs: number): tf.Tensor =>
          tf.concat([at.normals([heads, inputs, outputs], 0, 0.02), tf.zeros([heads, 1, outputs])], 1);
        const hidden = inner === "linear" ? d : 4 * d;
        return {
          query: square("query"),
          key: square("key"),
          value: square("value"),
          rate: { ...productParams(rng.at("rate"), units!, heads), bias: tf.zeros([heads]) },
          pace: { added: tf.zeros([batch]) },
          inner: {
            first: kernel(rng.at("first"), d, hidden),
            ...(inner === "mlp" && { second: kernel(rng.at("second"), hidden, d) }),
          },
          norm: { scale: tf.ones([heads, 1, d]), shift: tf.zeros([heads, 1, d]) },
          after: normParams(units!),
          out: square("out"),
        };
      },
      ...stateful({
        given(x, params, mode) {
          const [query, key, value] = ["query", "key", "value"].map((part) => projected(x, params, part, mode, heads));
          const speed = tf.sigmoid(byHeads(product(x, params, "rate", mode), heads));
          return { query: query!, key: key!, value: value!, rate: tf.mul(speed, rate / query!.shape[3]!) };
        },
        along({ query, key, value, rate }, params) {
          const constants = { norm: params.norm as Params, paces: paces(params) };
          return throughChunks(
            (kernels: Kernels, [q, k, v, speed], { norm, paces }: typeof constants) => {
              const found = slopes(kernels, k!, withOnes, (z) => lossSlope(z, tf.sub(v!, k!), norm));
              const by = tf.mul(tf.mul(paces, tf.transpose(speed!, [0, 1, 3, 2])), lowerOnes(batch));
              const read = answerAlong(kernels, q!, withOnes, found, { by });
              const last = tf.slice(paces, [batch - 1, 0], [1, 1]);
              const steps = summed(found, tf.mul(speed!, last));
              return [kernels.map((kernel, l) => tf.sub(kernel, steps[l]!)), tf.add(q!, normalised(read, norm))];
            },
            kernelsOf(params).map((kernel) => forEach(query.shape[0]!, kernel)),
            [query, key, value, rate],
            constants,
            batch,
          );
        },
        states({ key }) {
          const d = key.shape[3]!;
          const shapes =
            inner === "linear"
              ? [[heads, d + 1, d]]
              : [
                  [heads, d + 1, 4 * d],
                  [heads, 4 * d + 1, d],
                ];
          return [...shapes, ...shapes, [1, 1, 1]];
        },
        // what has been learnt before the batch, the sum of the gradients in it, and the place in it
        step(states, { query, key, value, rate }, params) {
          const begun = kernelsOf(params);
          const count = begun.length;
          const [learnt, sums, place] = [states.slice(0, count), states.slice(count, 2 * count), states[2 * count]!];
          const [q, k, v, speed] = [query, key, value, rate].map((part) => tf.expandDims(part, 2));
          const norm = params.norm as Params;
          const kernels = begun.map((kernel, l) => tf.add(kernel, learnt[l]!));
          const found = slopes(kernels, k!, withOnes, (z) => lossSlope(z, tf.sub(v!, k!), norm));
          const all = summed(found, speed!).map((sum, l) => tf.add(sum, sums[l]!));
          const here = tf.cast(tf.equal(place, tf.range(0, batch)), "float32");
          const pace = tf.reshape(tf.matMul(tf.reshape(here, [-1, batch]), paces(params)), [-1, 1, 1, 1]);
          const now = kernels.map((kernel, l) => tf.sub(kernel, tf.mul(all[l]!, pace)));
          const read = tf.add(q!, normalised(answer(now, q!, withOnes), norm));
          const ends = tf.cast(tf.equal(place, batch - 1), "float32");
          const goes = tf.sub(1, ends);
          return [
            tf.squeeze(read, [2]),
            [
              ...learnt.map((own, l) => tf.sub(own, tf.mul(tf.mul(all[l]!, pace), ends))),
              ...all.map((sum) => tf.mul(sum, goes)),
              tf.mul(tf.add(place, 1), goes),
            ],
          ];
        },
        out(read, _x, params, mode) {
          const { scale, shift } = params.after as { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
          return product(nn.layerNormalise(together(read), scale, shift, 1e-6), params, "out", mode);
        },
      }),
    };
  },
  ["sequence"],
);

/** Centred, divided by the deviation, and with that. */
function centred(z: tf.Tensor): readonly [normal: tf.Tensor, inverse: tf.Tensor] {
  const middle = tf.sub(z, tf.mean(z, -1, true));
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(middle), -1, true), 1e-6));
  return [tf.mul(middle, inverse), inverse];
}

function normalised(z: tf.Tensor, { scale, shift }: Params): tf.Tensor {
  return tf.add(tf.mul(centred(z)[0], scale as tf.Tensor), shift as tf.Tensor);
}

/** The gradient of `½‖norm(z) − target‖²` by z. */
function lossSlope(z: tf.Tensor, target: tf.Tensor, norm: Params): tf.Tensor {
  const [normal, inverse] = centred(z);
  const scale = norm.scale as tf.Tensor;
  const slope = tf.mul(tf.sub(tf.add(tf.mul(normal, scale), norm.shift as tf.Tensor), target), scale);
  const along = tf.mul(normal, tf.mean(tf.mul(slope, normal), -1, true));
  return tf.mul(tf.sub(tf.sub(slope, tf.mean(slope, -1, true)), along), inverse);
}
