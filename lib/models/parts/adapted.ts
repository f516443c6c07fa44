/** A model with an adapter on some of its layers. */
import { type Kind, type Shape, sizeOf } from "../../data/dataset.ts";
import { disposeTree, leaves, paths, random, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Adapter, Site } from "../adapters/adapter.ts";
import { selected, selects } from "../filter.ts";
import { type LayerRow, type Mode, type ModelParts, type Params, type Remembered, tape } from "../model.ts";
import { adaptersNode, kindOf, type Parameter } from "../parameters.ts";

/** The parts of a model with an adapter; `name` is where the adapter's tensors lie under a layer's: `2-dense/adapters/lora/down`. */
export function adapted<K extends Kind>(model: ModelParts<K>, adapter: Adapter, name: string): ModelParts<K> {
  /** The model's new tensors with those that the adapter makes for each layer. */
  const init: ModelParts["init"] = (rng, input, remembered) => {
    const base = model.init(rng, input, remembered);
    try {
      const sites = sitesOf(model, adapter, base, input);
      const all = adapter.shared && scoped(() => adapter.shared!(rng.at(adaptersNode, name), sites));
      const begun = all === undefined ? base : withOwn(base, [], name, all);
      return sites.reduce((tree, site) => {
        const own = scoped(() => adapter.init(rng.at(adaptersNode, name, site.path), site));
        return Object.keys(own).length === 0 ? tree : withOwn(tree, site.path.split("/"), name, own);
      }, begun);
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
      const at: Adapting = { adapter, name, shared: ownAt(params, name), memory: new Map() };
      return model.apply(own, x, adapting(mode, own, at, ""), remembered);
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

/** A layer that an adapter may be put on. */
type Found = Omit<Site, "place" | "places">;

/** The layers that an adapter is put on, in the order in which examples pass through them. */
function sitesOf(model: ModelParts, adapter: Adapter, base: Params, input: Shape): readonly Site[] {
  const found = new Map<string, Found>();
  const at = (path: string): Params => {
    const names = path.split("/");
    return names.reduce<Params>((node, name) => (node[name] ?? {}) as Params, base);
  };
  const note = (path: string, x: tf.Tensor, y: tf.Tensor): void => {
    if (!found.has(path)) found.set(path, { path, input: x.shape, output: y.shape, layer: at(path) });
  };
  const around = adapter.around !== undefined;
  const unseen = !around && (adapter.output ?? adapter.input ?? adapter.join) === undefined;
  scoped(() => {
    const { mode } = tape(false, null, model.statistics(input), (path, x, y) => {
      if (!around) note(path.slice(1).join("/"), x, y);
      return y;
    });
    model.apply(base, tf.zeros([1, ...input]), around ? noting(mode, "", note) : mode);
    return [];
  });
  const all = [...found.values(), ...(unseen ? layersIn(base).filter(({ path }) => !found.has(path)) : [])].filter(
    ({ path }) => path !== "",
  );
  const where = `adapt: ${adapter.spec.name}`;
  if (around) {
    const layers = all.map(({ path }): Parameter => ({ path, kind: "weight", shape: [] }));
    const chosen = selected(where, adapter.on, layers).map(({ path }) => path);
    const inside = (path: string): boolean => chosen.some((other) => path.startsWith(`${other}/`));
    return inOrder(all.filter(({ path }) => chosen.includes(path) && !inside(path)));
  }
  const owned = all.map((site) => [site, ownOf(model, site)] as const);
  selected(
    where,
    adapter.on,
    owned.flatMap(([, own]) => own),
  );
  return inOrder(owned.filter(([, own]) => own.some((one) => selects(adapter.on, one))).map(([site]) => site));
}

/** Layers as they stand in a tree, without the shapes of what passes through them. */
function layersIn(tree: Params, path = ""): Found[] {
  const inner = Object.entries(tree).filter(([key, child]) => !("dataId" in child) && key !== adaptersNode);
  const below = inner.flatMap(([key, child]) => layersIn(child as Params, path === "" ? key : `${path}/${key}`));
  const own = Object.values(tree).some((child) => "dataId" in child);
  return own ? [{ path, input: [], output: [], layer: tree }, ...below] : below;
}

const inOrder = (sites: readonly Found[]): Site[] =>
  sites.map((site, place) => ({ ...site, place, places: sites.length }));

/** The parameters of one layer that are not an adapter's. */
function ownOf(model: ModelParts, { path, layer }: Found): readonly Parameter[] {
  return paths(layer as Tree)
    .filter(([name]) => !name.includes("/"))
    .map(([name, { shape }]) => ({ path: `${path}/${name}`, kind: kindOf(model, `${path}/${name}`), shape }));
}

/** A mode that notes what comes into each layer of a chain and what goes out. */
function noting(mode: Mode, path: string, note: (path: string, x: tf.Tensor, y: tf.Tensor) => void): Mode {
  return {
    ...mode,
    around(x, run, at) {
      const y = mode.around(x, run, at);
      note(path, x, y);
      return y;
    },
    at: (part) => noting(mode.at(part), path === "" ? part : `${path}/${part}`, note),
  };
}

/** An adapter under way: its name in the tree, the tensors that its layers share, what it remembers of the pass. */
interface Adapting {
  readonly adapter: Adapter;
  readonly name: string;
  readonly shared: Params | undefined;
  readonly memory: Remembered<tf.Tensor>;
}

/** A mode in which the layers that have an adapter give what it makes of their outputs. `path` is "" at the root and null within a layer that it is around. */
function adapting(mode: Mode, node: Params, at: Adapting, path: string | null): Mode {
  const { adapter, name, shared, memory } = at;
  const { input: entering, output, around } = adapter;
  const mine = path === "" ? undefined : ownAt(node, name);
  const own = mine && { ...shared, ...mine };
  const isRound = around !== undefined && path !== "" && path !== null;
  const passed = isRound ? (own ?? (shared && chosen(adapter, path) ? shared : undefined)) : undefined;
  return {
    ...mode,
    isTapped: mode.isTapped || ((output ?? entering) !== undefined && has(node, name)),
    into: (x) => mode.into(own === undefined || entering === undefined ? x : entering(own, x)),
    tapped: (input, given, rows) =>
      mode.tapped(
        input,
        own === undefined || output === undefined ? given : output(own, input, given, mode, memory),
        rows,
      ),
    attended(key, value) {
      const joined = (part: string, sequence: tf.Tensor): tf.Tensor => {
        const there = ownAt((node[part] ?? {}) as Params, name);
        return there === undefined ? sequence : adapter.join!({ ...shared, ...there }, sequence);
      };
      return adapter.join === undefined
        ? mode.attended(key, value)
        : mode.attended(joined("key", key), joined("value", value));
    },
    around: (x, run, at) =>
      mode.around(x, passed === undefined ? run : (now) => around!(passed, now, run, memory, at), at),
    at: (part) => {
      const inner = passed !== undefined || path === null ? null : path === "" ? part : `${path}/${part}`;
      return adapting(mode.at(part), (node[part] ?? {}) as Params, at, inner);
    },
  };
}

const chosen = ({ on }: Adapter, path: string): boolean => selects(on, { path, kind: "weight", shape: [] });

/** The tensors of an adapter at a node of a tree. */
function ownAt(node: Params, name: string): Params | undefined {
  return (node[adaptersNode] as Params | undefined)?.[name] as Params | undefined;
}

/** Whether an adapter is on a layer, or on one below. */
function has(node: Params, name: string): boolean {
  return Object.entries(node).some(
    ([key, child]) => !("dataId" in child) && ((key === adaptersNode && name in child) || has(child as Params, name)),
  );
}

/** A tree in which each layer that has the adapter has other tensors, and no longer the adapter. */
function folded(tree: Params, name: string, change: (own: Params, layer: Params) => Params): Params {
  const all = atLayers(tree, (layer, own) => {
    const { [name]: mine, ...others } = own;
    return mine === undefined ? { layer, own } : { layer: change(mine as Params, layer), own: others };
  });
  const { [adaptersNode]: shared, ...rest } = all;
  const { [name]: _, ...others } = (shared ?? {}) as Params;
  return { ...rest, ...(Object.keys(others).length > 0 && { [adaptersNode]: others }) };
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

/** A tree changed at each layer that has adapters: its own tensors, and those of its adapters by name, with those that layers share. */
function atLayers(
  tree: Params,
  change: (layer: Params, own: Params) => { readonly layer: Params; readonly own: Params },
): Params {
  const shared = (tree[adaptersNode] ?? {}) as { readonly [name: string]: Params };
  const inside = (node: Params, path: string): Params => {
    const inner = Object.fromEntries(
      Object.entries(node).map(([key, child]) => [
        key,
        "dataId" in child || key === adaptersNode ? child : inside(child as Params, `${path}/${key}`),
      ]),
    );
    const { [adaptersNode]: had, ...rest } = inner as { readonly [key: string]: Params };
    if (had === undefined || path === "") return inner;
    const given = Object.entries(had).map(([name, own]) => [name, { ...shared[name], ...(own as Params) }] as const);
    const { layer, own } = change(rest, Object.fromEntries(given));
    const left = Object.keys(own).map((name) => [name, had[name]!] as const);
    return { ...layer, ...(left.length > 0 && { [adaptersNode]: Object.fromEntries(left) }) };
  };
  return inside(tree, "");
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
      if (!`/${path}`.includes(under)) continue;
      const layer = path.slice(0, Math.max(0, path.indexOf(under)));
      counts.set(layer, (counts.get(layer) ?? 0) + sizeOf(shape));
    }
    return [...counts].map(([layer, parameters]) => ({
      layer: layer === "" ? `${name}, shared` : `${name} on ${layer}`,
      output: layer === "" ? [] : outputOf(layer),
      parameters,
    })) as never;
  }) as unknown as LayerRow[];
}
