/** The loss on the straight way from one set of weights to another. */
import { type Figure, figure } from "./figure.ts";
import { bandTraces } from "./parts/bands.ts";
import { colourAt } from "./parts/colour.ts";

/** Losses along the way, by what they are of: a task, a method. Several lists are several seeds. */
export interface Interpolation {
  /** The share of the way at each point: 0 the first weights, 1 the second; may go beyond both. */
  readonly shares: readonly number[];
  readonly losses: Readonly<Record<string, readonly (readonly number[])[]>>;
}

/**
 * Draws the loss against the share of the way between two checkpoints, mean and 95% interval over seeds.
 *
 * A bump between them is a barrier: the two solutions lie in different valleys. `ends` names the checkpoints.
 * Goodfellow, Vinyals and Saxe 2015, arXiv:1412.6544; for tasks in sequence, Mirzadeh et al. 2021, arXiv:2010.04495.
 *
 * @example
 * ```ts
 * import { lossLandscape } from "thalweg";
 * lossLandscape({ shares: [0, 0.5, 1], losses: { "task 0": [[0.1, 0.9, 0.4]] } }).data.length; // 1
 * ```
 */
export function lossLandscape(
  { shares, losses }: Interpolation,
  { ends = ["first weights", "second weights"] }: { readonly ends?: readonly [string, string] } = {},
): Figure {
  for (const [name, lists] of Object.entries(losses)) {
    for (const list of lists) {
      if (list.length !== shares.length) {
        throw new RangeError(
          `lossLandscape: a loss for each of ${shares.length} points is required, got ${list.length} for ${name}`,
        );
      }
    }
  }
  const marks = [0, 1].map((share) => ({
    type: "line" as const,
    layer: "below" as const,
    x0: share,
    x1: share,
    y0: 0,
    y1: 1,
    yref: "y domain",
    line: { color: "rgba(128,136,148,0.7)", width: 1, dash: "dot" as const },
  }));
  return figure({
    data: Object.entries(losses).flatMap(([name, lists], index) =>
      bandTraces(
        lists.map((list) => ({ x: shares, y: list })),
        { name, colour: colourAt(index), width: 2.2, limits: [0, Number.POSITIVE_INFINITY] },
      ),
    ),
    layout: {
      title: { text: "Loss between checkpoints", subtitle: { text: "on the straight line in the space of weights" } },
      xaxis: { title: { text: `share of the way from ${ends[0]} to ${ends[1]}` } },
      yaxis: { title: { text: "loss (nats)" }, rangemode: "tozero" },
      showlegend: true,
      shapes: marks,
    },
  });
}
