import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { forEach, throughChunks } from "../../parts/inner-learner.ts";
import { product, productParams } from "../../parts/product.ts";
import {
  byHeads,
  kernelParams,
  projected,
  requireHeads,
  rootMeanNormal,
  stateful,
  together,
  unitLength,
} from "../../parts/stateful.ts";

/** Options of `lattice`. */
export interface LatticeOptions {
  /** Slots of each head's memory. Default 16. */
  readonly slots?: number;
  /** Places whose gradients are taken at the same slots. Default 4. */
  readonly batch?: number;
}

/**
 * A memory of a few slots, each of which takes in only what is orthogonal to what it holds.
 *
 * With s̃ the slots at length one: `e = v − Σ kᵣ s̃ᵣ`, `sᵣ ← sᵣ + γ kᵣ (e − s̃ᵣ s̃ᵣᵀ e) / ‖sᵣ‖`, `o = Σ qᵣ s̃ᵣ`: a step of gradient descent on `½‖e‖²`, whose gates depend on
 * the input (γ, one number for each head) and on the state. Keys are of length one; gradients of a batch of places are taken at the slots before it. What
 * is read is normalised by head, gated and multiplied once more. Sequences of vectors keep their shape.
 *
 * Implements: P072 Lattice
 * Karami, Pascanu and Mirrokni 2025, "Lattice: learning to efficiently compress the memory", arXiv:2504.05646. Written from the abstract and from the gradient of
 * the loss of normalised slots, of which the orthogonal update is a consequence.
 * Differs from the paper: its other forms of the update, and the first slots, which are drawn here and trained.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().lattice(2, { slots: 8 })).features([100]); // [100, 32]
 * ```
 */
export const lattice = sameLayer(
  "lattice",
  (heads: number, { slots = 16, batch = 4 }: LatticeOptions = {}) => {
    requireCount("lattice", "heads", heads);
    requireCount("lattice", "slots", slots);
    requireCount("lattice", "batch", batch);
    return {
      options: { heads, ...(slots !== 16 && { slots }), ...(batch !== 4 && { batch }) },
      shape(input) {
        requireHeads("lattice", input, heads);
        return input;
      },
      init(rng, [, units]): Params {
        const codes = (part: string): Params => kernelParams(rng.at(part), units!, heads * slots);
        const square = (part: string): Params => kernelParams(rng.at(part), units!, units!);
        const d = units! / heads;
        return {
          query: codes("query"),
          key: codes("key"),
          value: square("value"),
          rate: productParams(rng.at("rate"), units!, heads),
          memory: { slots: rng.at("slots").normals([heads, slots, d], 0, 1 / Math.sqrt(d)) },
          gate: square("gate"),
          norm: { scale: tf.ones([d]) },
          out: square("out"),
        };
      },
      ...stateful({
        given(x, params, mode) {
          const [query, key, value] = ["query", "key", "value"].map((part) => projected(x, params, part, mode, heads));
          const rate = tf.sigmoid(byHeads(product(x, params, "rate", mode), heads));
          const unit = unitLength(key!);
          return { query: query!, key: unit, value: value!, share: tf.mul(unit, rate) };
        },
        along: ({ query, key, value, share }, params) =>
          throughChunks(
            (memory: tf.Tensor, [q, k, v, shares]) => {
              const added = tf.cumsum(tf.mul(tf.expandDims(shares!, 4), tf.expandDims(error(memory, k!, v!), 3)), 2);
              const all = tf.add(tf.expandDims(memory, 2), orthogonal(tf.expandDims(memory, 2), added));
              const read = tf.sum(tf.mul(tf.expandDims(q!, 4), unitLength(all, tiny)), 3);
              return [tf.squeeze(tf.slice(all, [0, 0, batch - 1, 0, 0], [-1, -1, 1, -1, -1]), [2]), read];
            },
            forEach(query.shape[0]!, slotsOf(params)),
            [query, key, value, share],
            {},
            batch,
          ),
        states({ value }) {
          const shape = [heads, slots, value.shape[3]!];
          return [shape, shape, [1, 1, 1]];
        },
        // how the slots before the batch differ from the first, what the batch adds so far, and the place in it
        step([changes, sums, place], { query, key, value, share }, params) {
          const memory = tf.add(slotsOf(params), changes!);
          const [q, k, v, shares] = [query, key, value, share].map((part) => tf.expandDims(part, 2));
          const e = tf.squeeze(error(memory, k!, v!), [2]);
          const added = tf.add(sums!, tf.mul(tf.expandDims(tf.squeeze(shares!, [2]), 3), tf.expandDims(e, 2)));
          const moved = orthogonal(memory, added);
          const read = tf.matMul(q!, unitLength(tf.add(memory, moved), tiny));
          const ends = tf.cast(tf.equal(place!, batch - 1), "float32");
          const goes = tf.sub(1, ends);
          const next = [tf.add(changes!, tf.mul(moved, ends)), tf.mul(added, goes), tf.mul(tf.add(place!, 1), goes)];
          return [tf.squeeze(read, [2]), next];
        },
        out(read, x, params, mode) {
          const { scale } = params.norm as { readonly scale: tf.Tensor };
          const normal = together(tf.mul(rootMeanNormal(read), scale));
          return product(tf.mul(normal, nn.silu(product(x, params, "gate", mode))), params, "out", mode);
        },
      }),
    };
  },
  ["sequence"],
);

const tiny = 1e-12;
const slotsOf = ({ memory }: Params): tf.Tensor => (memory as { readonly slots: tf.Tensor }).slots;

/** What the slots miss of the values: `[n, heads, places, d]`. */
const error = (memory: tf.Tensor, key: tf.Tensor, value: tf.Tensor): tf.Tensor =>
  tf.sub(value, tf.matMul(key, unitLength(memory, tiny)));

/** What of some vectors is orthogonal to the slots, divided by the length of these. */
function orthogonal(memory: tf.Tensor, vectors: tf.Tensor): tf.Tensor {
  const unit = unitLength(memory, tiny);
  const rest = tf.sub(vectors, tf.mul(unit, tf.sum(tf.mul(unit, vectors), -1, true)));
  return tf.div(rest, tf.sqrt(tf.add(tf.sum(tf.square(memory), -1, true), tiny)));
}
