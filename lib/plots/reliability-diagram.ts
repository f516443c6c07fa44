/** Whether a classifier is as sure as it is right, as a picture. */
import type { Calibration } from "../metrics/calibration.ts";
import { type Figure, figure } from "./figure.ts";
import { colourAt, neutral } from "./parts/colour.ts";

/**
 * Draws accuracy against confidence, bin by bin: on the diagonal the classifier is calibrated, below it is too sure.
 *
 * The small bars at the bottom show how the examples are spread over the bins.
 *
 * @example
 * ```ts
 * import { calibration, reliabilityDiagram } from "thalweg";
 * const found = calibration({ data: [0.9, 0.1, 0.6, 0.4], rows: 2, columns: 2 }, [0, 1], { bins: 5 });
 * reliabilityDiagram(found).layout.title?.text; // "Reliability"
 * ```
 */
export function reliabilityDiagram({ bins, expected, maximum }: Calibration): Figure {
  const filled = bins.filter(({ count }) => count > 0);
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  const width = 1 / bins.length;
  const middles = bins.map(({ from, to }) => (from + to) / 2);
  return figure({
    data: [
      {
        type: "bar",
        name: "share of examples",
        x: middles,
        y: bins.map(({ count }) => count / total),
        width: width * 0.94,
        marker: { color: neutral, opacity: 0.3 },
      },
      { type: "scatter", name: "calibrated", x: [0, 1], y: [0, 1], line: { color: neutral, dash: "dash", width: 1.5 } },
      {
        type: "scatter",
        name: "accuracy",
        mode: "lines+markers",
        x: filled.map(({ confidence }) => confidence),
        y: filled.map(({ accuracy }) => accuracy),
        line: { color: colourAt(0), width: 2.2 },
        marker: { size: 7 },
      },
    ],
    layout: {
      title: {
        text: "Reliability",
        subtitle: {
          text: `expected calibration error ${(100 * expected).toFixed(1)}%, worst bin ${(100 * maximum).toFixed(1)}%`,
        },
      },
      barmode: "overlay",
      xaxis: { title: { text: "confidence" }, range: [0, 1], tickformat: ".0%" },
      yaxis: { title: { text: "accuracy" }, range: [0, 1], tickformat: ".0%" },
    },
  });
}
