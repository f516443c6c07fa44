import { nn, type Rng, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import {
  answer,
  answerAlong,
  forEach,
  type Kernels,
  sharesBetween,
  slopes,
  summed,
  throughChunks,
} from "../../parts/inner-learner.ts";
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

/** Options of `neuralMemory`. */
export interface NeuralMemoryOptions {
  /** Layers of the memory: 1 is a matrix, 2 have a layer of Gaussian error linear units between them. Default 2. */
  readonly depth?: 1 | 2;
  /** Width of that layer, in widths of a head. Default 2. */
  readonly widen?: number;
  /** The largest rate of learning, which a sigmoid of the input brings down. Default 0.1. */
  readonly rate?: number;
  /** Places whose gradients are taken at the same weights. Default 8. */
  readonly batch?: number;
}

/**
 * The long-term memory of Titans: each head trains a small network to answer keys with values, by gradient descent with momentum and forgetting, and is asked the query.
 *
 * `S ← η S − θ ∇‖M(k) − v‖²`, `M ← (1 − α) M + S`, `o = M(q)`, with η, θ and α one number of the input for each head and place: surprise that lasts, and what is
 * let go. Queries and keys are `silu` of products and of length one; gradients of a batch of places are taken at the M before it. What is read is normalised by
 * head, gated and multiplied once more. Sequences of vectors keep their shape. Beside attention as in the paper: `branch([(n) => n.transformer(2),
 * (n) => n.neuralMemory(2)], { join: "multiply" })` is memory as a gate, one behind the other memory as a layer.
 *
 * Implements: P049 Titans
 * Behrouz, Zhong and Mirrokni 2024, "Titans: learning to memorize at test time", arXiv:2501.00663, section 3, equations 9 to 15.
 * Differs from the paper: the short convolution is a layer of its own, `causalConv(4)`; there are no persistent tokens and no memory as a context; the rates
 * begin at 0.05, momentum at 0.12, forgetting at 0.02.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().causalConv(4).neuralMemory(2)).features([100]); // [100, 32]
 * ```
 */
export const neuralMemory = sameLayer(
  "neuralMemory",
  (heads: number, { depth = 2, widen = 2, rate = 0.1, batch = 8 }: NeuralMemoryOptions = {}) => {
    requireCount("neuralMemory", "heads", heads);
    requireCount("neuralMemory", "batch", batch, 2);
    if (depth !== 1 && depth !== 2) throw new RangeError(`neuralMemory: depth 1 or 2 is required, got ${depth}`);
    if (!(widen > 0 && rate > 0))
      throw new RangeError(`neuralMemory: widen and rate above 0 are required, got ${widen} and ${rate}`);
    const hidden = (d: number): number => Math.max(1, Math.round(widen * d));
    const kernelsOf = (params: Params): Kernels => {
      const { first, second } = params.memory as { readonly first: tf.Tensor; readonly second?: tf.Tensor };
      return second === undefined ? [first] : [first, second];
    };
    const same = (x: tf.Tensor): tf.Tensor => x;
    const slopesAt = (kernels: Kernels, k: tf.Tensor, v: tf.Tensor) =>
      slopes(kernels, k, same, (z) => tf.mul(tf.sub(z, v), 2));
    return {
      options: {
        heads,
        ...(depth !== 2 && { depth }),
        ...(widen !== 2 && { widen }),
        ...(rate !== 0.1 && { rate }),
        ...(batch !== 8 && { batch }),
      },
      shape(input) {
        requireHeads("neuralMemory", input, heads);
        return input;
      },
      init(rng, [, units]): Params {
        const d = units! / heads;
        const square = (part: string): Params => kernelParams(rng.at(part), units!, units!);
        const gate = (part: string, bias: number): Params => ({
          ...productParams(rng.at(part), units!, heads),
          bias: tf.fill([heads], bias),
        });
        const kernel = (at: Rng, inputs: number, outputs: number): tf.Tensor =>
          at.normals([heads, inputs, outputs], 0, 1 / Math.sqrt(inputs));
        return {
          query: square("query"),
          key: square("key"),
          value: square("value"),
          rate: gate("rate", 0),
          momentum: gate("momentum", -2),
          forget: gate("forget", -4),
          memory: {
            first: kernel(rng.at("first"), d, depth === 1 ? d : hidden(d)),
            ...(depth === 2 && { second: kernel(rng.at("second"), hidden(d), d) }),
          },
          gate: square("gate"),
          norm: { scale: tf.ones([d]) },
          out: square("out"),
        };
      },
      ...stateful({
        given(x, params, mode) {
          const [query, key] = ["query", "key"].map((part) =>
            unitLength(nn.silu(projected(x, params, part, mode, heads))),
          );
          const [speed, momentum, forget] = ["rate", "momentum", "forget"].map((part) =>
            byHeads(product(x, params, part, mode), heads),
          );
          return {
            query: query!,
            key: key!,
            value: nn.silu(projected(x, params, "value", mode, heads)),
            rate: tf.mul(tf.sigmoid(speed!), rate),
            // logarithms of what stays of the momentum and of the memory
            momentum: tf.neg(tf.softplus(tf.neg(momentum!))),
            stays: tf.neg(tf.softplus(forget!)),
          };
        },
        along({ query, key, value, rate, momentum, stays }, params) {
          const first = kernelsOf(params).map((kernel) => forEach(query.shape[0]!, kernel));
          return throughChunks(
            ({ kernels, carried }: Memory, [q, k, v, speed, lasting, staying]) => {
              const found = slopesAt(kernels, k!, v!);
              const [kept, lasts] = [sharesBetween(staying!), sharesBetween(lasting!)];
              const [keep, fade] = [staying!, lasting!].map((logs) => tf.exp(tf.cumsum(logs, 2)));
              const share = tf.matMul(kept, fade!);
              const speeds = tf.transpose(speed!, [0, 1, 3, 2]);
              const by = tf.mul(tf.matMul(kept, lasts), speeds);
              const read = answerAlong(kernels, q!, same, found, {
                by,
                keep: keep!,
                carry: { kernels: carried, share },
              });
              const last = (x: tf.Tensor): tf.Tensor => tf.slice(x, [0, 0, batch - 1, 0], [-1, -1, 1, -1]);
              const turned = (x: tf.Tensor): tf.Tensor => tf.transpose(last(x), [0, 1, 3, 2]);
              const [steps, shifts] = [by, tf.mul(lasts, speeds)].map((x) => summed(found, turned(x)));
              const next = {
                kernels: kernels.map((kernel, l) =>
                  tf.sub(tf.add(tf.mul(kernel, last(keep!)), tf.mul(carried[l]!, last(share))), steps![l]!),
                ),
                carried: carried.map((own, l) => tf.sub(tf.mul(own, last(fade!)), shifts![l]!)),
              };
              return [next, read];
            },
            { kernels: first, carried: first.map((kernel) => tf.zerosLike(kernel)) },
            [query, key, value, rate, momentum, stays],
            {},
            batch,
          );
        },
        states({ key }) {
          const d = key.shape[3]!;
          const shapes =
            depth === 1
              ? [[heads, d, d]]
              : [
                  [heads, d, hidden(d)],
                  [heads, hidden(d), d],
                ];
          return [...shapes, ...shapes, ...shapes, [1, 1, 1]];
        },
        // how the memory before the batch, and that of now, differ from its beginning; momentum; the place in the batch
        step(states, { query, key, value, rate, momentum, stays }, params) {
          const begun = kernelsOf(params);
          const [before, now, carried] = [0, 1, 2].map((i) => states.slice(i * depth, (i + 1) * depth));
          const place = states[3 * depth]!;
          const [q, k, v, speed, lasting, staying] = [query, key, value, rate, momentum, stays].map((part) =>
            tf.expandDims(part, 2),
          );
          const at = (changes: readonly tf.Tensor[]): tf.Tensor[] =>
            begun.map((kernel, l) => tf.add(kernel, changes[l]!));
          const steps = summed(slopesAt(at(before!), k!, v!), speed!);
          const moving = carried!.map((own, l) => tf.sub(tf.mul(own, tf.exp(lasting!)), steps[l]!));
          const memory = at(now!).map((kernel, l) => tf.add(tf.mul(kernel, tf.exp(staying!)), moving[l]!));
          const changes = memory.map((kernel, l) => tf.sub(kernel, begun[l]!));
          const ends = tf.cast(tf.equal(place, batch - 1), "float32");
          const goes = tf.sub(1, ends);
          return [
            tf.squeeze(answer(memory, q!, same), [2]),
            [
              ...before!.map((own, l) => tf.add(tf.mul(own, goes), tf.mul(changes[l]!, ends))),
              ...changes,
              ...moving,
              tf.mul(tf.add(place, 1), goes),
            ],
          ];
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

/** Kernels and momentum. */
type Memory = { readonly kernels: Kernels; readonly carried: Kernels };
