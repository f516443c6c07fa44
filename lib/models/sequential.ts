/** Layers in a row as a model. */
import type { Json, Kind, Shape } from "../data/dataset.ts";
import { disposeTree, type Rng, random, type tf } from "../engine/index.ts";
import { label } from "./composite.ts";
import type { Layer } from "./layer.ts";
import {
  countParameters,
  type LayerRow,
  type Mode,
  type Model,
  type ModelParts,
  type ModelSpec,
  type Params,
  type Remembered,
} from "./model.ts";
import { located } from "./parts/located.ts";
import { makeModel } from "./verbs.ts";

/** A model of layers in a row, under a name of its own. `names` are those of the layers' tensors in its tree. */
export function sequential<K extends Kind>(
  name: string,
  options: Json | undefined,
  stack: readonly Layer[],
  names: readonly string[] = stack.map((layer, i) => `${i + 1}-${layer.name}`),
): Model<K> {
  /** Visits each layer with the shape that comes to it and what is remembered there; gives the shape at the end. */
  function through(
    input: Shape,
    remembered: Remembered<Shape> | undefined,
    visit?: (i: number, shape: Shape, remembered: Remembered<Shape>, after: Shape) => void,
  ): Shape {
    const own = remembered ?? new Map<string, Shape>();
    return stack.reduce<Shape>((shape, layer, i) => {
      const before = new Map(own);
      try {
        const after = layer.shape(shape, own);
        visit?.(i, shape, before, after);
        return after;
      } catch (error) {
        const at = located(
          `layer ${i + 1}${(layer.parts ?? []).length === 0 ? "" : ` (${layer.name})`}`,
          error as Error,
        );
        throw remembered === undefined ? located(name, at) : at;
      }
    }, input);
  }
  function each(
    input: Shape,
    remembered: Remembered<Shape> | undefined,
    make: (layer: Layer, input: Shape, name: string, remembered: Remembered<Shape>) => Params,
  ): Params {
    const all: [string, Params][] = [];
    through(input, remembered && new Map(remembered)); // throws before anything is made
    through(input, remembered, (i, shape, seen) => {
      const made = make(stack[i]!, shape, names[i]!, seen);
      if (Object.keys(made).length > 0) all.push([names[i]!, made]);
    });
    return Object.fromEntries(all);
  }
  const spec: ModelSpec = options === undefined ? { name, layers: stack.map(layerSpec) } : { name, options };
  const text = `${name}: ${chainText(stack)}`;
  const model: ModelParts<K> = {
    spec,
    stack,
    names,
    accepts: accepted(stack) as readonly K[],
    features: (input, remembered) => through(input, remembered),
    init: (rng: Rng, input, remembered) =>
      each(input, remembered, (layer, shape, at, seen) => layer.init?.(rng.at(at), shape, seen) ?? {}),
    statistics: (input, remembered) =>
      each(input, remembered, (layer, shape, _, seen) => layer.statistics?.(shape, seen) ?? {}),
    apply(params: Params, x: tf.Tensor, mode: Mode, remembered = new Map()): tf.Tensor {
      return stack.reduce((now, layer, i) => {
        const [own, inner] = [(params[names[i]!] ?? {}) as Params, mode.at(names[i]!)];
        const { piece } = inner;
        return inner.around(
          now,
          (given) =>
            piece === undefined || layer.recurs === undefined
              ? layer.apply(given, own, inner, remembered)
              : piece.carry(layer, given, own, inner, remembered),
          { layer, params: own, mode: inner, remembered },
        );
      }, x);
    },
    counterpart: (x, at, params, statistics, remembered = new Map()) =>
      stack.reduce((now, layer, i) => {
        const own = names[i]!;
        if (layer.counterpart === undefined)
          throw new TypeError(
            `layersModel: layers that tf.layers has too are required, got ${layer.name} as ${at === "" ? `layer ${i + 1} of ${name}` : at + own}; save the network as ONNX`,
          );
        const [inner, running] = [params, statistics].map((tree) => (tree[own] ?? {}) as Params);
        return layer.counterpart(now, at + own, inner!, running!, remembered);
      }, x),
    summary(input, remembered): LayerRow[] {
      const rows: LayerRow[] = [];
      through(input, remembered, (i, shape, seen, output) => {
        const layer = stack[i]!;
        // under a name of its own a layer is told by that
        const own = names[i] === `${i + 1}-${layer.name}` ? undefined : names[i]!;
        if (layer.rows === undefined) {
          const text = own === undefined ? describe(layer) : `${own}: ${describe(layer)}`;
          rows.push({ layer: text, output, parameters: countNew(layer, shape, seen), path: [names[i]!] });
          return;
        }
        const inner = layer.rows(shape, seen).map((row) => ({
          ...row,
          layer: own === undefined ? row.layer : row.layer.replace(layer.name, own),
          ...(row.path && { path: [names[i]!, ...row.path] }),
        }));
        rows.push(...(own !== undefined && layer.name === "through" ? inner.slice(0, -1) : inner));
      });
      return rows;
    },
    kindOf: ([first, ...rest]) => stack[names.indexOf(first!)]?.kindOf?.(rest),
    toJSON: () => spec,
  };
  return makeModel(
    Object.assign(model, {
      [Symbol.for("nodejs.util.inspect.custom")]: () => text,
    }),
  );
}

function layerSpec({ name, options, parts = [] }: Layer): ModelSpec {
  const said = parts.filter(({ made }) => made !== true);
  return { name, options, ...(said.length > 0 && { layers: said.map(({ model }) => model.spec) }) };
}

function accepted(stack: readonly Layer[]): readonly Kind[] {
  let kinds: readonly Kind[] = ["image", "vector", "sequence"];
  for (const layer of stack) {
    kinds = kinds.filter((kind) => layer.accepts.includes(kind));
    if (layer.gives !== "same") break;
  }
  return kinds;
}

/** Counts a layer's parameters by making them once and freeing them again. */
function countNew(layer: Layer, input: Shape, remembered: Remembered<Shape>): number {
  if (layer.init === undefined) return 0;
  const made = layer.init(random(0), input, remembered);
  const count = countParameters(made);
  disposeTree(made);
  return count;
}

/** A chain in one line: `conv(8, 3) → residual[conv(8, 3) → relu]`. */
function chainText(stack: readonly Layer[]): string {
  return stack.map(describe).join(" → ") || "the input as it is";
}

function describe(layer: Layer): string {
  if (layer.parts !== undefined) {
    const inner = layer.parts.map(({ model }) =>
      model.stack === undefined ? model.spec.name : chainText(model.stack),
    );
    return `${label(layer)}${inner.length === 0 ? "" : `[${inner.join(" | ")}]`}`;
  }
  const { options } = layer;
  const parts =
    options === null || typeof options !== "object" ? [] : Object.values(options).filter((v) => typeof v === "number");
  return parts.length === 0 ? layer.name : `${layer.name}(${parts.join(", ")})`;
}
