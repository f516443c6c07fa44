import { inspect } from "node:util";
import { type Control, type ControlOptions, control } from "./control.ts";

export interface SelectOptions<V> extends ControlOptions {
  value?: V;
  multiple?: boolean;
}
type Given<T> = readonly T[] | Readonly<Record<string, T>>;

export function select<T>(options: Given<T>, settings: SelectOptions<T[]> & { multiple: true }): Control<T[]>;
export function select<T>(options: Given<T>, settings?: SelectOptions<T>): Control<T>;
/** One of several values, or some of them. A list shows each value by its text; an object names them. */
export function select<T>(
  options: Given<T>,
  { label, value, multiple = false }: SelectOptions<T | T[]> = {},
): Control<T> | Control<T[]> {
  const entries = Array.isArray(options)
    ? (options as T[]).map((option) => [typeof option === "string" ? option : inspect(option), option] as const)
    : Object.entries(options as Record<string, T>);
  if (entries.length === 0) throw new RangeError("select: at least one option is required, got none");
  const labels = entries.map(([name]) => name);
  const place = (given: unknown): number => {
    const at = entries.findIndex(([, option]) => Object.is(option, given));
    if (at < 0) throw new RangeError(`select: one of ${labels.join(", ")} is required, got ${inspect(given)}`);
    return at;
  };
  const at = (i: number) => entries[i]![1];
  const chosen = (places: unknown) => (places as number[]).map(at);
  const state = { label, labels, multiple };
  if (multiple) {
    const write = (given: T[]) => given.map(place);
    const first = write((value as T[] | undefined) ?? []);
    return control<T[]>({ kind: "select", state: { ...state, value: first }, read: chosen, write });
  }
  const write = (given: T) => [place(given)];
  const first = value === undefined ? [0] : write(value as T);
  return control<T>({ kind: "select", state: { ...state, value: first }, read: (places) => chosen(places)[0]!, write });
}
