/** Kernels changed by products in the form of a singular value decomposition, `P diag(s) Q`, and how much each of their terms matters. */
import { mapTensors, type Rng, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Filter } from "../../models/filter.ts";
import type { Params } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { Context, Pass } from "../strategy.ts";
import { type Kernels, kernelsIn, withKernels } from "./kernels.ts";
import { addedBy, withAdded } from "./prompts.ts";

/** P `[inputs, rank]`, s `[rank]` and Q `[rank, units]` of one kernel. A type, so that it is a tree of tensors. */
export type Triplets = { readonly left: tf.Tensor2D; readonly values: tf.Tensor1D; readonly right: tf.Tensor2D };

/** Those of all kernels that are changed, by where these lie. */
export type ByKernel = { readonly [path: string]: Triplets };

/** Of each number the smoothed `|number · slope|`, and the smoothed distance of these from it. */
export type Scores = { readonly sensitivity: ByKernel; readonly uncertainty: ByKernel };

/** How scores are smoothed: the shares of them that are kept at every step. */
export interface Smoothing {
  readonly sensitivity: number;
  readonly uncertainty: number;
}

/** The kernels that a filter selects, of which there must be some. */
function kernelsFor(name: string, network: Network, weights: Weights, on: Filter): Kernels {
  const found = kernelsIn(network, weights, on);
  if (Object.keys(found).length === 0)
    throw new TypeError(`${name}: kernels to change are required, got none that { on: ${JSON.stringify(on)} } selects`);
  return found;
}

/** New terms, which change nothing: P and Q are drawn around 0 with a deviation of 0.02, and s is 0. */
function drawTriplets(rng: Rng, kernels: Kernels, rank: number): ByKernel {
  return Object.fromEntries(
    Object.entries(kernels).map(([path, { size, shape }]) => {
      const units = shape.at(-1)!;
      const drawn = (name: string, of: readonly number[]): tf.Tensor => rng.at(path, name).normals(of, 0, 0.02);
      const left = drawn("left", [size / units, rank]);
      return [path, { left, values: tf.zeros([rank]), right: drawn("right", [rank, units]) } as Triplets];
    }),
  );
}

/** Kernels with their terms added, times a factor. */
export function changedBy(own: ByKernel, kernels: Kernels, times: number): Kernels {
  return overKernels(own, ({ left, values, right }, path) => {
    const change = tf.matMul(tf.mul(left, values) as tf.Tensor2D, right);
    return tf.add(kernels[path]!, tf.mul(tf.reshape(change, kernels[path]!.shape), times));
  });
}

/** What kernels are changed by after an experience: by what they were before it, and by the terms that it has learnt. */
function pastWith(own: ByKernel, kernels: Kernels, past: Kernels | undefined, times: number): Kernels {
  const before = past ?? mapTensors((t: tf.Tensor) => tf.zerosLike(t), kernels);
  return changedBy(own, before, times);
}

/**
 * *Traced.* How far the columns of P and the rows of Q are from being orthogonal and of length 1: the mean over both of all kernels of the
 * Frobenius norm of what `PᵀP` and `QQᵀ` differ in from 1. With `active`, `[kernels, rank]`, of the terms that are 1 there.
 */
export function unorthogonal(own: ByKernel, active?: tf.Tensor2D): tf.Scalar {
  const norms = Object.values(own).flatMap(({ left, right }, k) => {
    const [rank] = right.shape;
    const at = active === undefined ? null : tf.slice(active, [k, 0], [1, rank]);
    return [tf.matMul(left, left, true, false), tf.matMul(right, right, false, true)].map((square) => {
      const apart = tf.sub(square, tf.eye(rank));
      const seen = at === null ? apart : tf.mul(apart, tf.matMul(at, at, true, false));
      return tf.sqrt(tf.add(tf.sum(tf.square(seen)), 1e-12));
    });
  });
  return tf.mean(tf.stack(norms)) as tf.Scalar;
}

/** Scores before the first step. */
export function noScores(own: ByKernel): Scores {
  const zeros = (): ByKernel => mapTensors((t) => tf.zerosLike(t), own);
  return { sensitivity: zeros(), uncertainty: zeros() };
}

