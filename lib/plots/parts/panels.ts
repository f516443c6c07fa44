/** Several panels in one figure, side by side or one above the other. */
import type { Annotation, Axis, Layout } from "./plotly.ts";

/** A panel among others: which axes its traces name, and the axes' layout. */
export interface Placed {
  readonly axes: { readonly xaxis: string; readonly yaxis: string };
  readonly layout: Layout;
  /** A heading above the panel. */
  heading(text: string): Annotation;
}

/** The panel at a position of a grid of `columns` × `rows`, counted from the top left, row after row. */
export function panelAt(
  index: number,
  grid: { readonly columns: number; readonly rows: number; readonly gapX?: number; readonly gapY?: number },
  { x = {}, y = {} }: { readonly x?: Axis; readonly y?: Axis } = {},
): Placed {
  const { columns, rows, gapX = 0.12, gapY = 0.2 } = grid;
  const [column, row] = [index % columns, Math.floor(index / columns)];
  const width = (1 - gapX * (columns - 1)) / columns;
  const height = (1 - gapY * (rows - 1)) / rows;
  const left = column * (width + gapX);
  const top = 1 - row * (height + gapY);
  const number = index === 0 ? "" : String(index + 1);
  const across: readonly [number, number] = [left, Math.min(1, left + width)];
  const up: readonly [number, number] = [Math.max(0, top - height), top];
  return {
    axes: { xaxis: `x${number}`, yaxis: `y${number}` },
    layout: {
      [`xaxis${number}`]: { domain: across, anchor: `y${number}`, ...x },
      [`yaxis${number}`]: { domain: up, anchor: `x${number}`, ...y },
    },
    heading: (text) => ({
      text,
      x: across[0],
      y: up[1],
      xref: "paper",
      yref: "paper",
      xanchor: "left",
      yanchor: "bottom",
      showarrow: false,
      font: { size: 12.5 },
    }),
  };
}
