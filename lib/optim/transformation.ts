/** Parts of a chain: each changes the direction of a step. */
import type { Json } from "../data/dataset.ts";
import { checked, type Options, type Widened } from "../data/options.ts";
import type { Tree } from "../engine/index.ts";
import type { KindOf, OptimSpec, Seen, Sight } from "./optimizer.ts";

/** What changes a direction: a gradient before an optimizer has seen it, or what an optimizer made of it, before the rate. */
export interface Transformation {
  readonly spec: OptimSpec;
  /** What it asks to see. */
  readonly sees?: readonly Sight[];
  /** State for new parameters: a tree of tensors; `[]` where it needs none. */
  init(params: Tree): Tree;
  /** Another direction in the same tree, and the next state. */
  change(direction: Tree, state: Tree, params: Tree, seen?: Seen): readonly [direction: Tree, state: Tree];
  /** The same for the parameters of one network, where it asks what a parameter is for. */
  over?(kindOf: KindOf): Transformation;
  toJSON(): OptimSpec;
}

/** A function that makes a transformation from options, or from the one that is its main. */
export interface TransformationFactory<O extends Options> {
  (given?: number | Partial<Widened<O>>): Transformation;
  readonly transformation: string;
  readonly defaults: O;
}

/** Declares a transformation without state: its name, its options with their defaults, which of them a number alone gives, and what it does. */
export function transformation<O extends Options>(
  name: string,
  defaults: O,
  main: keyof O & string,
  build: (options: Widened<O>) => (direction: Tree, params: Tree) => Tree,
): TransformationFactory<O> {
  const make = (given: number | Partial<Widened<O>> = {}): Transformation => {
    const options = (typeof given === "number" ? { [main]: given } : given) as Partial<O>;
    const all = checked(name, defaults, options);
    const spec = { name, options: all as Json };
    const change = build(all as Widened<O>);
    return Object.freeze({
      spec,
      init: () => [],
      change: (direction: Tree, state: Tree, params: Tree) => [change(direction, params), state] as const,
      toJSON: () => spec,
    });
  };
  return Object.assign(make, { transformation: name, defaults });
}
