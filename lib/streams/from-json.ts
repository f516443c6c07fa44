/** Makes a stream again from its spec and the data sets it was made of. */
import type { Dataset, Json } from "../data/dataset.ts";
import { isSpec } from "./operator.ts";
import * as operators from "./operators/index.ts";
import * as sources from "./sources/index.ts";
import type { Stream, StreamSpec } from "./stream.ts";

type AnySource = ((...args: unknown[]) => Stream) & { readonly takes: "one" | "many" | "none" };
type AnyOperator = (...args: unknown[]) => (stream: Stream) => Stream;

/**
 * The stream that a spec describes. Data sets are found by name, and must have the checksum that the spec has.
 *
 * @throws TypeError for a source or operator that does not exist; Error for a data set that is not given, or is not the same data.
 *
 * @example
 * ```ts
 * import { classes, digits, operators, streamFromJson } from "thalweg";
 * const stream = operators.split(5)(classes(digits()));
 * const again = streamFromJson(JSON.parse(JSON.stringify(stream)), [digits()]);
 * again.length; // 5
 * ```
 */
export function streamFromJson(spec: StreamSpec, data: readonly Dataset[]): Stream {
  const args = spec.args.map((arg) => streamOr(arg, data));
  if (spec.of !== undefined) {
    const make = (operators as unknown as Record<string, AnyOperator>)[spec.name];
    if (make === undefined) throw new TypeError(`streamFromJson: a known operator is required, got "${spec.name}"`);
    return make(...args)(streamFromJson(spec.of, data));
  }
  const make = (sources as unknown as Record<string, AnySource>)[spec.name];
  if (make === undefined) throw new TypeError(`streamFromJson: a known source is required, got "${spec.name}"`);
  const found = (spec.data ?? []).map((wanted) => {
    const set = data.find((d) => d.name === wanted.name && d.checksum === wanted.checksum);
    if (set !== undefined) return set;
    const other = data.find((d) => d.name === wanted.name);
    throw new Error(
      `streamFromJson: the data set ${wanted.name} with checksum ${wanted.checksum} is required, got ${
        other === undefined ? data.map((d) => d.name).join(", ") || "none" : `one with checksum ${other.checksum}`
      }; give it in the list of data sets`,
    );
  });
  if (make.takes === "none") return make(...args);
  return make(make.takes === "many" ? found : found[0], ...args);
}

/** An argument as it was given: a stream where its spec stands, `Infinity` where the word does. */
function streamOr(arg: Json, data: readonly Dataset[]): unknown {
  if (arg === "Infinity") return Infinity;
  if (isSpec(arg)) return streamFromJson(arg.stream as unknown as StreamSpec, data);
  if (Array.isArray(arg)) return arg.map((item) => streamOr(item, data));
  if (typeof arg !== "object" || arg === null) return arg;
  return Object.fromEntries(Object.entries(arg).map(([key, value]) => [key, streamOr(value, data)]));
}
