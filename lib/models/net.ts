/** Models said layer by layer. Every file in `layers/` is a method here. */
import type { Kind, Shape } from "../data/dataset.ts";
import type { Why } from "../streams/stream.ts";
import type { Adapter } from "./adapters/adapter.ts";
import type { Adding } from "./composite.ts";
import type { Filter } from "./filter.ts";
import type { Layer, LayerFactory } from "./layer.ts";
import type { AltUpOptions } from "./layers/graph/alt-up.ts";
import type { BranchOptions } from "./layers/graph/branch.ts";
import type { DeqOptions } from "./layers/graph/deq.ts";
import type { ReadOptions } from "./layers/graph/read.ts";
import * as layers from "./layers/index.ts";
import type { FreezeOptions, Model } from "./model.ts";
import { sequential } from "./sequential.ts";
import { modelVerbs } from "./verbs.ts";

type Layers = typeof layers;

type Method<L, In extends Kind, Now extends Kind, Own, Taps> =
  L extends LayerFactory<infer Args, infer Accepts, infer Gives, infer Same>
    ? [Now & Accepts] extends [never]
      ? Refused<Accepts, Now>
      : (...args: Args) => Net<Narrowed<In, Now, Accepts>, Same extends true ? Now & Accepts : Gives, Own, Taps>
    : never;

type Refused<
  Accepts extends Kind,
  Now extends Kind,
> = Why<`this layer takes ${"vector" extends Accepts ? "vector" : Accepts} input, and at this point of the net there is ${Now} output; ${"vector" extends Accepts ? "call flatten() first" : Accepts extends "image" ? "put it before flatten()" : "call flatten() first"}`>;

/** While nothing has changed the kind, what a layer accepts is what the whole net accepts. */
type Narrowed<In extends Kind, Now extends Kind, Accepts extends Kind> = [In] extends [Now]
  ? [Now] extends [In]
    ? In & Accepts
    : In
  : In;

/** A model that says what it gives, as nets do; frozen or adapted it gives the same. */
export type Chained<In extends Kind, Now extends Kind> = Kept<In, Now> & Model<In> & { readonly "~gives"?: Now };

interface Kept<In extends Kind, Now extends Kind> {
  freeze(filter: Filter, options?: FreezeOptions): Chained<In, Now>;
  trainOnly(filter: Filter): Chained<In, Now>;
  adapt(adapter: Adapter): Chained<In, Now>;
}

/** The layers inside of a layer: a function that says them of a net that begins where that layer is, or a model. */
export type Inside<Now extends Kind, Own, Taps, I extends Kind, O extends Kind> =
  | ((n: Net<Now, Now, Own, Taps>) => Chained<I, O>)
  | Chained<I, O>;

/** The kinds that shapes have. */
type KindsOf<S extends { readonly [name: string]: Shape }> = {
  readonly [K in keyof S]: KindOf<S[K]>;
};
type KindOf<S extends Shape> = S["length"] extends 3 ? "image" : S["length"] extends 2 ? "sequence" : "vector";

