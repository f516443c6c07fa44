/** Models said layer by layer. Every file in `layers/` is a method here. */
import type { Json, Kind, Shape } from "../data/dataset.ts";
import { disposeTree, type Rng, random, type tf } from "../engine/index.ts";
import type { Why } from "../streams/stream.ts";
import type { Layer, LayerFactory } from "./layer.ts";
import * as layers from "./layers/index.ts";
import {
  countParameters,
  type LayerRow,
  type Mode,
  type Model,
  type ModelParts,
  type ModelSpec,
  type Params,
} from "./model.ts";
import { makeModel, modelVerbs } from "./verbs.ts";

type Layers = typeof layers;

type Method<L, In extends Kind, Now extends Kind> =
  L extends LayerFactory<infer Args, infer Accepts, infer Gives, infer Same>
    ? [Now & Accepts] extends [never]
      ? Why<`this layer takes ${Accepts} input, and at this point of the net there is ${Now} output; ${Accepts extends "image" ? "put it before flatten()" : "call flatten() first"}`>
      : (...args: Args) => Net<Narrowed<In, Now, Accepts>, Same extends true ? Now & Accepts : Gives>
    : never;

/** While nothing has changed the kind, what a layer accepts is what the whole net accepts. */
type Narrowed<In extends Kind, Now extends Kind, Accepts extends Kind> = [In] extends [Now]
  ? [Now] extends [In]
    ? In & Accepts
    : In
  : In;

/** A model made of layers in a row. `In` is what it accepts, `Now` what its last layer gives. */
export type Net<In extends Kind = Kind, Now extends Kind = Kind> = Model<In> & {
  readonly [K in keyof Layers]: Method<Layers[K], In, Now>;
};

/**
 * Begins a model that is said layer by layer; every method gives a new, longer one.
 *
 * The input shape comes from the stream; the head is added by its scenario.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const model = net().conv(32, 3).relu().pool(2).flatten().dense(128).relu();
 * model.features([28, 28, 1]); // [128]
 * ```
 */
export function net(): Net {
  return grow([]) as Net;
}

function grow(stack: readonly Layer[]): Model {
  const model = sequential("net", undefined, stack);
  const methods = Object.fromEntries(
    Object.entries(layers).map(([name, make]) => [
      name,
      (...args: never[]) => grow([...stack, (make as unknown as (...args: never[]) => Layer)(...args)]),
    ]),
  );
  return Object.freeze(Object.assign(Object.create(Object.assign(methods, modelVerbs)), model));
}

/** A model of layers in a row, under a name of its own. */
export function sequential<K extends Kind>(name: string, options: Json | undefined, stack: readonly Layer[]): Model<K> {
  const names = stack.map((layer, i) => `${i + 1}-${layer.name}`);
  const shapes = (input: Shape): Shape[] => {
    const all = [input];
    stack.forEach((layer, i) => {
      try {
        all.push(layer.shape(all[i]!));
      } catch (error) {
        throw new RangeError(`${name}, layer ${i + 1}: ${(error as Error).message}`);
      }
    });
    return all;
  };
  const each = (input: Shape, make: (layer: Layer, input: Shape, name: string) => Params): Params => {
    const through = shapes(input);
    return Object.fromEntries(
      stack
        .map((layer, i) => [names[i]!, make(layer, through[i]!, names[i]!)] as const)
        .filter(([, made]) => Object.keys(made).length > 0),
    );
  };
  const init = (rng: Rng, input: Shape): Params =>
    each(input, (layer, shape, at) => layer.init?.(rng.at(at), shape) ?? {});
  const spec: ModelSpec =
    options === undefined
      ? { name, layers: stack.map((layer) => ({ name: layer.name, options: layer.options })) }
      : { name, options };
  const text = `${name}: ${stack.map(describe).join(" → ") || "the input as it is"}`;
  const model: ModelParts<K> = {
    spec,
    accepts: accepted(stack) as readonly K[],
    features: (input) => shapes(input).at(-1)!,
    init,
    statistics: (input) => each(input, (layer, shape) => layer.statistics?.(shape) ?? {}),
    apply(params: Params, x: tf.Tensor, mode: Mode): tf.Tensor {
      return stack.reduce(
        (now, layer, i) => layer.apply(now, (params[names[i]!] ?? {}) as Params, mode.at(names[i]!)),
        x,
      );
    },
    counterpart: (x, at, params, statistics) =>
      stack.reduce((now, layer, i) => {
        const own = names[i]!;
        if (layer.counterpart === undefined)
          throw new TypeError(
            `layersModel: layers that tf.layers has too are required, got ${layer.name} as layer ${i + 1} of ${name}; save the network as ONNX`,
          );
        return layer.counterpart(now, at + own, (params[own] ?? {}) as Params, (statistics[own] ?? {}) as Params);
      }, x),
    summary(input): LayerRow[] {
      const through = shapes(input);
      return stack.map((layer, i) => {
        const made = shapeOnly(layer, through[i]!);
        return { layer: describe(layer), output: through[i + 1]!, parameters: made, path: [names[i]!] };
      });
    },
    kindOf: ([first, ...rest]) => stack[names.indexOf(first!)]?.kindOf?.(rest),
    toJSON: () => spec,
  };
  return makeModel(
    Object.assign(model, {
      [Symbol.for("Jupyter.display")]: () => ({ "text/plain": text }),
      [Symbol.for("nodejs.util.inspect.custom")]: () => text,
    }),
  );
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
function shapeOnly(layer: Layer, input: Shape): number {
  if (layer.init === undefined) return 0;
  const made = layer.init(random(0), input);
  const count = countParameters(made);
  disposeTree(made);
  return count;
}

function describe(layer: Layer): string {
  const { options } = layer;
  const parts =
    options === null || typeof options !== "object" ? [] : Object.values(options).filter((v) => typeof v === "number");
  return parts.length === 0 ? layer.name : `${layer.name}(${parts.join(", ")})`;
}
