/** Layers that use their running statistics as they are, in training too. */
import type { Kind } from "../../data/dataset.ts";
import { paths, type Tree } from "../../engine/index.ts";
import { type Filter, selects } from "../filter.ts";
import type { Mode, ModelParts } from "../model.ts";
import { kindOf } from "../parameters.ts";

/** A model whose layers with parameters that a filter selects are always in evaluation mode. */
export function stillAt<K extends Kind>(model: ModelParts<K>, filter: Filter): ModelParts<K> {
  return {
    ...model,
    apply(params, x, mode, remembered) {
      const layers = paths(params as Tree)
        .filter(([path, { shape }]) => selects(filter, { path, kind: kindOf(model, path), shape }))
        .map(([path]) => path.slice(0, path.lastIndexOf("/")));
      return model.apply(params, x, still(mode, "", new Set(layers)), remembered);
    },
  };
}

function still(mode: Mode, path: string, layers: ReadonlySet<string>): Mode {
  const here = layers.has(path);
  return {
    ...mode,
    training: mode.training && !here,
    rng: here ? null : mode.rng,
    share: here ? undefined : mode.share,
    write: here ? () => {} : mode.write,
    at: (part) => still(mode.at(part), path === "" ? part : `${path}/${part}`, layers),
  };
}
