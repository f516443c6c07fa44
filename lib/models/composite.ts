/** Layers that contain models. What passes between them is said once: for shapes, tensors, layers of `tf.layers` and pictures. */
import type { Json, Kind, Shape } from "../data/dataset.ts";
import { tf, tfLayers } from "../engine/index.ts";
import type { Layer, LayerFactory } from "./layer.ts";
import type { LayerRow, Mode, ModelParts, Params, Remembered } from "./model.ts";
import { located } from "./parts/located.ts";
import { addOrthogonal } from "./parts/orthogonal.ts";
import { sequential } from "./sequential.ts";

/** How several values become one: their sum, their product, or one beside the other along the last axis. */
export type Join = "add" | "multiply" | "concat";

/** How a change comes to what passes by: as a sum, or what of it is at right angles to that, for each vector or for each example as a whole. */
export type Adding = "add" | "orthogonal" | "orthogonal-whole";

/** A model inside of a layer. */
export interface Part {
  /** Where its tensors lie below those of the layer; "" if they lie there directly. */
  readonly name: string;
  readonly model: ModelParts;
  /** Whether the layer itself makes it, so that no record has it. */
  readonly made?: boolean;
  /** Whether the names of its taps are its own. Default: they are those of the model that the layer is in. */
  readonly apart?: boolean;
}

/** What a layer can do with a value that passes through it, be it a shape, a tensor, a layer of `tf.layers` or a place in a picture. */
export interface Ways<T> {
  /** The value after the part of that number; `time` tells apart the uses of a part that is used several times. */
  pass(part: number, x: T, time?: number): T;
  /** Several values as one; of those that are not merely added the first passes by. A vector is joined to an image or a sequence at each of its places, but not by "concat". */
  join(how: Join | Adding, values: readonly T[]): T;
  /** The numbers of a vector from a place on, in the given shape. */
  cut(x: T, from: number, shape: Shape): T;
  /** What was remembered before, by name. */
  readonly remembered: Remembered<T>;
}

/** What passes through a layer that contains models. */
export type Flow = <T>(x: T, ways: Ways<T>) => T;

/** What a layer that contains models is made of. */
export interface CompositeParts {
  readonly options: Json;
  readonly parts: readonly Part[];
  readonly flow: Flow;
  readonly accepts?: readonly Kind[];
  /** What it gives, where no part says that. */
  readonly gives?: Kind | "same";
  /** Throws when an input of that shape does not fit. */
  fits?(input: Shape): void;
  /** What it gives, where that is more than what passes between the models: `flow` says its shapes alone, and tf.layers has no such layer. */
  apply?(x: tf.Tensor, params: Params, mode: Mode): tf.Tensor;
}

/** A model, or layers that make one. */
export type Inner = ModelParts | readonly Layer[];

/** The model that is meant by a model or layers. */
export function innerModel(inner: Inner): ModelParts {
  return "apply" in inner ? inner : sequential("net", undefined, inner);
}

/**
 * Declares a layer that contains models: from what passes between them come its shapes, its tensors by name, its counterpart in `tf.layers`,
 * the rows of its summary and its picture. `again` gives its arguments for the options and the models of its record.
 *
 * @example
 * ```ts
 * import { composite, type Inner, innerModel, net } from "thalweg";
 * const twice = composite(
 *   "twice",
 *   (inner: Inner) => ({
 *     options: {},
 *     parts: [{ name: "", model: innerModel(inner) }],
 *     flow: (x, { pass }) => pass(0, pass(0, x, 0), 1),
 *   }),
 *   (_options, [inner]) => [inner!],
 * );
 * net.use({ twice })().twice(net().dense(4)).features([4]); // [4]
 * ```
 */
