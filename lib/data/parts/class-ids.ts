/** Turns ids of classes, whatever they are, into classes in order. */

/** What names a class: a whole number, a string, a boolean, or a big integer. */
export type ClassId = number | string | boolean | bigint;

const isNumber = (id: ClassId): id is number | bigint => typeof id === "number" || typeof id === "bigint";

/**
 * The ids of examples, checked one by one. 1, 1n and "1" name the same class.
 *
 * @throws TypeError, RangeError for what cannot name a class: nothing, a list, a number that is not whole or too large to be exact.
 */
export function classIds(where: string, given: ArrayLike<unknown>): ClassId[] {
  return Array.from(given, (id, i) => {
    if (typeof id === "string" || typeof id === "boolean" || typeof id === "bigint") return id;
    if (typeof id !== "number" || Number.isNaN(id)) {
      if (typeof id === "object" && id !== null)
        throw new TypeError(
          `${where}: one class for each example is required, got ${id instanceof Date ? "a date" : "a row of numbers"} at example ${i}; give { target: "numbers" }`,
        );
      throw new TypeError(
        `${where}: a class for each example is required, got ${String(id)} at example ${i}; leave out the examples that have none`,
      );
    }
    if (!Number.isSafeInteger(id))
      throw new RangeError(
        `${where}: a whole number, a string or a boolean is required as a class, got ${id} at example ${i}; give { target: "numbers" } if numbers are asked for, or strings`,
      );
    return id;
  });
}

/**
 * A name for each class that occurs, in order: numbers ascend, false comes before true, strings are sorted by their characters.
 *
 * @throws TypeError for ids of several kinds; RangeError for −1 among other numbers, where it mostly means that there is no class.
 */
export function classNames(where: string, ids: readonly ClassId[]): string[] {
  const known = new Map<string, ClassId>();
  for (const id of ids) if (!known.has(String(id))) known.set(String(id), id);
  const names = [...known.keys()];
  const kinds = new Set([...known.values()].map((id) => (isNumber(id) ? "number" : typeof id)));
  if (kinds.size === 1 && !kinds.has("number")) return names.sort();
  const numerals = names.every((name) => /^-?\d+$/.test(name));
  if (!numerals) {
    const odd = [...known.values()].find((id) => !isNumber(id) && !/^-?\d+$/.test(String(id)));
    throw new TypeError(
      `${where}: classes of one kind are required, got ${[...kinds].join(" and ")} (${JSON.stringify(odd)}); make them all strings`,
    );
  }
  const order = names.map((name) => BigInt(name)).sort((a, b) => (a < b ? -1 : 1));
  const [least, next] = order;
  if (least === -1n && !(order.length === 2 && next === 1n))
    throw new RangeError(
      `${where}: a class for each example is required, got -1 at example ${ids.findIndex((id) => String(id) === "-1")}, which often means that there is none; leave these examples out, or name the classes by strings`,
    );
  return order.map(String);
}

/**
 * Which places numbers name among named classes: their positions, or, where the names themselves are numbers, the classes of these
 * names. Names that are 0 … n − 1 in some order are named by position.
 *
 * @throws RangeError when numbers are neither, or could be both and mean different classes.
 */
export function placesOf(
  where: string,
  numbers: Iterable<number | bigint>,
  names: readonly string[],
): (number: number | bigint) => number {
  const given = new Map([...numbers].map((number) => [String(number), Number(number)]));
  const byName = new Map(names.map((name, place) => [name, place]));
  const isPlace = (number: number): boolean => Number.isInteger(number) && number >= 0 && number < names.length;
  const asPlaces = [...given.values()].every(isPlace);
  const asNames = [...given.keys()].every((name) => byName.has(name));
  const settled = names.every((name) => isPlace(Number(name)) && String(Number(name)) === name);
  if (asPlaces && asNames && !settled) {
    const [name, place] = [...given].find(([name, place]) => byName.get(name) !== place) ?? [];
    if (name !== undefined)
      throw new RangeError(
        `${where}: classes that are named without a doubt are required, got ${name}, which is the position of class "${names[place!]}" and the name of another; give names as strings: "${name}"`,
      );
  }
  if (asPlaces || !asNames) return (number) => (isPlace(Number(number)) ? Number(number) : -1);
  return (number) => byName.get(String(number)) ?? -1;
}

/**
 * The position among `names` of the class of each example. Strings and booleans are names; numbers are as `placesOf` says.
 *
 * @throws RangeError when an id is none of the classes.
 */
export function classPlaces(
  where: string,
  ids: readonly ClassId[],
  names: readonly string[],
): (of: readonly ClassId[]) => Int32Array {
  const byName = new Map(names.map((name, place) => [name, place]));
  const byNumber = placesOf(where, ids.filter(isNumber), names);
  return (of) =>
    Int32Array.from(of, (id, i) => {
      const place = isNumber(id) ? byNumber(id) : (byName.get(String(id)) ?? -1);
      if (place < 0)
        throw new RangeError(
          `${where}: a label from 0 to ${names.length - 1}, or one of the class names, is required, got ${String(id)} at example ${i}`,
        );
      return place;
    });
}
