/** Where experiences begin, as upright lines behind the curves. */
import type { TrainEvent } from "../../train/events.ts";
import type { Shape } from "./plotly.ts";

/** A thin line at the first step of every experience but the first; none when there are more than a picture can hold. */
export function boundaryLines(
  events: readonly TrainEvent[],
  axes: { xref?: string; yref?: string } = {},
): { shapes?: Shape[] } {
  const steps = events.flatMap((event) => (event.type === "boundary" && event.step > 0 ? [event.step] : []));
  if (steps.length === 0 || steps.length > 60) return {};
  const { xref = "x", yref = "y domain" } = axes;
  return {
    shapes: steps.map((step) => ({
      type: "line",
      layer: "below",
      xref,
      yref,
      x0: step,
      x1: step,
      y0: 0,
      y1: 1,
      line: { color: "rgba(128,136,148,0.55)", width: 1, dash: "dot" },
    })),
  };
}
