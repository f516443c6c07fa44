/** Who worked, waited and sent when. */
import { type Figure, figure, type Trace } from "./figure.ts";
import { palette } from "./parts/colour.ts";

/** A stretch of time of one machine. */
export interface MachineSpan {
  readonly machine: number;
  readonly kind: "work" | "wait" | "send";
  readonly what: string;
  /** Seconds. */
  readonly from: number;
  readonly to: number;
}

/** What can be said of the picture. */
export interface MachineTimelineOptions {
  readonly title?: string;
  /** Spans that begin later are not drawn, in seconds; default all. */
  readonly until?: number;
  /** At most so many machines are drawn, the first ones; 40 by default. */
  readonly machines?: number;
}

const kinds = [
  ["wait", "#b0b0b0", 2],
  ["send", palette[1]!, 4],
  ["work", palette[0]!, 9],
] as const;

/**
 * Draws machines as rows and time to the right: thick where one works, thin where it waits for a message, orange where it sends.
 *
 * @example
 * ```ts
 * import { machineTimeline } from "thalweg";
 * const spans = [
 *   { machine: 0, kind: "work", what: "gradient", from: 0, to: 2 },
 *   { machine: 1, kind: "wait", what: "gradient", from: 0, to: 3 },
 * ] as const;
 * machineTimeline(spans, ["worker", "server"]).data.length; // 2
 * ```
 */
export function machineTimeline(
  spans: readonly MachineSpan[],
  names: readonly string[],
  {
    title = "Who works, sends and waits",
    until = Number.POSITIVE_INFINITY,
    machines = 40,
  }: MachineTimelineOptions = {},
): Figure {
  const busy = new Set(spans.map(({ machine }) => machine));
  const rows = names
    .map((name, machine) => ({ name, machine }))
    .filter(({ machine }) => busy.has(machine))
    .slice(0, machines);
  const rowOf = new Map(rows.map(({ machine }, row) => [machine, row]));
  const drawn = spans.filter(({ machine, from }) => rowOf.has(machine) && from <= until);
  const data = kinds.flatMap(([kind, color, width]): Trace[] => {
    const own = drawn.filter((span) => span.kind === kind);
    if (own.length === 0) return [];
    return [
      {
        type: "scatter",
        mode: "lines",
        name: kind,
        x: own.flatMap(({ from, to }) => [from, to, to]),
        y: own.flatMap(({ machine }) => [rowOf.get(machine)!, rowOf.get(machine)!, null]),
        line: { color, width },
        connectgaps: false,
        hovertemplate: "%{x:.3f} s<extra></extra>",
      },
    ];
  });
  return figure({
    data,
    layout: {
      title: { text: title },
      height: Math.min(760, 150 + 24 * Math.max(3, rows.length)),
      xaxis: { title: { text: "simulated time (s)" } },
      yaxis: {
        tickvals: rows.map((_, row) => row),
        ticktext: rows.map(({ name }) => name),
        autorange: "reversed",
      },
    },
  });
}