/** The methods that put models into a model, or values from elsewhere. `layers` has them as functions, with their documentation. */
interface Graph<In extends Kind, Now extends Kind, Own, Taps> {
  /** The sum of what the layers give and of what passes by: `layers.residual`. */
  residual<I extends Kind, O extends Kind = "vector">(
    inner: Inside<Now, Own, Taps, I, O>,
    options?: { readonly skip?: Inside<Now, Own, Taps, Kind, Kind>; readonly rule?: Adding },
  ): Net<Narrowed<In, Now, I>, O, Own, Taps>;
  /** Several ways side by side, joined at the end: `layers.branch`. */
  branch<I extends Kind, O extends Kind = "vector">(
    ways: readonly Inside<Now, Own, Taps, I, O>[],
    options?: BranchOptions,
  ): Net<Narrowed<In, Now, I>, O, Own, Taps>;
  /** The layers that the function says, so many times in a row, with weights of their own, or `shared` ones: `layers.shared`. */
  repeat<I extends Kind, O extends Kind>(
    times: number,
    inner: (n: Net<Now, Now, Own, Taps>, time: number) => Chained<I, O>,
    options?: { readonly shared?: boolean },
  ): Net<Narrowed<In, Now, I>, O, Own, Taps>;
  /** The same layers several times over: `layers.shared`. */
  shared<I extends Kind, O extends Kind = "vector">(
    times: number,
    inner: Inside<Now, Own, Taps, I, O>,
  ): Net<Narrowed<In, Now, I>, O, Own, Taps>;
  /** Layers that go through a sequence from its beginning, and such from its end: `layers.bidirectional`. */
  bidirectional<I extends Kind, O extends Kind = "sequence">(
    inner: Inside<Now, Own, Taps, I, O>,
  ): Net<Narrowed<In, Now, I>, O, Own, Taps>;
  /** The equilibrium of some layers: `layers.deq`. */
  deq<I extends Kind, O extends Kind = "vector">(
    inner: Inside<Now, Own, Taps, I, O>,
    options?: Omit<DeqOptions, "predict"> & { readonly predict?: Inside<Now, Own, Taps, Kind, Kind> },
  ): Net<Narrowed<In, Now, I>, Now, Own, Taps>;
  /** Vectors of several parts, one of which goes through the layers: `layers.altUp`. */
  altUp<I extends Kind, O extends Kind = "vector">(
    parts: number,
    inner: Inside<Now, Own, Taps, I, O>,
    options?: AltUpOptions,
  ): Net<Narrowed<In, Now, I>, O, Own, Taps>;
  /** A whole model as a layer: `layers.through`. */
  through<I extends Kind, O extends Kind = "vector">(
    model: [Now & I] extends [never] ? Refused<I, Now> : Chained<I, O>,
  ): Net<Narrowed<In, Now, I>, O, Own, Taps>;
  /** Remembers what comes here under a name: `layers.tap`. */
  tap<Name extends string>(name: Name): Net<In, Now, Own, Taps & { readonly [K in Name]: Now }>;
  /** Joins what a tap remembered: `layers.read`. */
  read(name: string, options?: ReadOptions): Net<In, Now, Own, Taps>;
  /** Goes on from what is remembered: `layers.take`. */
  take<Name extends string>(name: Name): Net<In, Name extends keyof Taps ? Taps[Name] & Kind : Kind, Own, Taps>;
  /** Gives each example another shape: `layers.reshape`. */
  reshape<const S extends Shape>(shape: S): Net<In, KindOf<S>, Own, Taps>;
  /** Says the named parts of an example: `layers.inputs`. */
  readonly inputs: [Now & "vector"] extends [never]
    ? Refused<"vector", Now>
    : <const S extends { readonly [name: string]: Shape }>(
        shapes: S,
      ) => Net<Narrowed<In, Now, "vector">, "vector", Own, Taps & KindsOf<S>>;
}

/** A model made of layers in a row. `In` is what it accepts, `Now` what its last layer gives, `Own` are the layers it knows, `Taps` the names it remembers. */
export type Net<In extends Kind = Kind, Now extends Kind = Kind, Own = Layers, Taps = Record<never, never>> = Chained<
  In,
  Now
> & {
  readonly [K in Exclude<keyof Own, keyof Graph<Kind, Kind, Own, Taps>>]: Method<Own[K], In, Now, Own, Taps>;
} & Graph<In, Now, Own, Taps>;

/** Layers by name, each a function made by `layer`, `sameLayer` or `composite`. */
export interface LayerFactories {
  readonly [name: string]: ((...args: never[]) => Layer) & { readonly layer: string };
}

