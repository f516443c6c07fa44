/** How alike representations are: of layers, of tasks, of networks, of moments. */
import { type Figure, figure } from "./figure.ts";

/** What can be said of the picture. */
export interface SimilarityHeatmapOptions {
  /** Names of the rows; those of the columns are the same unless said. */
  readonly names?: readonly string[];
  readonly columns?: readonly string[];
  readonly title?: string;
}

/**
 * Draws a table of similarities from 0 (unrelated) to 1 (the same), such as the CKA of every layer before and after a task.
 *
 * @example
 * ```ts
 * import { similarityHeatmap } from "thalweg";
 * similarityHeatmap([[1, 0.4], [0.4, 1]], { names: ["layer 1", "layer 2"] }).data.length; // 1
 * ```
 */
export function similarityHeatmap(
  values: readonly (readonly number[])[],
  { names, columns = names, title = "Similarity of representations" }: SimilarityHeatmapOptions = {},
): Figure {
  return figure({
    data: [
      {
        type: "heatmap",
        z: values,
        x: columns ?? values[0]?.map((_, index) => String(index)) ?? [],
        y: names ?? values.map((_, index) => String(index)),
        text: values.map((row) => row.map((value) => value.toFixed(2))),
        texttemplate: "%{text}",
        zmin: 0,
        zmax: 1,
        xgap: 1,
        ygap: 1,
      },
    ],
    layout: {
      title: { text: title },
      height: Math.min(600, 110 + 32 * Math.max(4, values.length)),
      xaxis: { type: "category" },
      yaxis: { type: "category", autorange: "reversed" },
    },
  });
}
