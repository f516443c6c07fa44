/** What each trace asks of its axes, and the axes that follow. */
import type { Bar, ErrorBars, Layout, Place, Trace } from "./plotly.ts";
import { axisOf, type Extent, type Scale, scaleOf, specOf } from "./scales.ts";
import { lengthsOf, placesOf, spacing } from "./slots.ts";
import { countsOf } from "./svg-bars.ts";
import type { Slot } from "./svg-shared.ts";

/** All axes of the figure, by id; axes that match share one range. */
export function scalesOf(data: readonly Trace[], layout: Layout, slots: ReadonlyMap<Bar, Slot>): Map<string, Scale> {
  const extents = new Map<string, Extent[]>();
  for (const trace of data) {
    for (const direction of ["x", "y"] as const) {
      const id = axisOf(trace, direction);
      const shared = specOf(layout, id).matches ?? id;
      extents.set(shared, [...(extents.get(shared) ?? []), extentOf(trace, direction, slots)]);
    }
  }
  const ids = new Set(data.flatMap((trace) => [axisOf(trace, "x"), axisOf(trace, "y")]));
  return new Map(
    [...ids].map((id) => {
      const own = specOf(layout, id);
      const spec = own.matches === undefined ? own : { ...sharedOf(layout, own.matches), ...own };
      return [id, scaleOf(id, spec, extents.get(own.matches ?? id) ?? [])];
    }),
  );
}

/** What a matching axis takes from the one it matches: its range, not its look. */
function sharedOf(layout: Layout, id: string) {
  const { range, type, autorange, rangemode, categoryarray } = specOf(layout, id);
  return Object.fromEntries(
    Object.entries({ range, type, autorange, rangemode, categoryarray }).filter(([, value]) => value !== undefined),
  );
}

function extentOf(trace: Trace, direction: "x" | "y", slots: ReadonlyMap<Bar, Slot>): Extent {
  switch (trace.type) {
    case "heatmap": {
      const counted = direction === "x" ? trace.z[0] : trace.z;
      const places = trace[direction] ?? Array.from({ length: counted?.length ?? 0 }, (_, index) => index);
      return { values: places, tight: true, margin: spacing(places) / 2 };
    }
    case "histogram":
      if (direction === "x") return { values: [trace.xbins.start, trace.xbins.end], tight: true };
      return { values: countsOf(trace), zero: true };
    case "bar": {
      const upright = trace.orientation !== "h";
      if ((direction === "x") === upright) return { values: placesOf(trace), margin: spacing(placesOf(trace)) / 2 };
      return { values: reach(trace, slots.get(trace)), zero: true };
    }
    case "box":
      return { values: direction === "x" ? (trace.x ?? [trace.name ?? "0"]) : trace.y };
    case "scatter": {
      const error = direction === "x" ? trace.error_x : trace.error_y;
      const values = spread(trace[direction], error);
      if (direction === "x") return { values, tight: !(trace.mode ?? "lines").includes("markers") };
      return { values, zero: trace.fill === "tozeroy" };
    }
  }
}

/** Where the bars of a trace begin and end, error bars included. */
function reach(bar: Bar, slot: Slot | undefined): (Place | null)[] {
  const error = bar.orientation === "h" ? bar.error_x : bar.error_y;
  const places = placesOf(bar);
  const starts = places.map((place, index) => bar.base?.[index] ?? slot?.base?.get(String(place)) ?? 0);
  const ends = lengthsOf(bar).map((length, index) => starts[index]! + Number(length ?? Number.NaN));
  const based = bar.base !== undefined || slot?.base !== undefined;
  return [...(based ? starts : []), ...spread(ends, error)];
}

function spread(values: readonly (Place | null)[], error: ErrorBars | undefined): readonly (Place | null)[] {
  if (error === undefined) return values;
  const minus = error.arrayminus ?? error.array;
  return values.flatMap((value, index) => [value, Number(value) - minus[index]!, Number(value) + error.array[index]!]);
}
