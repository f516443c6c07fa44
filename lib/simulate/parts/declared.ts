/** What programs of clusters and of clients have in common: a name, options, and how they start. */
import type { Json } from "../../data/dataset.ts";
import { withDefaults } from "../../data/options.ts";

/** A program of whatever starts on `Start`'s site. */
export interface Declared<Start> {
  readonly spec: { readonly name: string; readonly options: Json };
  readonly start: Start;
}

/** A function that makes such a program from options. */
export type Factory<O extends object, P> = ((options?: Partial<O>) => P) & {
  readonly program: string;
  readonly defaults: O;
};

/** Declares one; throws on an option that is unknown. Options are plain data, or say themselves as such (`toJSON`). */
export function declared<O extends object, Start>(
  name: string,
  defaults: O,
  build: (options: O) => Start,
): Factory<O, Declared<Start>> {
  const make = (options: Partial<O> = {}): Declared<Start> => {
    const all = withDefaults<O>(name, options, defaults);
    return Object.freeze({ spec: { name, options: JSON.parse(JSON.stringify(all)) as Json }, start: build(all) });
  };
  return Object.assign(make, { program: name, defaults });
}
