/** Where the units of each inner layer are among those of all, one layer after the other. */
import { tf } from "../../engine/index.ts";
import { type Elastic, elasticOf } from "../../models/parts/elastic.ts";
import { perModel } from "../../models/parts/per-model.ts";
import type { Context } from "../strategy.ts";

/** A layer's number, where its units begin, and how many there are. */
export interface SitePlace {
  readonly i: number;
  readonly from: number;
  readonly units: number;
}

/** The layers of a model whose units can be left out, by their paths. Throws where there are none. */
export interface Sites {
  readonly places: ReadonlyMap<string, SitePlace>;
  readonly units: number;
}

/** Finds them, once for each model. */
export function sitesFor(where: string): (network: Context["network"]) => Sites {
  return perModel(({ model, input }) => placed(elasticOf(where, model, input)));
}

function placed({ sites }: Elastic): Sites {
  let from = 0;
  const places = sites.map(({ path, units }, i) => {
    const own = [path, { i, from, units }] as const;
    from += units;
    return own;
  });
  return { places: new Map(places), units: from };
}

/** Which units stay, once that is decided. */
export interface Decision {
  /** For the units of all layers one after the other: 1 where they stay; `done` is 1 once that is decided. */
  readonly tensors: { readonly mask: tf.Tensor; readonly done: tf.Tensor };
  readonly notes?: readonly string[];
}

/** Before it is decided. */
export function undecided({ units }: Sites): Decision {
  return { tensors: { mask: tf.ones([units]), done: tf.scalar(0) } };
}

/** *Traced.* What the units of a layer count: what they do now until it is decided, and then what was decided. */
export function countingNow(
  now: tf.Tensor,
  { mask, done }: Decision["tensors"],
  { from, units }: Pick<SitePlace, "from" | "units">,
): tf.Tensor {
  return tf.add(tf.mul(now, tf.sub(1, done)), tf.mul(tf.slice(mask, [from], [units]), done));
}
