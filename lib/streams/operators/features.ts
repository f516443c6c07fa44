/** Shows a model's features in place of the examples. */
import { createHash } from "node:crypto";
import { type Examples, gather, type Json, type Shape, sizeOf } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { blockRows, blocks } from "../parts/blocks.ts";
import { type Place, retabled } from "../parts/tables.ts";
import type { Changed, Stream } from "../stream.ts";

/** The features of examples: gets `count` of them as a model sees them (scaled, rows one after the other) and the shape of one. */
export type FeatureFunction = (batch: Float32Array, count: number, shape: Shape) => Float32Array;

/** A model that turns examples into features, and that JSON can say. `backbone(model)` makes one. */
export interface Backbone {
  readonly apply: FeatureFunction;
  toJSON(): Json;
}

/** What `features` can be told. */
export interface FeaturesOptions {
  /** Bytes of features that are kept in memory; what was not asked for longest goes first, and is made again; default 256 MB. */
  readonly cacheBytes?: number;
}

/**
 * Puts features in place of all examples, those to train, to validate and to test: each is a vector. They are made when they are first
 * read, 256 rows at a time, and kept, so that a frozen backbone sees every example of an experience once however many epochs follow.
 *
 * The backbone is `backbone(model)`, which stands in the stream's JSON, or any function of a batch, which cannot: the JSON then has its
 * name and a fingerprint of what it gives, so that studies with other features are told apart, and `streamFromJson` says what is missing.
 *
 * @throws RangeError when a function does not give as many numbers for every example.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const brightness = (batch: Float32Array, count: number) =>
 *   Float32Array.from({ length: count }, (_, i) => batch.subarray(64 * i, 64 * i + 64).reduce((a, b) => a + b));
 * operators.features(brightness)(classes(digits())).shape; // [1]
 * ```
 */
export const features = operator(
  "features",
  (backbone: Backbone | FeatureFunction, options: FeaturesOptions = {}) => {
    const { cacheBytes } = withDefaults<Required<FeaturesOptions>>("features", options, { cacheBytes: 256e6 });
    needWhole("features", "cacheBytes", cacheBytes, 0);
    const apply = typeof backbone === "function" ? backbone : backbone.apply;
    return (stream): Changed => {
      const { shape } = stream;
      const made = (batch: Float32Array, count: number, width?: number): Float32Array => {
        const given = apply(batch, count, shape);
        if (given.length !== count * (width ?? given.length) || given.length === 0)
          throw new RangeError(
            `features: ${width ?? "some"} numbers for each of ${count} examples are required, got ${given.length}`,
          );
        return given;
      };
      const width = made(new Float32Array(sizeOf(shape)), 1).length;
      const kept = blocks(cacheBytes);
      const view = (of: Examples, { part, index, task }: Place): Examples => ({
        length: of.length,
        labels: of.labels,
        ...(of.targets && { targets: of.targets }),
        shape: [width],
        scale: 1,
        bytes: false,
        read(at, out, offset = 0) {
          for (let i = 0; i < at.length; i++) {
            const first = at[i]! - (at[i]! % blockRows);
            const rows = kept.block(`${part} ${part === "test" ? task : index} ${first}`, () => {
              const all = Uint32Array.from({ length: Math.min(blockRows, of.length - first) }, (_, k) => first + k);
              return Float32Array.from(made(gather(of, all), all.length, width)); // what a function gives may be its own
            });
            const start = (at[i]! - first) * width;
            out.set(rows.subarray(start, start + width), offset + i * width);
          }
        },
      });
      const parts = retabled(stream, view);
      const said = typeof backbone === "function" ? named(backbone, stream, parts) : { backbone: backbone.toJSON() };
      return { ...parts, shape: [width], args: [said, ...(Object.keys(options).length > 0 ? [{ ...options }] : [])] };
    };
  },
  { gives: "vector", targets: ["class", "numbers", "labels"] },
);

/** What stands for a function in a stream's JSON: its name, and a fingerprint of its features of the stream's first examples. */
function named(backbone: FeatureFunction, stream: Stream, { experience }: Changed): Json {
  let fingerprint: string | undefined;
  return {
    function: backbone.name || "anonymous",
    get gives() {
      if (fingerprint === undefined) {
        const { train } = experience!(0);
        const first = Uint32Array.from({ length: Math.min(16, stream.countOf(0)) }, (_, i) => i);
        fingerprint = createHash("sha256")
          .update(new Uint8Array(gather(train, first).buffer))
          .digest("hex")
          .slice(0, 16);
      }
      return fingerprint;
    },
  };
}