/** *Traced.* Scores after a step, from the numbers that the slope was taken at. */
export function scored(before: Scores, own: ByKernel, slope: ByKernel, by: Smoothing): Scores {
  const smooth = (was: tf.Tensor, now: tf.Tensor, share: number): tf.Tensor =>
    tf.add(tf.mul(was, share), tf.mul(now, 1 - share));
  const moved = mapTensors((w: tf.Tensor, g?: tf.Tensor) => tf.abs(tf.mul(w, g!)), own, slope);
  const sensitivity = mapTensors(
    (was: tf.Tensor, now?: tf.Tensor) => smooth(was, now!, by.sensitivity),
    before.sensitivity,
    moved,
  );
  const uncertainty = mapTensors(
    (was: tf.Tensor, now?: tf.Tensor, mean?: tf.Tensor) => smooth(was, tf.abs(tf.sub(now!, mean!)), by.uncertainty),
    before.uncertainty,
    moved,
    sensitivity,
  );
  return { sensitivity, uncertainty };
}

/** *Traced.* `[kernels, rank]`: how much each term matters, that of its s and the means of those of its column of P and its row of Q. */
export function importance({ sensitivity, uncertainty }: Scores): tf.Tensor2D {
  const each = mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.mul(a, b!), sensitivity, uncertainty);
  const rows = Object.values(each).map(({ left, values, right }) =>
    tf.add(values, tf.add(tf.mean(left, 0), tf.mean(right, 1))),
  );
  return tf.stack(rows) as tf.Tensor2D;
}

/** *Traced.* Of each number of the last axis how many others come before it: those that are smaller, and equal ones with a smaller place. */
export function placeOf(of: tf.Tensor): tf.Tensor {
  const size = of.shape.at(-1)!;
  const [mine, other] = [tf.expandDims(of, -1), tf.expandDims(of, -2)];
  const first = tf.sub(1, tf.linalg.bandPart(tf.ones([size, size]), 0, -1));
  const before = tf.add(
    tf.cast(tf.less(other, mine), "float32"),
    tf.mul(tf.cast(tf.equal(other, mine), "float32"), first),
  );
  return tf.sum(before, -1);
}

/** Of an experience: the steps after which ranks begin to move and no longer do, and what past ones have changed each kernel by. */
export type Span = { readonly first?: tf.Tensor; readonly last?: tf.Tensor; readonly past?: Kernels };

/** What strategies do alike whose terms, `size` for each kernel that `on` selects, are added to kernels times a factor. */
export function overExperiences(name: string, on: Filter, size: number, times: number) {
  return {
    /** Terms to begin with. */
    begin: (network: Network, weights: Weights, rng: Rng): Params =>
      asParams(drawTriplets(rng.at("first"), kernelsFor(name, network, weights, on), size)),
    /** The span of an experience, of whose steps shares are left out at the beginning and at the end. */
    span(given: Span, length: number, { batch, epochs }: Context, begin: number, end: number): Span {
      const steps = Math.ceil(length / batch) * epochs;
      const last = steps - Math.floor(end * steps);
      return { ...given, first: tf.scalar(Math.min(Math.floor(begin * steps), last - 1)), last: tf.scalar(last) };
    },
    /** *Traced.* The pass with kernels that past experiences and the terms have changed. */
    forward({ past }: Span, { network, weights, plain }: Pass) {
      const kernels = kernelsIn(network, weights, on);
      const begun =
        past === undefined ? kernels : mapTensors((w: tf.Tensor, c?: tf.Tensor) => tf.add(w, c!), kernels, past);
      return plain(withKernels(weights, changedBy(addedBy<ByKernel>({ weights }, name), begun, times)));
    },
    /** The span and the weights after an experience: what was learnt has become a part of the past, and there are new terms. */
    end(given: Span, index: number, { network, weights, rng }: Context) {
      const kernels = kernelsIn(network, weights, on);
      const own = weights.added![name] as unknown as ByKernel;
      const past = scoped(() => pastWith(own, kernels, given.past, times) as Tree) as Kernels;
      const next = asParams(drawTriplets(rng.at("after", index), kernels, size));
      return { tensors: { ...given, past }, weights: withAdded(weights, name, next), restart: true };
    },
  };
}

function overKernels(own: ByKernel, of: (own: Triplets, path: string) => tf.Tensor): Kernels {
  return Object.fromEntries(Object.entries(own).map(([path, each]) => [path, of(each, path)]));
}

/** A tree of the terms' form as parameters that a strategy trains. */
export const asParams = (own: ByKernel): Params => own as unknown as Params;
