/** What layers of one kind leave for those after them in a model, the oldest first, under names that only they use. */
import type { Remembered } from "../model.ts";

const nameOf = (kind: string, i: number): string => `${kind} ${i + 1}`;

/** What the layers of a kind have left so far. */
export function leftBy<T>(kind: string, remembered: Remembered<T> | undefined): T[] {
  const found: T[] = [];
  for (let value: T | undefined; (value = remembered?.get(nameOf(kind, found.length))) !== undefined; )
    found.push(value);
  return found;
}

/** Leaves a value for the layers of the same kind that come; gives all there are. */
export function leave<T>(kind: string, value: T, remembered: Remembered<T>): T[] {
  const all = [...leftBy(kind, remembered), value];
  remembered.set(nameOf(kind, all.length - 1), value);
  return all;
}
