/** The numbers of networks as vectors, and vectors as networks. */
import { mapTensors, paths, scoped, type Tree, tf, unflatten } from "../../engine/index.ts";
import { type Filter, selected } from "../../models/filter.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import type { Parameter, ParameterKind } from "../../models/parameters.ts";
import { parametersOf } from "../../models/parameters.ts";

/** The numbers of several tensors, one after the other, in double precision. */
export type Vector = Float64Array<ArrayBuffer>;

/** Where the numbers of a tensor lie in a vector. */
export interface Place extends Parameter {
  readonly from: number;
  readonly size: number;
}

/** The tensors of weights that a filter selects, one after the other. */
export function placesOf(
  where: string,
  weights: Weights,
  kindOf?: (path: string) => ParameterKind,
  filter?: Filter,
): readonly Place[] {
  const all = parametersOf(weights, kindOf);
  const chosen = filter === undefined ? all : selected(where, filter, all);
  let from = 0;
  return chosen.map((parameter) => {
    const size = parameter.shape.reduce((a, b) => a * b, 1);
    const place = { ...parameter, from, size };
    from += size;
    return place;
  });
}

/** How many numbers the vectors of these places have. */
export function lengthOf(places: readonly Place[]): number {
  const last = places.at(-1);
  return last === undefined ? 0 : last.from + last.size;
}

/** The numbers of weights, or of any tree like them, at these places. */
export function vectorOf(weights: object, places: readonly Place[]): Vector {
  const found = new Map(paths(weights as Tree));
  const out = new Float64Array(lengthOf(places));
  for (const { path, from } of places) out.set(found.get(path)!.dataSync(), from);
  return out;
}

/** New tensors of the shape of the weights: at these places the numbers of a vector, elsewhere those that are there. The caller owns them. */
export function withVector(weights: Weights, places: readonly Place[], vector: Vector): Weights {
  const at = new Map(places.map((place) => [place.path, place]));
  return scoped(() =>
    unflatten(
      weights,
      paths(weights as unknown as Tree).map(([path, own]) => {
        const place = at.get(path);
        if (place === undefined) return own.clone();
        return tf.tensor(Float32Array.from(part(vector, place)), own.shape, "float32");
      }),
    ),
  ) as unknown as Weights;
}

/** The mean of running statistics. The caller owns the tensors. */
export function meanOf(statistics: readonly Params[]): Params {
  return scoped(() =>
    mapTensors(
      (...all) => tf.div(tf.addN(all as tf.Tensor[]), all.length),
      ...([...statistics] as [Params, ...Params[]]),
    ),
  );
}

/** The numbers of one tensor within a vector; a view. */
export function part(vector: Vector, { from, size }: Pick<Place, "from" | "size">): Vector {
  return vector.subarray(from, from + size) as Vector;
}

/** `a + scale · b`. */
export function plus(a: Vector, b: Vector, scale = 1): Vector {
  return a.map((x, i) => x + scale * b[i]!);
}

/** The sum of vectors, each times a number of its own where these are given. */
export function sumOf(vectors: readonly Vector[], scales?: readonly number[]): Vector {
  const out = new Float64Array(vectors[0]!.length);
  for (const [k, vector] of vectors.entries()) {
    const scale = scales?.[k] ?? 1;
    for (let i = 0; i < out.length; i++) out[i]! += scale * vector[i]!;
  }
  return out;
}

/** The length of a vector. */
export function norm(vector: ArrayLike<number>): number {
  return Math.sqrt(dot(vector, vector));
}

/** The inner product of two vectors. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * A vector of weights whose last axes have grown, as those of a head with more columns have: what was there stays, new numbers are those of
 * `fill`, or 0.
 */
export function grown(vector: Vector, from: readonly Place[], to: readonly Place[], fill?: Vector): Vector {
  const out = fill === undefined ? new Float64Array(lengthOf(to)) : fill.slice();
  for (const [i, now] of to.entries()) {
    const before = from[i]!;
    const [had, has] = [before.shape.at(-1) ?? 1, now.shape.at(-1) ?? 1];
    for (let row = 0; row < before.size / had; row++)
      out.set(vector.subarray(before.from + row * had, before.from + (row + 1) * had), now.from + row * has);
  }
  return out;
}
