/** Which classes arrive when. */
import { summarise } from "../streams/audit.ts";
import type { Stream } from "../streams/stream.ts";
import { type Figure, figure } from "./figure.ts";
import { warning } from "./parts/warning.ts";

/** What can be said of the picture of a stream. */
export interface StreamTimelineOptions {
  /** At most so many experiences are drawn, at even distances; 60 by default. */
  readonly experiences?: number;
  /** At most so many rows of classes are drawn, the first ones; 40 by default. */
  readonly classes?: number;
  readonly title?: string;
}

/** From few to many; where nothing arrives there is no cell. */
const presence = [
  [0, "#c6dbef"],
  [1, "#08519c"],
] as const;

/**
 * Draws a stream before any training: a row per class, a column per experience, in each cell how many training examples of the class
 * arrive. Warnings (test examples that are trained on, examples that come twice) stand below the title.
 *
 * @example
 * ```ts
 * import { classes, digits, operators, streamTimeline } from "thalweg";
 * streamTimeline(operators.split(5)(classes(digits()))).toText(); // "Which classes arrive when…"
 * ```
 */
export function streamTimeline(
  stream: Stream,
  { experiences = 60, classes = 40, title = "Which classes arrive when" }: StreamTimelineOptions = {},
): Figure {
  const rows = summarise(stream, experiences);
  const labels = new Set(rows.flatMap(({ counts }) => [...counts.keys()]));
  const columns =
    stream.classes.length > 0
      ? stream.classes.map((_, c) => c)
      : [...labels].filter((l) => l >= 0).sort((a, b) => a - b);
  const drawn = [...columns.slice(0, classes), ...(labels.has(-1) ? [-1] : [])];
  const z = drawn.map((column) => rows.map(({ counts }) => counts.get(column) ?? null));
  const written = rows.length <= 12;
  return figure({
    data: [
      {
        type: "heatmap",
        z,
        x: rows.map(({ experience }) => String(experience)),
        y: distinct(drawn.map((column) => (column < 0 ? "no label" : (stream.classes[column] ?? `class ${column}`)))),
        ...(written && {
          text: z.map((row) => row.map((n) => (n === null ? "" : String(n)))),
          texttemplate: "%{text}" as const,
        }),
        colorscale: presence,
        zmin: 0,
        zmax: Math.max(1, ...z.flat().map((n) => n ?? 0)),
        xgap: rows.length > 30 ? 0 : 2,
        ygap: 2,
        colorbar: { title: { text: "examples" } },
        hoverongaps: false,
        hovertemplate: "experience %{x}, %{y}: %{z} examples<extra></extra>",
      },
    ],
    layout: {
      title: {
        text: title,
        subtitle: { text: subtitle(stream, rows.length, columns.length - Math.min(columns.length, classes)) },
      },
      height: Math.min(760, 150 + 24 * Math.max(4, drawn.length)),
      xaxis: { type: "category", title: { text: "experience" } },
      yaxis: { type: "category", autorange: "reversed" },
    },
  });
}

function subtitle(stream: Stream, drawn: number, hidden: number): string {
  const count =
    stream.length === Infinity ? "endless" : `${stream.length} ${stream.length === 1 ? "experience" : "experiences"}`;
  const tasks =
    stream.tasks === Infinity || stream.tasks === stream.length
      ? []
      : [`${stream.tasks} ${stream.tasks === 1 ? "task" : "tasks"}`];
  const told = stream.facts.length === 0 ? "nothing is told" : `told: ${stream.facts.join(", ")}`;
  const shown = stream.length === Infinity ? [`the first ${drawn}`] : drawn < stream.length ? [`${drawn} shown`] : [];
  const more = hidden > 0 ? [`${hidden} more classes`] : [];
  return [count, ...tasks, ...shown, ...more, `head ${stream.head}`, told, ...warning(stream)].join(" · ");
}

/** Names that are the same made different, so that each has a row of its own. */
function distinct(names: readonly string[]): string[] {
  const met = new Map<string, number>();
  return names.map((name) => {
    const times = (met.get(name) ?? 0) + 1;
    met.set(name, times);
    return times === 1 ? name : `${name} (${times})`;
  });
}
