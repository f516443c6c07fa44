/** The blocks of attention within a model. */
import { random, tf } from "../../engine/index.ts";
import { tape } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";

/** Where a layer of attention has its tensors in the weights, joined by "/": "model/block1". */
export type BlockPath = string;

/** A model's layers of attention, in the order in which examples pass through them, and the width of the vectors in them. */
export interface Blocks {
  readonly paths: readonly BlockPath[];
  readonly width: number;
  /** How many places the sequences in them have. */
  readonly places: number;
}

const known = new WeakMap<Network["model"], Blocks>();

/** Finds the layers of attention of a model. There are none in a perceptron. */
export function blocksOf({ model, input }: Pick<Network, "model" | "input">): Blocks {
  const before = known.get(model);
  if (before !== undefined) return before;
  const paths: BlockPath[] = [];
  let [width, places] = [0, 0];
  tf.tidy(() => {
    const { mode } = tape(false, null, model.statistics(input), {
      attended(path, key, value) {
        paths.push(path.join("/"));
        [, places, width] = key.shape as [number, number, number];
        return [key, value];
      },
    });
    model.apply(model.init(random(0), input), tf.zeros([1, ...input]), mode);
  });
  const found = { paths, width, places };
  known.set(model, found);
  return found;
}
