/** Where bars of several traces stand at one place: beside one another, stacked, or over one another. */
import type { Bar, Layout, Place, Trace } from "./plotly.ts";
import { axisOf } from "./scales.ts";
import type { Slot } from "./svg-shared.ts";

/** The slot of every bar trace of a figure. */
export function barSlots(data: readonly Trace[], layout: Layout): Map<Bar, Slot> {
  const bars = data.filter((trace): trace is Bar => trace.type === "bar");
  const panels = groups(bars);
  const filled = 1 - (layout.bargap ?? 0.2);
  const slots = new Map<Bar, Slot>();
  for (const together of panels.values()) {
    const unit = spacing(together.flatMap(placesOf));
    if (layout.barmode === "stack") stack(together, filled * unit, slots);
    else if (layout.barmode === "overlay")
      for (const bar of together) slots.set(bar, { offset: 0, width: filled * unit });
    else {
      const width = (filled * unit) / together.length;
      for (const [index, bar] of together.entries())
        slots.set(bar, { offset: (index - (together.length - 1) / 2) * width, width: width * 0.94 });
    }
  }
  return slots;
}

/** The places of a bar trace along the axis they stand on. */
export function placesOf(bar: Bar): readonly (Place | null)[] {
  return bar.orientation === "h" ? bar.y : bar.x;
}

/** The lengths of the bars, measured from their base. */
export function lengthsOf(bar: Bar): readonly (Place | null)[] {
  return bar.orientation === "h" ? bar.x : bar.y;
}

function groups(bars: readonly Bar[]): Map<string, Bar[]> {
  const found = new Map<string, Bar[]>();
  for (const bar of bars) {
    const key = `${axisOf(bar, "x")} ${axisOf(bar, "y")}`;
    found.set(key, [...(found.get(key) ?? []), bar]);
  }
  return found;
}

/** Bars of one sign stand on one another, as plotly's `relative` and `stack` modes do for bars of one sign. */
function stack(bars: readonly Bar[], width: number, slots: Map<Bar, Slot>): void {
  const reached = new Map<string, number>();
  for (const bar of bars) {
    const base = new Map<string, number>();
    placesOf(bar).forEach((place, index) => {
      const from = reached.get(String(place)) ?? 0;
      base.set(String(place), from);
      reached.set(String(place), from + Number(lengthsOf(bar)[index] ?? 0));
    });
    slots.set(bar, { offset: 0, width, base });
  }
}

/** The distance of neighbouring places; 1 on axes of categories. */
export function spacing(places: readonly (Place | null)[]): number {
  if (places.some((place) => typeof place === "string")) return 1;
  const sorted = [...new Set(places.map(Number))].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((place, index) => place - sorted[index]!);
  return gaps.length > 0 ? Math.min(...gaps) : 1;
}
