/** A pass through a part of a network: units and blocks that it does not have are multiplied by 0. */
import { tf } from "../../engine/index.ts";
import type { Within } from "../model.ts";
import type { Elastic } from "./elastic.ts";

/** *Traced.* What is done within layers for the part with this mask `[units of all sites]` and these gates `[blocks]`. */
export function withinPart({ sites, blocks }: Elastic, mask: tf.Tensor, gates: tf.Tensor): Within {
  let from = 0;
  const own = new Map(
    sites.map(({ path, units }) => {
      const place = [path, [from, units]] as const;
      from += units;
      return place;
    }),
  );
  return {
    tap(path, _input, output) {
      const at = own.get(path.join("/"));
      return at === undefined ? output : tf.mul(output, tf.slice(mask, [at[0]], [at[1]]));
    },
    around(path, x, run) {
      const i = blocks.indexOf(path.join("/"));
      if (i < 0) return run(x);
      return tf.add(x, tf.mul(tf.reshape(tf.slice(gates, [i], [1]), []), tf.sub(run(x), x)));
    },
  };
}
