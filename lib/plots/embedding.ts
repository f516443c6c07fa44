/** Features in two dimensions. */
import type { Matrix } from "../metrics/parts/linear-algebra.ts";
import { type Figure, figure, type Trace } from "./figure.ts";
import { colourAt, colourOn } from "./parts/colour.ts";
import { principalComponents } from "./parts/principal-components.ts";
import { tsne } from "./parts/tsne.ts";

/** What can be said of an embedding. */
export interface EmbeddingOptions {
  /** `pca` (the default) keeps distances and is exact; `tsne` keeps neighbours and takes O(n²) time per round. */
  readonly method?: "pca" | "tsne";
  /** Names of the labels; `class 0`, `class 1`, … by default. */
  readonly names?: readonly string[];
  /** The number of neighbours t-SNE aims for; 30 by default, less for few points. */
  readonly perplexity?: number;
  readonly title?: string;
}

/**
 * Draws features as points in the plane, coloured by label.
 *
 * `features` has a row per example. PCA shows the two directions of largest variance and says how much they hold; t-SNE (van der
 * Maaten and Hinton 2008) starts from PCA, so that the same features always give the same picture.
 *
 * @example
 * ```ts
 * import { embedding } from "thalweg";
 * const features = { data: [0, 0, 1, 1, 0, 1, 9, 8, 9], rows: 3, columns: 3 };
 * embedding(features, [0, 0, 1]).data.length; // 2: a trace per label
 * ```
 */
export function embedding(
  features: Matrix,
  labels: ArrayLike<number>,
  { method = "pca", names, perplexity, title }: EmbeddingOptions = {},
): Figure {
  if (labels.length !== features.rows) {
    throw new RangeError(`embedding: a label for each of ${features.rows} examples is required, got ${labels.length}`);
  }
  const { points, shares } = principalComponents(features, 2);
  const placed = method === "pca" ? points : tsne(features, points, perplexity === undefined ? {} : { perplexity });
  const found = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  const few = found.length <= 7;
  const percent = shares.map((share) => `${(100 * share).toFixed(0)}%`);
  return figure({
    data: found.map((label, order): Trace => {
      const rows = Array.from(labels).flatMap((own, row) => (own === label ? [row] : []));
      return {
        type: "scatter",
        mode: "markers",
        name: names?.[label] ?? `class ${label}`,
        x: rows.map((row) => placed[row]![0]),
        y: rows.map((row) => placed[row]![1]),
        marker: {
          size: 6,
          opacity: 0.75,
          color: few ? colourAt(order) : colourOn("accuracy", (0.95 * order) / (found.length - 1)),
        },
      };
    }),
    layout: {
      title: {
        text: title ?? "Features in the plane",
        subtitle: {
          text:
            method === "pca"
              ? `principal components, ${percent[0]} and ${percent[1]} of the variance`
              : "t-SNE: neighbours stay near, distances mean little",
        },
      },
      height: 420,
      xaxis: { title: { text: method === "pca" ? "first component" : "t-SNE 1" }, showticklabels: false },
      yaxis: { title: { text: method === "pca" ? "second component" : "t-SNE 2" }, showticklabels: false },
      showlegend: true,
    },
  });
}
