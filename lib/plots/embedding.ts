/** Features in two dimensions. */
import type { Matrix } from "../metrics/parts/linear-algebra.ts";
import { type Figure, figure, type Trace } from "./figure.ts";
import { colourAt, colourOn } from "./parts/colour.ts";
import { principalComponents } from "./parts/principal-components.ts";
import { tsne } from "./parts/tsne.ts";
import { umap } from "./parts/umap.ts";

/** What can be said of an embedding. */
export interface EmbeddingOptions {
  /**
   * `pca` (the default) keeps distances and is exact; `tsne` keeps neighbours and takes O(n²) time per round; `umap` keeps neighbours, is
   * quicker for thousands of points, and needs the package `umap-js`.
   */
  readonly method?: "pca" | "tsne" | "umap";
  /** Names of the labels; `class 0`, `class 1`, … by default. */
  readonly names?: readonly string[];
  /** The number of neighbours t-SNE aims for; 30 by default, less for few points. */
  readonly perplexity?: number;
  /** The number of neighbours UMAP looks at; 15 by default, less for few points. */
  readonly neighbours?: number;
  /** What UMAP draws with: a run's own seed, say. Default 0. */
  readonly seed?: number;
  readonly title?: string;
}

/** What a picture says of its method, and of its axes. */
const words = {
  pca: { says: "principal components", axes: ["first component", "second component"] },
  tsne: { says: "t-SNE: neighbours stay near, distances mean little", axes: ["t-SNE 1", "t-SNE 2"] },
  umap: { says: "UMAP: neighbours stay near, distances mean little", axes: ["UMAP 1", "UMAP 2"] },
} as const;

/**
 * Draws features as points in the plane, coloured by label.
 *
 * `features` has a row per example. PCA shows the two directions of largest variance and says how much they hold; t-SNE (van der
 * Maaten and Hinton 2008) starts from PCA, and UMAP (McInnes, Healy and Melville 2018) draws with `seed`, so that the same features always
 * give the same picture.
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
  { method = "pca", names, perplexity, neighbours, seed = 0, title }: EmbeddingOptions = {},
): Figure {
  if (labels.length !== features.rows) {
    throw new RangeError(`embedding: a label for each of ${features.rows} examples is required, got ${labels.length}`);
  }
  const { points, shares } = principalComponents(features, 2);
  const placed = {
    pca: () => points,
    tsne: () => tsne(features, points, perplexity === undefined ? {} : { perplexity }),
    umap: () => umap(features, { seed, ...(neighbours === undefined ? {} : { neighbours }) }),
  }[method]();
  const { says, axes } = words[method];
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
          text: method === "pca" ? `${says}, ${percent[0]} and ${percent[1]} of the variance` : says,
        },
      },
      height: 420,
      xaxis: { title: { text: axes[0] }, showticklabels: false },
      yaxis: { title: { text: axes[1] }, showticklabels: false },
      showlegend: true,
    },
  });
}
