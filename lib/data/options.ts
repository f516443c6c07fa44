/** Options of declared things: defaults filled in, misspelt names and wrong types refused. */
import type { Json } from "./dataset.ts";

/** Options with JSON values, so that they can stand in the record of an experiment. */
export type Options = { readonly [name: string]: Json | undefined };

/** The type of options with these defaults: a default of `false` stands for either. */
export type Widened<O> = { readonly [K in keyof O]: O[K] extends boolean ? boolean : O[K] };

/** Fills in defaults; throws on an option that does not exist, has another type than its default, or is NaN. */
export function checked<O extends Options>(where: string, defaults: O, given: Partial<O>): O {
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    throw new TypeError(`${where}: options are an object, got ${JSON.stringify(given)}`);
  }
  refuseUnknown(where, defaults, given);
  for (const [name, value] of Object.entries(given)) {
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

/** Fills in defaults of any type, which may be `undefined`; throws on an option that does not exist. */
export function withDefaults<T extends object>(where: string, given: Partial<T>, defaults: T): T {
  refuseUnknown(where, defaults, given);
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set) };
}

function refuseUnknown(where: string, defaults: object, given: object): void {
  const known = Object.keys(defaults);
  for (const name of Object.keys(given))
    if (!known.includes(name)) throw new TypeError(`${where}: no option ${name}; it has ${known.join(", ") || "none"}`);
}

/** @throws RangeError unless `value` is a whole number of at least `least`. */
export function needWhole(where: string, what: string, value: number, least = 1): number {
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${where}: ${what} must be a whole number of at least ${least}, got ${value}`);
  return value;
}

/** @throws RangeError unless `value` is a number in [0, 1], or in (0, 1) where the ends are "open". */
export function needShare(where: string, what: string, value: number, ends: "open" | "closed" = "closed"): number {
  if (!(value >= 0 && value <= 1) || (ends === "open" && (value === 0 || value === 1)))
    throw new RangeError(
      `${where}: ${what} must be a share ${ends === "open" ? "in (0, 1)" : "in [0, 1]"}, got ${value}`,
    );
  return value;
}

/** Throws unless an option is one of a few words. */
export function needOneOf(where: string, what: string, value: string, words: readonly string[]): void {
  if (words.includes(value)) return;
  const quoted = words.map((word) => `"${word}"`);
  throw new TypeError(
    `${where}: ${what} must be ${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}, got "${value}"`,
  );
}
