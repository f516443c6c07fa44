/** Orders of classes and of experiences. */
import { placesOf } from "../../data/parts/class-ids.ts";
import type { Seed } from "../stream.ts";
import { rngOf } from "./seed.ts";

/**
 * An order as a list of positions: drawn by a seed, or as it was given, by position or by name.
 *
 * @throws RangeError unless a given list has every position or name exactly once.
 */
export function orderOf(
  name: string,
  order: Seed | readonly (number | string)[],
  names: readonly string[],
): readonly number[] {
  if (typeof order === "number" || order === "run") return [...rngOf(order, "order").permutation(names.length)];
  const places = columnsOf(name, order, names);
  const seen = new Set(places);
  if (places.length !== names.length || !names.every((_, i) => seen.has(i)))
    throw new RangeError(
      `${name}: an order with each of ${names.length} positions${names.length > 20 ? "" : ` (${names.join(", ")})`} once is required, got ${order.join(", ")}`,
    );
  return places;
}

/**
 * The columns of classes that are given by position or by name, −1 where there is none. Where the names are themselves numbers (of a data
 * set with the labels 10 … 13), a number that is no position is a name.
 *
 * @throws RangeError when a number could be either and means different classes.
 */
export function columnsOf(where: string, items: readonly (number | string)[], names: readonly string[]): number[] {
  const byNumber = placesOf(
    where,
    items.filter((item) => typeof item === "number"),
    names,
  );
  return items.map((item) => {
    if (typeof item === "number") return byNumber(item);
    const [first, last] = [names.indexOf(item), names.lastIndexOf(item)];
    if (first !== last)
      throw new RangeError(
        `${where}: a class that one column alone has is required, got "${item}", which columns ${first} and ${last} are called; name it by its column`,
      );
    return first;
  });
}

/** Where each position comes in an order: its inverse. */
export function reordered(order: readonly number[]): Int32Array {
  const place = new Int32Array(order.length);
  order.forEach((at, i) => {
    place[at] = i;
  });
  return place;
}
