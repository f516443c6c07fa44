/** What a network that ends with the mean over all places says at each of them. */
import { type Examples, gather } from "../../data/dataset.ts";
import { jit, type Tree, tf } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";

/** Logits at each place of each example, `[n, rows, columns, classes]`. */
export interface LabelMaps {
  readonly rows: number;
  readonly columns: number;
  readonly classes: number;
  readonly logits: Float32Array;
}

/** What is read of a network. A type, not an interface, so that it is a tree of tensors. */
export type Reader = { readonly weights: Weights; readonly statistics: Params };

const atOnce = 256;

/**
 * The logits of each place of some images, whose mean over the places is the network's own; examples that are no images have one place.
 *
 * Throws where images are given to a network whose model does not end with `globalPool()`.
 */
export function labelMaps(where: string, network: Network, reader: Reader, examples: Examples): LabelMaps {
  const { stack, names, spec } = network.model;
  const [last, images] = [stack?.at(-1), examples.shape.length === 3];
  const means = last?.name === "globalPool" && (last.options as { keep?: string }).keep === "mean";
  if (images && !means)
    throw new TypeError(
      `${where}: a network that ends with globalPool() is required, as its places have labels of their own, got ${spec.name}; end its model with globalPool()`,
    );
  const read = jit(
    ({ weights, statistics }: Reader, x: tf.Tensor) => {
      let places: tf.Tensor | undefined;
      const { mode } = tape(false, null, statistics, {
        around(path, given, run) {
          if (images && path.length === 2 && path[1] === names!.at(-1)) places = given;
          return run(given);
        },
      });
      const features = network.features(weights, x, mode);
      if (places === undefined) return tf.reshape(network.logits(weights, features), [x.shape[0]!, 1, 1, -1]);
      const [n, rows, columns, width] = places.shape as [number, number, number, number];
      const logits = network.logits(weights, tf.reshape(places, [n * rows * columns, width]));
      return tf.reshape(logits, [n, rows, columns, -1]);
    },
    { name: "label maps" },
  );
  const parts: Float32Array[] = [];
  let shape: number[] = [];
  for (let from = 0; from < examples.length; from += atOnce) {
    const count = Math.min(atOnce, examples.length - from);
    const at = Uint32Array.from({ length: count }, (_, i) => from + i);
    const x = tf.tensor(gather(examples, at), [count, ...examples.shape]);
    const said = read(reader as unknown as Tree as Reader, x);
    shape = said.shape;
    parts.push(said.dataSync().slice() as Float32Array);
    said.dispose();
    x.dispose();
  }
  const logits = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    logits.set(part, at);
    at += part.length;
  }
  const [, rows = 1, columns = 1, classes = 0] = shape;
  return { rows, columns, classes, logits };
}
