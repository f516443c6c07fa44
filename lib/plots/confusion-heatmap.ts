/** Which classes are taken for which, as a picture. */
import type { Confusion } from "../metrics/confusion.ts";
import { type Figure, figure } from "./figure.ts";

/**
 * Draws a confusion matrix: a row per true class, in shares of its examples, so that the diagonal is recall.
 *
 * `classes` names the classes.
 *
 * @example
 * ```ts
 * import { confusion, confusionHeatmap } from "thalweg";
 * confusionHeatmap(confusion([0, 0, 1], [0, 1, 1], 2), { classes: ["cat", "dog"] }).toText(); // cat: 50 50, dog: 0 100
 * ```
 */
export function confusionHeatmap(
  { counts, accuracy }: Confusion,
  { classes }: { readonly classes?: readonly string[] } = {},
): Figure {
  const names = classes ?? counts.map((_, label) => String(label));
  const shares = counts.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count) => (total === 0 ? null : count / total));
  });
  return figure({
    data: [
      {
        type: "heatmap",
        x: names,
        y: names,
        z: shares,
        text: shares.map((row) => row.map((share) => (share === null || share === 0 ? "" : (100 * share).toFixed(0)))),
        texttemplate: "%{text}",
        zmin: 0,
        zmax: 1,
        xgap: 1,
        ygap: 1,
        colorbar: { tickformat: ".0%" },
        hovertemplate: "%{y} taken for %{x}: %{z:.1%}<extra></extra>",
      },
    ],
    layout: {
      title: {
        text: "Confusion",
        subtitle: { text: `percent of each true class; accuracy ${(100 * accuracy).toFixed(1)}%` },
      },
      height: Math.min(600, 150 + 30 * Math.max(4, names.length)),
      xaxis: { type: "category", title: { text: "taken for" } },
      yaxis: { type: "category", autorange: "reversed", title: { text: "true class" } },
    },
  });
}
