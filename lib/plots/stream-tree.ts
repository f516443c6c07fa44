/** Labels that become finer, as a tree. */
import type { Stream } from "../streams/stream.ts";
import { type Figure, figure } from "./figure.ts";

/** What can be said of the tree of a stream. */
export interface StreamTreeOptions {
  readonly title?: string;
}

/**
 * Draws the tree of a stream whose tasks label the same test examples more and more finely: a column of nodes per task, each joined to the
 * coarser classes that its examples have.
 *
 * @example
 * ```ts
 * import { digits, hierarchy, streamTree } from "thalweg";
 * streamTree(hierarchy(digits(), 3)).data.length; // 2
 * ```
 */
export function streamTree(stream: Stream, { title = "Labels from coarse to fine" }: StreamTreeOptions = {}): Figure {
  if (stream.tasks === Infinity) throw new RangeError("streamTree: a stream that ends is required; slice it first");
  const levels = Array.from({ length: stream.tasks }, (_, task) => stream.test(task));
  const length = levels[0]!.examples.length;
  if (levels.some(({ examples }) => examples.length !== length))
    throw new TypeError(
      "streamTree: tasks that label the same test examples are required; make the stream with hierarchy()",
    );
  const order = [...Array(length).keys()].sort((a, b) => {
    for (const { examples } of levels) {
      const apart = examples.labels[a]! - examples.labels[b]!;
      if (apart !== 0) return apart;
    }
    return 0;
  });
  // a node stands in the middle of its examples, so that no two lines cross
  const place = levels.map(({ examples }) => {
    const sums = new Map<number, [sum: number, count: number]>();
    order.forEach((row, i) => {
      const [sum, count] = sums.get(examples.labels[row]!) ?? [0, 0];
      sums.set(examples.labels[row]!, [sum + i, count + 1]);
    });
    return new Map([...sums].map(([label, [sum, count]]) => [label, 1 - sum / count / length]));
  });
  const lines: { x: number[]; y: (number | null)[] } = { x: [], y: [] };
  levels.slice(1).forEach(({ examples }, i) => {
    const joined = new Set<string>();
    order.forEach((row) => {
      const [coarse, fine] = [levels[i]!.examples.labels[row]!, examples.labels[row]!];
      if (joined.has(`${coarse},${fine}`)) return;
      joined.add(`${coarse},${fine}`);
      lines.x.push(i, i + 1, i + 1);
      lines.y.push(place[i]!.get(coarse)!, place[i + 1]!.get(fine)!, null);
    });
  });
  const nodes = place.flatMap((level, i) =>
    [...level].map(([label, y]) => ({ x: i, y, text: short(stream.classes[label] ?? String(label)) })),
  );
  return figure({
    data: [
      { type: "scatter", ...lines, mode: "lines", showlegend: false, hoverinfo: "skip", connectgaps: false },
      {
        type: "scatter",
        x: nodes.map(({ x }) => x),
        y: nodes.map(({ y }) => y),
        text: nodes.map(({ text }) => text),
        mode: "markers+text",
        textposition: "top center",
        showlegend: false,
      },
    ],
    layout: {
      title: { text: title },
      height: Math.min(760, 120 + 26 * Math.max(6, ...place.map((level) => level.size))),
      xaxis: { title: { text: "task" }, dtick: 1, range: [-0.4, levels.length - 0.6] },
      yaxis: { showticklabels: false, showgrid: false, zeroline: false, range: [-0.05, 1.1] },
    },
  });
}

/** A name that fits between two columns of nodes. */
function short(name: string): string {
  return name.length > 12 ? `${name.slice(0, 11)}…` : name;
}
