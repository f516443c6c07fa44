/** A model with an adapter on some of its layers. */
import { type Kind, type Shape, sizeOf } from "../../data/dataset.ts";
import { disposeTree, leaves, paths, random, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Adapter, Site } from "../adapters/adapter.ts";
import { selected, selects } from "../filter.ts";
import { type LayerRow, type Mode, type ModelParts, type Params, tape } from "../model.ts";
import { adaptersNode, kindOf, type Parameter } from "../parameters.ts";

/** The parts of a model with an adapter; `name` is where the adapter's tensors lie under a layer's: `2-dense/adapters/lora/down`. */
export function adapted<K extends Kind>(model: ModelParts<K>, adapter: Adapter, name: string): ModelParts<K> {
  /** The model's new tensors with those that the adapter makes for each layer. */
  const init: ModelParts["init"] = (rng, input, remembered) => {
    const base = model.init(rng, input, remembered);
    try {
      return sitesOf(model, adapter, base, input).reduce((tree, site) => {
        const own = scoped(() => adapter.init(rng.at(adaptersNode, name, site.path), site));
        return Object.keys(own).length === 0 ? tree : withOwn(tree, site.path.split("/"), name, own);
      }, base);
    } catch (error) {
      disposeTree(base);
      throw error;
    }
  };
  const all = [...(model.adapters ?? []), { name, adapter }];
  const weights = adapter.merge ?? adapter.weights;
  const fold = (params: Params): Params => {
    if (weights === undefined || adapter.around !== undefined)
      throw new TypeError(
        `merged: adapters that can be merged into weights are required, got ${adapter.spec.name}; it stays beside the layers`,
      );
    return folded(params, name, weights);
  };
  return {
    ...model,
    init,
    adapters: all,
    apply(params, x, mode, remembered) {
      const own = all.some((each) => each.adapter.weights !== undefined) ? weighed(params, all) : params;
      return model.apply(own, x, adapting(mode, own, adapter, name), remembered);
    },
    ...(model.counterpart !== undefined && {
      counterpart: (x, at, params, statistics, remembered) => {
        const held = scoped(() => fold(params));
        try {
          return model.counterpart!(x, at, held, statistics, remembered);
        } finally {
          const still = new Set(leaves(params as Tree));
          disposeTree(leaves(held as Tree).filter((leaf) => !still.has(leaf)));
        }
      },
    }),
    summary(input, remembered) {
      const rows = model.summary(input, remembered);
      return [...rows, ...rowsOf(init, input, name, rows)];
    },
    // those that were there before come first, as they do when examples pass
    unadapted(params) {
      const inner = model.unadapted?.(params) ?? { model, params };
      return { model: inner.model, params: fold(inner.params) };
    },
  };
}

/** The layers that an adapter is put on, in the order in which examples pass through them. */
function sitesOf(model: ModelParts, adapter: Adapter, base: Params, input: Shape): readonly Site[] {
  const found = new Map<string, Site>();
  const at = (path: string): Params => {
    const names = path.split("/");
    return names.reduce<Params>((node, name) => (node[name] ?? {}) as Params, base);
  };
  const note = (path: string, x: tf.Tensor, y: tf.Tensor): void => {
    if (!found.has(path)) found.set(path, { path, input: x.shape, output: y.shape, layer: at(path) });
  };
  const around = adapter.around !== undefined;
  scoped(() => {
    const { mode } = tape(false, null, model.statistics(input), (path, x, y) => {
      if (!around) note(path.slice(1).join("/"), x, y);
      return y;
    });
    model.apply(base, tf.zeros([1, ...input]), around ? noting(mode, "", note) : mode);
    return [];
  });
  const all = [...found.values()].filter(({ path }) => path !== "");
  const where = `adapt: ${adapter.spec.name}`;
  if (around) {
    const layers = all.map(({ path }): Parameter => ({ path, kind: "weight", shape: [] }));
    const chosen = selected(where, adapter.on, layers).map(({ path }) => path);
    const inside = (path: string): boolean => chosen.some((other) => path.startsWith(`${other}/`));
    return all.filter(({ path }) => chosen.includes(path) && !inside(path));
  }
  const owned = all.map((site) => [site, ownOf(model, site)] as const);
  selected(
    where,
    adapter.on,
    owned.flatMap(([, own]) => own),
  );
  return owned.filter(([, own]) => own.some((one) => selects(adapter.on, one))).map(([site]) => site);
}

/** The parameters of one layer that are not an adapter's. */
function ownOf(model: ModelParts, { path, layer }: Site): readonly Parameter[] {
  return paths(layer as Tree)
    .filter(([name]) => !name.includes("/"))
    .map(([name, { shape }]) => ({ path: `${path}/${name}`, kind: kindOf(model, `${path}/${name}`), shape }));
}

