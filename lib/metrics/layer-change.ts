/** What training has changed in a network, layer by layer. */
import type { Examples } from "../data/dataset.ts";
import { needWhole, withDefaults } from "../data/options.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { inside } from "../train/probes/inside.ts";
import { linearProbe } from "./linear-probe.ts";
import type { Matrix } from "./parts/linear-algebra.ts";
import { cka, rsa } from "./representation.ts";

/** One layer in two networks. */
export interface LayerChange {
  readonly layer: string;
  /** How alike its outputs are in both, 1 being the same. */
  readonly rsa: number;
  readonly cka: number;
  /** The share of examples whose class a linear classifier reads out of its outputs, before and after, by examples that it was not fitted to. */
  readonly probe: readonly [before: number, after: number] | null;
}

/**
 * Compares a network before and after training, layer by layer: whether its layers still hold examples alike or apart as they did, and
 * whether their classes can still be read out of them.
 *
 * Layers that hardly change need not be trained: `from(network).freeze(["2-dense", "4-dense"])` trains those above alone, and what frozen layers give is computed
 * once for each example. Of at most `rows` examples, evenly chosen (256 by default); a layer with several places for an example counts each. The
 * probe is fitted to the examples at even places and asked about the others; it is null for examples without one class, and where an example has several places.
 *
 * Implements: P219 Telly
 *
 * Shi et al. 2023, "Towards efficient fine-tuning of pre-trained code models: an experimental study and beyond", arXiv:2304.05216: similarity
 * analysis (section 3.2.2), probes of layers, and freezing the first layers.
 * Differs from the paper: probes read classes of the examples in place of properties of code, in closed form.
 *
 * @example
 * ```ts
 * import { blobs, classes, from, layerChange, mlp } from "thalweg";
 * const stream = classes(blobs());
 * const quiet = { quiet: true, record: false } as const;
 * const before = await (await stream.learn(mlp({ hidden: [8, 8] })).run(quiet)).network();
 * const after = await (await stream.learn(from(before)).run(quiet)).network();
 * layerChange(before, after, stream.experience(0).train).map(({ layer }) => layer); // ["2-dense", "4-dense"]
 * ```
 */
export function layerChange(
  before: TrainedNetwork,
  after: TrainedNetwork,
  examples: Examples,
  options: { readonly rows?: number } = {},
): LayerChange[] {
  const { rows } = withDefaults("layerChange", options, { rows: 256 } as { readonly rows: number });
  needWhole("layerChange", "rows", rows, 2);
  const [old, now] = [before, after].map(({ structure, weights, statistics }) =>
    inside(structure, [], { weights, statistics, states: {} }, examples, null),
  );
  return Object.entries(old!.activations ?? {}).flatMap(([layer, outputs]) => {
    const other = now!.activations?.[layer];
    if (other === undefined || other.rows !== outputs.rows) return [];
    const [a, b] = [thinned(outputs, rows), thinned(other, rows)];
    const labels = examples.targets === undefined && outputs.rows === examples.length ? examples.labels : null;
    return [
      {
        layer,
        rsa: rsa(a, b),
        cka: cka(a, b),
        probe: labels === null ? null : [probed(outputs, labels), probed(other, labels)],
      },
    ];
  });
}

/** At most so many rows, evenly chosen. */
function thinned({ data, rows, columns }: Matrix, most: number): Matrix {
  const places = Array.from({ length: Math.min(rows, most) }, (_, i) => Math.floor((i * rows) / Math.min(rows, most)));
  return chosen({ data, rows, columns }, places);
}

function chosen({ data, columns }: Matrix, places: readonly number[]): Matrix {
  const kept = places.flatMap((row) => Array.from({ length: columns }, (_, j) => data[row * columns + j]!));
  return { data: kept, rows: places.length, columns };
}

/** The accuracy of a probe on half of the examples that the other half was fitted to. */
function probed(outputs: Matrix, labels: Int32Array): number {
  const half = (odd: number): number[] => [...labels.keys()].filter((i) => i % 2 === odd);
  const [even, odd] = [half(0), half(1)];
  const classes = labels.reduce((most, label) => Math.max(most, label), 0) + 1;
  const probe = linearProbe(
    chosen(outputs, even),
    even.map((i) => labels[i]!),
    classes,
  );
  return probe.accuracy(
    chosen(outputs, odd),
    odd.map((i) => labels[i]!),
  );
}
