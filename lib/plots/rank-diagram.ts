/** The critical-difference diagram: mean ranks of methods on a line, bars joining those that cannot be told apart. */
import type { CriticalDifference } from "../metrics/critical-difference.ts";
import { type Figure, figure, type Trace } from "./figure.ts";
import { colourAt, neutral } from "./parts/colour.ts";
import type { Annotation } from "./parts/plotly.ts";

/**
 * Draws what `criticalDifference` found: better ranks to the left, thick bars over groups of methods that do not differ.
 *
 * Demšar 2006, "Statistical comparisons of classifiers over multiple data sets", figure 1.
 *
 * @example
 * ```ts
 * import { criticalDifference, rankDiagram } from "thalweg";
 * const found = criticalDifference({ naive: [0.2, 0.3, 0.2], replay: [0.8, 0.7, 0.9], joint: [0.9, 0.9, 0.8] });
 * rankDiagram(found).layout.title?.text; // "Mean ranks"
 * ```
 */
export function rankDiagram({ methods, ranks, difference, groups, friedman, blocks }: CriticalDifference): Figure {
  const order = methods.map((_, index) => index).sort((a, b) => ranks[a]! - ranks[b]!);
  const half = Math.ceil(order.length / 2);
  const edges = [0.7, methods.length + 0.3] as const;
  /** Better methods are named at the left, from the best down; worse ones at the right, from the worst down. */
  const places = order.map((method, place) => {
    const left = place < half;
    return { method, edge: edges[left ? 0 : 1], left, depth: -0.8 - (left ? place : order.length - 1 - place) };
  });
  const lines = places.map(
    ({ method, edge, depth }, place): Trace => ({
      type: "scatter",
      name: methods[method]!,
      x: [ranks[method]!, ranks[method]!, edge],
      y: [0, depth, depth],
      line: { color: colourAt(place), width: 1.5 },
      showlegend: false,
    }),
  );
  const points: Trace = {
    type: "scatter",
    mode: "markers",
    name: "mean rank",
    x: order.map((method) => ranks[method]!),
    y: order.map(() => 0),
    marker: { color: order.map((_, place) => colourAt(place)), size: 9 },
    text: order.map((method) => `${methods[method]!}: ${ranks[method]!.toFixed(2)}`),
    showlegend: false,
  };
  const joins = groups.map((group, index): Trace => {
    const found = group.map((name) => ranks[methods.indexOf(name)]!);
    const y = 0.55 + 0.4 * index;
    return {
      type: "scatter",
      name: group.join(", "),
      x: [Math.min(...found), Math.max(...found)],
      y: [y, y],
      line: { color: neutral, width: 5 },
      showlegend: false,
    };
  });
  const labels = places.map(
    ({ method, edge, left, depth }): Annotation => ({
      text: `${methods[method]!} ${ranks[method]!.toFixed(2)}`,
      x: edge,
      y: depth,
      xanchor: left ? "left" : "right",
      yanchor: "bottom",
      showarrow: false,
      font: { size: 12.5 },
    }),
  );
  const told = friedman.p < 0.001 ? "p < 0.001" : `p = ${friedman.p.toFixed(3)}`;
  return figure({
    data: [...lines, ...joins, points],
    layout: {
      title: {
        text: "Mean ranks",
        subtitle: {
          text: `${blocks} blocks; bars join methods closer than ${difference.toFixed(2)}; Friedman ${told}`,
        },
      },
      height: 150 + 30 * (half + groups.length),
      xaxis: { range: edges, dtick: 1, side: "top", title: { text: "mean rank (1 is best)" } },
      yaxis: { visible: false, range: [-half - 0.3, 0.8 + 0.4 * groups.length], showgrid: false },
      annotations: labels,
    },
  });
}