export function composite<Args extends readonly unknown[]>(
  name: string,
  build: (...args: Args) => CompositeParts,
  again: (options: Json, models: readonly ModelParts[]) => readonly [...Args],
): LayerFactory<Args, Kind, Kind, true> {
  const make = (...args: Args): Layer => {
    const given = build(...args);
    const { parts, flow } = given;
    const all: readonly Kind[] = ["image", "vector", "sequence"];
    const gather = (
      input: Shape,
      remembered: Remembered<Shape>,
      make: (part: Part, shape: Shape, remembered: Remembered<Shape> | undefined) => Params,
    ): Params => {
      const made: { [name: string]: tf.Tensor | Params } = {};
      flow(input, {
        ...shapeWays(name, parts, remembered),
        pass(i, shape, time = 0) {
          const part = parts[i]!;
          if (time === 0) {
            const tree = make(part, shape, part.apart ? undefined : new Map(remembered));
            if (part.name === "") Object.assign(made, tree);
            else if (Object.keys(tree).length > 0) made[part.name] = tree;
          }
          return shapeWays(name, parts, remembered).pass(i, shape, time);
        },
      });
      return made;
    };
    return Object.freeze<Layer>({
      name,
      options: given.options,
      accepts: given.accepts ?? all.filter((kind) => parts.every(({ model }) => model.accepts.includes(kind))),
      gives: given.gives ?? (parts.every(({ model }) => keepsKind(model)) ? "same" : "vector"),
      parts,
      flow,
      shape(input, remembered = new Map()) {
        given.fits?.(input);
        return flow(input, shapeWays(name, parts, remembered));
      },
      init: (rng, input, remembered = new Map()) =>
        gather(input, remembered, ({ name, model }, shape, seen) =>
          model.init(name === "" ? rng : rng.at(name), shape, seen),
        ),
      statistics: (input, remembered = new Map()) =>
        gather(input, remembered, ({ model }, shape, seen) => model.statistics(shape, seen)),
      apply: (x, params, mode, remembered = new Map()) =>
        given.apply?.(x, params, mode) ??
        flow<tf.Tensor>(x, {
          pass(i, now, time) {
            const { name, model, apart } = parts[i]!;
            const inner = name === "" ? mode : mode.at(name);
            const own = time === undefined ? inner : anew(inner, time);
            return model.apply(within(params, name), now, own, apart ? undefined : remembered);
          },
          join: joined,
          cut: (x, from, shape) =>
            tf.reshape(tf.slice(x, [0, from], [x.shape[0]!, shape.reduce((a, b) => a * b, 1)]), [
              x.shape[0]!,
              ...shape,
            ]),
          remembered,
        }),
      counterpart(x, at, params, statistics, remembered = new Map()) {
        if (given.apply !== undefined) throw noCounterpart(`${name} in ${at}`);
        return flow<tfLayers.SymbolicTensor>(x, {
          pass(i, now, time) {
            const { name: own, model, apart } = parts[i]!;
            if (model.counterpart === undefined) throw noCounterpart(`${model.spec.name} in ${at}`);
            const below = `${at}-${own === "" ? "" : `${own}-`}${time === undefined ? "" : `${time + 1}-time-`}`;
            const seen = apart ? undefined : remembered;
            return model.counterpart(now, below, within(params, own), within(statistics, own), seen);
          },
          join(how, values) {
            if (new Set(values.map(({ rank }) => rank)).size > 1)
              throw noCounterpart(`${how} of a vector and what has places in ${at}`);
            const { add, multiply, concatenate } = tfLayers.layers;
            if (how === "orthogonal" || how === "orthogonal-whole") throw noCounterpart(`an orthogonal sum in ${at}`);
            const layer = { add, multiply, concat: concatenate }[how]({ name: `${at}-${how}` });
            return layer.apply([...values]) as tfLayers.SymbolicTensor;
          },
          cut() {
            throw noCounterpart(`a cut of an example in ${at}`);
          },
          remembered,
        });
      },
      rows(input, remembered) {
        const rows: LayerRow[] = [];
        const plain = shapeWays(name, parts, remembered);
        const output = flow(input, {
          ...plain,
          pass(i, shape, time = 0) {
            const { name: own, model, apart } = parts[i]!;
            const prefix = own === "" ? name : `${name} ${own}`;
            const seen = apart ? undefined : new Map(remembered);
            if (time === 0)
              rows.push(
                ...model.summary(shape, seen).map((row) => ({
                  ...row,
                  layer: `${prefix}: ${row.layer}`,
                  ...(row.path && { path: own === "" ? row.path : [own, ...row.path] }),
                })),
              );
            return plain.pass(i, shape, time);
          },
        });
        return [...rows, { layer: label({ name, options: given.options }), output, parameters: 0 }];
      },
      kindOf(path) {
        const named = parts.find(({ name }) => name !== "" && name === path[0]);
        const found = named ?? parts.find(({ name }) => name === "");
        return found?.model.kindOf?.(named === undefined ? path : path.slice(1));
      },
    });
  };
  const remade = (options: Json, models: readonly ModelParts[]): Layer => make(...again(options, models));
  return Object.assign(make, { layer: name, again: remade }) as LayerFactory<Args, Kind, Kind, true>;
}

