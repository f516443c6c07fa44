/** Makes a stream again from its spec and the data sets it was made of. */
import type { Dataset, Json } from "../data/dataset.ts";
import { isSpec } from "./operator.ts";
import type { Backbone } from "./operators/features.ts";
import * as operators from "./operators/index.ts";
import * as sources from "./sources/index.ts";
import type { Stream, StreamSpec } from "./stream.ts";

type AnySource = ((...args: unknown[]) => Stream) & { readonly takes: "one" | "many" | "none" };
type AnyOperator = (...args: unknown[]) => (stream: Stream) => Stream;

/** Makes what stands in a spec for a model that turns examples into features. */
export type BackboneMaker = (spec: Json) => Backbone;

/**
 * The stream that a spec describes. Data sets are found by name, and must have the checksum that the spec has. Models that turn examples
 * into features (`features`) are made by `make`; a stream of features of a function cannot be made of JSON.
 *
 * @throws TypeError for a source or operator that does not exist, or a function; Error for a data set that is not given, or is not the
 * same data.
 *
 * @example
 * ```ts
 * import { classes, digits, operators, streamFromJson } from "thalweg";
 * const stream = operators.split(5)(classes(digits()));
 * const again = streamFromJson(JSON.parse(JSON.stringify(stream)), [digits()]);
 * again.length; // 5
 * ```
 */
export function streamFromJson(spec: StreamSpec, data: readonly Dataset[], make?: BackboneMaker): Stream {
  const args = spec.args.map((arg) => given(arg, data, make));
  if (spec.of !== undefined) {
    const operator = (operators as unknown as Record<string, AnyOperator>)[spec.name];
    if (operator === undefined) throw new TypeError(`streamFromJson: a known operator is required, got "${spec.name}"`);
    return operator(...args)(streamFromJson(spec.of, data, make));
  }
  const source = (sources as unknown as Record<string, AnySource>)[spec.name];
  if (source === undefined) throw new TypeError(`streamFromJson: a known source is required, got "${spec.name}"`);
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
  if (source.takes === "none") return source(...args);
  return source(source.takes === "many" ? found : found[0], ...args);
}

/** An argument as it was given: a stream where its spec stands, a backbone where its spec does, `Infinity` where the word does. */
function given(arg: Json, data: readonly Dataset[], make?: BackboneMaker): unknown {
  if (arg === "Infinity") return Infinity;
  if (isSpec(arg)) return streamFromJson(arg.stream as unknown as StreamSpec, data, make);
  if (Array.isArray(arg)) return arg.map((item) => given(item, data, make));
  if (typeof arg !== "object" || arg === null) return arg;
  if ("function" in arg)
    throw new TypeError(
      `streamFromJson: a stream that JSON can say is required, got features of the function "${arg.function}"; apply features(${arg.function}) to the stream again, or give it a backbone(model)`,
    );
  if ("backbone" in arg) {
    if (make !== undefined) return make(arg.backbone!);
    throw new TypeError(
      "streamFromJson: what makes models of their JSON is required for a stream of features, got nothing; give it as the third argument, or read the whole experiment with specFromJson",
    );
  }
  return Object.fromEntries(Object.entries(arg).map(([key, value]) => [key, given(value, data, make)]));
}
