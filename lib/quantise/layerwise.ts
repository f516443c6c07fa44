import type { Examples, Json } from "../data/dataset.ts";
import { checked, needOneOf, needShare, needWhole, type Options } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import { tape } from "../models/model.ts";
import { changedInTurn, kernelAt, kernelPlaces, sampleOf } from "../models/parts/kernel-layers.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { awq } from "./awq.ts";
import { comq } from "./comq.ts";
import { gptq } from "./gptq.ts";
import { decoded } from "./parts/codes.ts";
import { type How, type Quantised, type QuantiseOptions, quantised } from "./quantising.ts";
import { rtn } from "./rtn.ts";

const rules = { rtn, gptq, awq, comq } as const;

/** What `layerwise` has as options beside those of every rule. */
const defaults = {
  /** Bits of layers that matter, and of the others. */
  high: 4,
  low: 2,
  /** The share of layers that get few bits, in [0, 1]. */
  lowered: 0.5,
  /** What a layer matters by: "shift", how far what goes out is from what comes in; "large", how few of its numbers are far above their mean. */
  by: "shift" as string,
  /** By which rule: "rtn", "gptq", "awq" or "comq". */
  rule: "gptq" as string,
};

/**
 * Layers that matter keep more bits than the others, whatever rule makes the codes.
 *
 * A layer is one of the network's row: a dense layer, a convolution, a whole block. By "shift" it matters by minus the cosine between what comes in and
 * what goes out, on the mean over examples and places, which blocks with the same shape in and out have; by "large" by minus the share of its numbers
 * that are more than a deviation above their mean.
 *
 * Implements: P213 Layer-wise bit allocation
 *
 * Dumitru et al. 2024, "Layer-wise quantization: a pragmatic and effective method for quantizing LLMs beyond integer bit-levels",
 * arXiv:2406.17415, section 3.1, equations 1 and 2.
 *
 * @throws TypeError by "shift" where a layer gives another shape than it gets.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8, 8] });
 * const data = blobs({ classes: 3, dimensions: 8 }).train;
 * const big = trained({ model, input: [8], weights: network(model, [8]).init(random(0), 3) });
 * quantise.layerwise(big, data, { by: "large", lowered: 0.5 }).report.bits; // 3
 * ```
 */
export function layerwise(
  network: TrainedNetwork,
  data: Examples,
  given: Partial<typeof defaults> & QuantiseOptions = {},
): Quantised {
  const where = "quantise.layerwise";
  const { filter, samples = 128, ...own } = given;
  const options = checked(where, defaults as Options, own) as typeof defaults;
  needOneOf(where, "by", options.by, ["shift", "large"]);
  needOneOf(where, "rule", options.rule, Object.keys(rules));
  needShare(where, "lowered", options.lowered);
  for (const bits of [options.high, options.low]) needWhole(where, "bits", bits);
  needWhole(where, "samples", samples);
  const places = kernelPlaces(where, network, filter);
  const layerOf = (path: string): string => path.split("/").slice(0, 2).join("/");
  const matter = mattersBy(network, options.by, data, samples, [...new Set(places.map(({ path }) => layerOf(path)))]);
  const order = [...matter].sort(([, a], [, b]) => a - b).map(([path]) => path);
  const low = new Set(order.slice(0, Math.round(options.lowered * order.length)));
  const { how, defaults: rest } = rules[options.rule as keyof typeof rules];
  const x = sampleOf(data, samples);
  try {
    const { weights, changes } = changedInTurn(where, network, places, x, (layer) => {
      const bits = low.has(layerOf(layer.path)) ? options.low : options.high;
      const codes = (how as How<object>).layer(layer, { ...rest, bits });
      return { codes, kernel: decoded(codes) };
    });
    return quantised("layerwise", options as unknown as Json, network, weights, changes, data);
  } finally {
    x.dispose();
  }
}

/** How much each layer matters, by its path. */
export function mattersBy(
  network: TrainedNetwork,
  by: string,
  data: Examples,
  samples: number,
  layers: readonly string[],
): ReadonlyMap<string, number> {
  if (by === "shift") return shifts(network, data, samples, layers);
  const places = kernelPlaces("quantise.layerwise", network);
  return new Map(
    layers.map((layer) => {
      const own = places.filter(({ path }) => path === layer || path.startsWith(`${layer}/`));
      const all = own.flatMap((place) => [...kernelAt(network.weights, place)]);
      const mean = all.reduce((sum, w) => sum + w, 0) / all.length;
      const deviation = Math.sqrt(all.reduce((sum, w) => sum + (w - mean) ** 2, 0) / all.length);
      return [layer, -all.filter((w) => w - mean > deviation).length / all.length];
    }),
  );
}

/** Minus the cosine between what comes into each layer and what goes out. */
function shifts(
  { structure, weights, statistics }: TrainedNetwork,
  data: Examples,
  samples: number,
  layers: readonly string[],
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const x = sampleOf(data, samples);
  tf.tidy(() => {
    const { mode } = tape(false, null, statistics, {
      around(path, given, run) {
        const out = run(given);
        const name = path.join("/");
        if (!layers.includes(name)) return out;
        if (String(given.shape) !== String(out.shape))
          throw new TypeError(
            `quantise.layerwise: by "shift" layers that give the shape they get are required, got ${name} from [${given.shape}] to [${out.shape}]; take by: "large", or leave it out`,
          );
        const lengths = tf.mul(tf.norm(given, 2, -1), tf.norm(out, 2, -1));
        const cosine = tf.mean(tf.div(tf.sum(tf.mul(given, out), -1), tf.maximum(lengths, 1e-12)));
        found.set(name, -cosine.dataSync()[0]!);
        return out;
      },
    });
    structure.features(weights, x, mode);
  });
  x.dispose();
  return found;
}