/** A layer in a few letters: its name and the words and numbers of its options. */
export function label({ name, options }: Pick<Layer, "name" | "options">): string {
  const values = Object.values((options ?? {}) as object).filter((v) => typeof v === "number" || typeof v === "string");
  return values.length === 0 ? name : `${name}(${values.join(", ")})`;
}

function keepsKind({ stack }: ModelParts): boolean {
  return stack?.every(({ gives }) => gives === "same") ?? false;
}

function within(tree: Params, name: string): Params {
  return name === "" ? tree : ((tree[name] ?? {}) as Params);
}

function noCounterpart(what: string): TypeError {
  return new TypeError(
    `layersModel: layers that tf.layers has too are required, got ${what}; save the network as ONNX`,
  );
}

/** The same tensors and statistics, and noise of its own for each time. */
export function anew(mode: Mode, time: number): Mode {
  const rng = mode.rng === null ? null : mode.rng.at("time", time);
  return { ...mode, rng, at: (part) => anew(mode.at(part), time) };
}

function shapeWays(name: string, parts: readonly Part[], remembered: Remembered<Shape>): Ways<Shape> {
  return {
    pass(i, shape) {
      const { name, model, apart } = parts[i]!;
      try {
        return model.features(shape, apart ? undefined : remembered);
      } catch (error) {
        throw name === "" ? error : located(name, error as Error);
      }
    },
    join: (how, shapes) => joinedShape(name, how, shapes),
    cut: (_, __, shape) => shape,
    remembered,
  };
}

/** The shape of several values as one; throws, in the name of a layer, where there is none. */
export function joinedShape(name: string, how: Join | Adding, shapes: readonly Shape[]): Shape {
  const most = shapes.reduce((a, b) => (b.length > a.length ? b : a));
  const last = (shape: Shape): number => shape.at(-1)!;
  const fits = (shape: Shape): boolean =>
    how === "concat"
      ? String(shape.slice(0, -1)) === String(most.slice(0, -1)) && shape.length === most.length
      : String(shape) === String(most) || (shape.length === 1 && last(shape) === last(most));
  if (!shapes.every(fits))
    throw new RangeError(
      `${name}: ${how === "concat" ? "shapes that agree but in their last number" : "equal shapes"} are required to ${how === "concat" ? "put values side by side" : `${how} them`}, got ${shapes.map((shape) => `[${shape}]`).join(" and ")}; ${name === "residual" ? "give the skip layers of its own, { skip: (n) => … }" : "end both with layers that agree"}`,
    );
  return how === "concat" ? [...most.slice(0, -1), shapes.reduce((sum, shape) => sum + last(shape), 0)] : most;
}

function joined(how: Join | Adding, values: readonly tf.Tensor[]): tf.Tensor {
  if (values.length === 1) return values[0]!;
  if (how === "orthogonal" || how === "orthogonal-whole")
    return values.reduce((x, change) => addOrthogonal(x, change, how === "orthogonal-whole"));
  if (how === "concat") return tf.concat([...values], values[0]!.rank - 1);
  const rank = Math.max(...values.map((value) => value.rank));
  const spread = values.map((value) => {
    const { shape } = value;
    const ones = new Array<number>(rank - shape.length).fill(1);
    return shape.length === rank ? value : tf.reshape(value, [shape[0]!, ...ones, ...shape.slice(1)]);
  });
  return spread.reduce((a, b) => (how === "add" ? tf.add(a, b) : tf.mul(a, b)));
}