/** What begins a net. */
export interface NetStart<Own> {
  (): Net<Kind, Kind, Own>;
  /**
   * The same with more layers: each is a method of the nets that it begins, under the name it has here.
   *
   * @throws TypeError when a name is not the layer's own, or the library has it already.
   */
  use<const More extends LayerFactories>(more: More): NetStart<Own & More>;
  /** A net of layers that are made already. */
  of(stack: readonly Layer[]): Net<Kind, Kind, Own>;
}

/**
 * Begins a model that is said layer by layer; every method gives a new, longer one.
 *
 * The input shape comes from the stream; the head is added by its scenario. `net.use({ myLayer })` knows layers of your own as methods,
 * `net.of(stack)` takes layers that are made already.
 *
 * @example
 * ```ts
 * import { net, sameLayer, tf } from "thalweg";
 * const model = net().conv(32, 3).relu().pool(2).flatten().dense(128).relu();
 * model.features([28, 28, 1]); // [128]
 *
 * const square = sameLayer("square", () => ({ options: {}, shape: (input) => input, apply: (x) => tf.square(x) }));
 * net.use({ square })().dense(3).square().features([2]); // [3]
 * ```
 */
export const net: NetStart<Layers> = begin({});

function begin<Own>(own: LayerFactories): NetStart<Own> {
  const of = (stack: readonly Layer[]): Net<Kind, Kind, Own> => grow(stack, own) as unknown as Net<Kind, Kind, Own>;
  return Object.assign(() => of([]), {
    of,
    use<More extends LayerFactories>(more: More): NetStart<Own & More> {
      for (const [name, make] of Object.entries(more)) {
        if (name in layers || name in modelVerbs || name === "repeat")
          throw new TypeError(
            `use: a layer that the library does not have is required, got "${name}"; name it otherwise`,
          );
        if (make.layer !== name)
          throw new TypeError(
            `use: layers under their own names are required, got "${make.layer}" as "${name}"; declare it as layer("${name}", …)`,
          );
      }
      return begin<Own & More>({ ...own, ...more });
    },
  });
}

type Said = Model | ((n: Model, time: number) => Model);

function grow(stack: readonly Layer[], own: LayerFactories): Model {
  const add = (...more: readonly Layer[]): Model => grow([...stack, ...more], own);
  const said = (inner: Said, time = 0): Model => (typeof inner === "function" ? inner(grow([], own), time) : inner);
  const methods: Record<string, unknown> = Object.fromEntries(
    Object.entries({ ...layers, ...own }).map(([name, make]) => [
      name,
      (...args: unknown[]) =>
        add(
          (make as unknown as (...args: unknown[]) => Layer)(
            ...("again" in make ? args.map((arg) => meant(arg, (inner) => said(inner))) : args),
          ),
        ),
    ]),
  );
  methods.repeat = (times: number, inner: Said, { shared = false } = {}): Model =>
    shared
      ? add(layers.shared(times, said(inner)))
      : add(...Array.from({ length: times }, (_, time) => writtenOut(said(inner, time))).flat());
  return Object.freeze(
    Object.assign(Object.create(Object.assign(methods, modelVerbs)), sequential("net", undefined, stack)),
  );
}

/** The layers of a net as they are; any other model as one layer. */
function writtenOut(model: Model): readonly Layer[] {
  const { stack, spec } = model;
  const plain =
    stack !== undefined && spec.name === "net" && Object.keys(spec).every((key) => ["name", "layers"].includes(key));
  return plain ? stack : [layers.through(model)];
}

/** An argument in which functions of a net have become the models that they say. */
function meant(arg: unknown, said: (inner: Said) => Model): unknown {
  if (typeof arg === "function") return said(arg as Said);
  if (Array.isArray(arg)) return arg.map((each) => meant(each, said));
  if (typeof arg !== "object" || arg === null || Object.getPrototypeOf(arg) !== Object.prototype || "apply" in arg)
    return arg;
  return Object.fromEntries(Object.entries(arg).map(([key, value]) => [key, meant(value, said)]));
}
