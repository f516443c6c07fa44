/** Where the units of each inner layer are among those of all, one layer after the other. */

import { type Elastic, elasticOf } from "../../models/parts/elastic.ts";
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
  const known = new WeakMap<object, Sites>();
  return ({ model, input }) => {
    const found = known.get(model) ?? placed(elasticOf(where, model, input));
    known.set(model, found);
    return found;
  };
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
