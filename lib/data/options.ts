/** Options of declared things: defaults filled in, misspelt names and wrong types refused. */
import type { Json } from "./dataset.ts";

/** Options with JSON values, so that they can stand in the record of an experiment. */
export type Options = { readonly [name: string]: Json | undefined };

/** Fills in defaults; throws on an option that does not exist, has another type than its default, or is NaN. */
export function checked<O extends Options>(where: string, defaults: O, given: Partial<O>): O {
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    throw new TypeError(`${where}: options are an object, got ${JSON.stringify(given)}`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) {
      throw new TypeError(`${where}: no option ${name}; it has ${Object.keys(defaults).join(", ") || "none"}`);
    }
    if (value === undefined) continue;
    const wanted = defaults[name];
    if (wanted !== null && wanted !== undefined && value !== null && typeof value !== typeof wanted) {
      throw new TypeError(`${where}: option ${name} must be a ${typeof wanted}, got ${JSON.stringify(value)}`);
    }
    if (typeof value === "number" && Number.isNaN(value))
      throw new RangeError(`${where}: option ${name} must be a number, got NaN`);
  }
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return Object.freeze({ ...defaults, ...set });
}
