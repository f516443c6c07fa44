/** What is lost as a network is made smaller. */
import type { PruneReport } from "../prune/pruning.ts";
import type { QuantiseReport } from "../quantise/quantising.ts";
import { type Figure, figure, type Layout } from "./figure.ts";
import { bandTraces, type Curve, overSeeds } from "./parts/bands.ts";
import { colourAt } from "./parts/colour.ts";

/** Reports of networks that were pruned, or that were quantised. */
export type Compression =
  | Pick<PruneReport, "sparsity" | "error" | "accuracy">
  | Pick<QuantiseReport, "bits" | "error" | "accuracy">;

/** What can be said of compression curves. */
export interface CompressionCurveOptions {
  /** What is drawn: the error of the logits (the default), or the accuracy. */
  readonly of?: "error" | "accuracy";
  readonly title?: string;
}

/**
 * Draws for each method what is lost against the share of zeros, or against the bits of a number, with a band over seeds.
 *
 * `methods` has for each method the reports of each seed. Reports must have been made with a table of examples. The accuracy of the network as it
 * was is a level line.
 *
 * @throws RangeError where reports of both kinds are given, or one that was made without examples.
 *
 * @example
 * ```ts
 * import { compressionCurve } from "thalweg";
 * const at = (sparsity: number, error: number) => ({ sparsity, error, accuracy: null });
 * compressionCurve({ magnitude: [[at(0.5, 0.1), at(0.8, 0.6)]], wanda: [[at(0.5, 0.05), at(0.8, 0.3)]] }).data.length; // 2
 * ```
 */
export function compressionCurve(
  methods: Readonly<Record<string, readonly (readonly Compression[])[]>>,
  { of = "error", title = "What is lost" }: CompressionCurveOptions = {},
): Figure {
  const all = Object.values(methods).flat(2);
  const pruned = all.filter((report) => "sparsity" in report).length;
  if (all.length === 0 || (pruned > 0 && pruned < all.length))
    throw new RangeError(
      `compressionCurve: reports of pruning or of quantising are required, got ${pruned} and ${all.length - pruned}`,
    );
  const seeds = Math.max(...Object.values(methods).map((runs) => runs.length));
  const traces = Object.entries(methods).flatMap(([name, runs], index) =>
    bandTraces(
      runs.map((reports) => curveOf(reports, of)),
      { name, colour: colourAt(index), width: 2.2, markers: true, limits: [0, of === "error" ? Infinity : 1] },
    ),
  );
  const before = all.flatMap(({ accuracy }) => (accuracy ? [accuracy.before] : []));
  const whole = before.reduce((sum, accuracy) => sum + accuracy, 0) / before.length;
  const places = all.map(placeOf);
  const ends = [Math.min(...places), Math.max(...places)];
  const asItWas = bandTraces([{ x: ends, y: ends.map(() => whole) }], {
    name: "as it was",
    colour: colourAt(Object.keys(methods).length),
    dash: "dash",
  });
  const told = [of === "error" ? "change of the logits, in variances of these" : "accuracy", overSeeds(seeds)];
  return figure({
    data: of === "accuracy" && before.length > 0 ? [...traces, ...asItWas] : traces,
    layout: {
      title: { text: title, subtitle: { text: told.filter((part) => part !== "").join(", ") } },
      xaxis:
        pruned > 0
          ? { title: { text: "share of zeros" }, tickformat: ".0%" }
          : { title: { text: "bits of a number" }, dtick: 1 },
      yaxis:
        of === "error"
          ? { title: { text: "error" }, rangemode: "tozero" }
          : { title: { text: "accuracy" }, tickformat: ".0%", range: [0, 1.02] },
    } satisfies Layout,
  });
}

const placeOf = (report: Compression): number => ("sparsity" in report ? report.sparsity : report.bits);

function curveOf(reports: readonly Compression[], of: "error" | "accuracy"): Curve {
  const points = reports
    .map(
      (report) => [Number(placeOf(report).toFixed(3)), of === "error" ? report.error : report.accuracy?.after] as const,
    )
    .sort(([a], [b]) => a - b);
  if (points.some(([, value]) => value === undefined))
    throw new RangeError(
      `compressionCurve: reports that tell the ${of} are required, got one that was made without examples with a class; give the table second: prune.magnitude(network, data)`,
    );
  return { x: points.map(([x]) => x), y: points.map(([, y]) => y!) };
}