/** A mode that notes what comes into each layer of a chain and what goes out. */
function noting(mode: Mode, path: string, note: (path: string, x: tf.Tensor, y: tf.Tensor) => void): Mode {
  return {
    ...mode,
    around(x, run) {
      const y = mode.around(x, run);
      note(path, x, y);
      return y;
    },
    at: (part) => noting(mode.at(part), path === "" ? part : `${path}/${part}`, note),
  };
}

/** A mode in which the layers that have an adapter give what it makes of their outputs. */
function adapting(mode: Mode, node: Params, adapter: Adapter, name: string): Mode {
  const own = (node[adaptersNode] as Params | undefined)?.[name] as Params | undefined;
  const { output, around } = adapter;
  return {
    ...mode,
    isTapped: mode.isTapped || (output !== undefined && has(node, name)),
    tapped: (input, given, rows) =>
      mode.tapped(input, own === undefined || output === undefined ? given : output(own, input, given, mode), rows),
    around: (x, run) =>
      mode.around(x, own === undefined || around === undefined ? run : (now) => around(own, now, run)),
    at: (part) => adapting(mode.at(part), (node[part] ?? {}) as Params, adapter, name),
  };
}

/** Whether an adapter is on a layer, or on one below. */
function has(node: Params, name: string): boolean {
  return Object.entries(node).some(
    ([key, child]) => !("dataId" in child) && ((key === adaptersNode && name in child) || has(child as Params, name)),
  );
}

/** A tree in which each layer that has the adapter has other tensors, and no longer the adapter. */
function folded(tree: Params, name: string, change: (own: Params, layer: Params) => Params): Params {
  return atLayers(tree, (layer, own) => {
    const { [name]: mine, ...others } = own;
    return mine === undefined ? { layer, own } : { layer: change(mine as Params, layer), own: others };
  });
}

/** A tree in which adapters that change a layer's tensors have changed them, those before them merged first, and are no longer there. */
function weighed(tree: Params, all: NonNullable<ModelParts["adapters"]>): Params {
  return atLayers(tree, (first, given) => {
    let [layer, own] = [first, given];
    for (const [i, { name, adapter }] of all.entries()) {
      const mine = own[name] as Params | undefined;
      if (mine === undefined || adapter.weights === undefined || adapter.weights(mine, layer) === layer) continue;
      for (const before of all.slice(0, i)) {
        const { [before.name]: other, ...rest } = own;
        const merge = before.adapter.merge ?? before.adapter.weights;
        if (other === undefined || before.adapter.around !== undefined) continue;
        if (merge === undefined)
          throw new TypeError(
            `adapt: ${name} before ${before.name} on a layer is required, got it after; it changes the layer's weights, put it on first`,
          );
        [layer, own] = [merge(other as Params, layer), rest];
      }
      const { [name]: _, ...rest } = own;
      [layer, own] = [adapter.weights(mine, layer), rest];
    }
    return { layer, own };
  });
}

/** A tree changed at each layer that has adapters: its own tensors, and those of its adapters by name. */
function atLayers(
  tree: Params,
  change: (layer: Params, own: Params) => { readonly layer: Params; readonly own: Params },
): Params {
  const inner = Object.fromEntries(
    Object.entries(tree).map(([key, child]) => [
      key,
      "dataId" in child || key === adaptersNode ? child : atLayers(child as Params, change),
    ]),
  );
  const { [adaptersNode]: had, ...rest } = inner as { readonly [key: string]: Params };
  if (had === undefined) return inner;
  const { layer, own } = change(rest, had);
  return { ...layer, ...(Object.keys(own).length > 0 && { [adaptersNode]: own }) };
}

/** A tree with an adapter's tensors under one layer's. */
function withOwn(node: Params, [first, ...rest]: readonly string[], name: string, own: Params): Params {
  if (first === undefined) {
    const others = (node[adaptersNode] ?? {}) as Params;
    return { ...node, [adaptersNode]: { ...others, [name]: own } };
  }
  return { ...node, [first]: withOwn((node[first] ?? {}) as Params, rest, name, own) };
}

/** A row for each layer that has the adapter, with the output of the layer's own row, or of the row that it is part of. */
function rowsOf(init: ModelParts["init"], input: Shape, name: string, rows: readonly LayerRow[]): LayerRow[] {
  const outputOf = (layer: string): Shape => {
    const fits = ({ path }: LayerRow): boolean => path !== undefined && `${layer}/`.startsWith(`${path.join("/")}/`);
    return rows.filter(fits).at(-1)?.output ?? [];
  };
  return scoped(() => {
    const counts = new Map<string, number>();
    const under = `/${adaptersNode}/${name}/`;
    for (const [path, { shape }] of paths(init(random(0), input) as Tree)) {
      if (!path.includes(under)) continue;
      const layer = path.slice(0, path.indexOf(under));
      counts.set(layer, (counts.get(layer) ?? 0) + sizeOf(shape));
    }
    return [...counts].map(([layer, parameters]) => ({
      layer: `${name} on ${layer}`,
      output: outputOf(layer),
      parameters,
    })) as never;
  }) as unknown as LayerRow[];
}
