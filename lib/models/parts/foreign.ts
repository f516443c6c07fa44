/** Tensors of another library's files in the tree of a network of ours. */
import { paths, type Tree, tf, unflatten } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import type { ForeignName } from "./foreign-names.ts";

/**
 * The tree with the tensors of a file in the places that the names say; what no name speaks of stays. Shapes are those of the tree: axes of
 * length 1 may come and go.
 *
 * @throws RangeError when the file lacks a tensor, the tree lacks a place, or their numbers are not as many.
 */
export function placed(names: readonly ForeignName[], file: Readonly<Record<string, tf.Tensor>>, tree: Params): Params {
  const all = new Map(paths(tree as Tree));
  for (const name of names) {
    const [given, goal] = [file[name.from], all.get(name.to)];
    if (given === undefined || goal === undefined)
      throw new RangeError(
        `placed: a tensor "${name.from}" and a place "${name.to}" are required, got ${given === undefined ? "no such tensor" : "no such place"}; make the model with the options of the file`,
      );
    const turned = asOurs(given, name);
    if (turned.size !== goal.size)
      throw new RangeError(
        `placed: as many numbers as [${goal.shape}] has are required for "${name.to}", got "${name.from}" of [${given.shape}]; make the model with the options of the file`,
      );
    all.set(name.to, tf.reshape(turned, goal.shape));
  }
  return unflatten(tree, [...all.values()]) as Params;
}

/** A tensor of a file as one of ours, but for axes of length 1. */
export function asOurs(given: tf.Tensor, { turn, cut }: ForeignName): tf.Tensor {
  let now = given;
  if (cut !== undefined) {
    const size = given.shape.at(-1)! / cut.of;
    const begin = given.shape.map((_, axis) => (axis === given.rank - 1 ? cut.part * size : 0));
    now = tf.slice(given, begin, [...given.shape.slice(0, -1), size]);
  }
  return turn === undefined ? now : tf.transpose(now, [...turn]);
}
