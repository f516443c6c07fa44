/** Published protocols as data, and runs of them against their published numbers. */
import type { Dataset, Kind } from "../data/dataset.ts";
import type { Model } from "../models/model.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { constant } from "../optim/schedules/constant.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { Stream } from "../streams/stream.ts";
import { fit } from "../train/fit.ts";
import { evaluation, type Training, training } from "../train/spec.ts";

/** One number of a published table: a method, its settings there, and what was reported. */
export interface PublishedCell {
  /** The method's name in the table: `"er-200"`. */
  readonly name: string;
  readonly strategies: readonly Strategy[];
  /** Settings that differ from the protocol's. */
  readonly optimizer?: Optimizer;
  readonly training?: Partial<Training>;
  /** Published mean accuracies in percent by scenario; with the standard error or deviation where it was given. */
  readonly published: Readonly<Record<string, readonly [mean: number, spread?: number]>>;
  /** How the settings here differ from those of the source. */
  readonly differs?: string;
}

/** A published experiment: everything but the method. */
export interface Protocol {
  /** `"DER20/split-mnist"`. */
  readonly id: string;
  readonly source: string;
  /** The data set of the published numbers, by name. */
  readonly data: string;
  /** The stream over it (or over a data set of the same form), and the scenario whose accuracy is asked for. */
  readonly scenarios: Readonly<
    Record<string, { stream(data: Dataset<Kind>): Stream; readonly told: "taskAware" | "taskAgnostic" }>
  >;
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly training: Partial<Training>;
  /** What the spread of the published numbers is, over how many runs. */
  readonly spread: { readonly kind: "error" | "deviation"; readonly runs: number };
  /** Conventions of the source that differ between libraries. */
  readonly conventions: readonly string[];
  readonly cells: readonly PublishedCell[];
}

/** The outcome of a cell. */
export interface Conformance {
  /** `"DER20/split-mnist/class/er-200"`. */
  readonly cell: string;
  readonly data: string;
  /** Mean over tasks of the accuracy after the last experience, in percent, for each seed; and the mean over seeds. */
  readonly values: readonly number[];
  readonly mean: number;
  /** The published mean and how far from it is still in band; null where the data is not that of the source. */
  readonly published: number | null;
  readonly band: number | null;
  readonly verdict: "in band" | "out of band" | "band unknown";
  readonly conventions: readonly string[];
}

/**
 * How far from a published mean an independent mean may lie: for standard errors three of them, widened by the root of the ratio of seeds;
 * for deviations two of them over the root of the seeds plus one point; two points at the least.
 */
export function bandOf({ spread: { kind, runs } }: Protocol, spread: number | undefined, seeds: number): number {
  if (spread === undefined) return 2;
  if (kind === "error") return Math.max(2, 3 * spread * Math.sqrt(runs / seeds));
  return Math.max(2, (2 * spread) / Math.sqrt(seeds) + 1);
}

/** What `conform` can be told. */
export interface ConformOptions {
  /** How many seeds, from 0. Default 3. */
  readonly seeds?: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs one cell of a published table and says whether the outcome is within the published band.
 *
 * On another data set of the same form than the published one the verdict is "band unknown". Throws a RangeError for a scenario or a cell
 * that the protocol does not have.
 */
export async function conform(
  protocol: Protocol,
  scenario: string,
  name: string,
  data: Dataset<Kind>,
  { seeds = 3, signal }: ConformOptions = {},
): Promise<Conformance> {
  const asked = protocol.scenarios[scenario];
  if (asked === undefined)
    throw new RangeError(
      `conform: one of the scenarios ${Object.keys(protocol.scenarios).join(", ")} is required, got ${scenario}`,
    );
  const cell = protocol.cells.find((c) => c.name === name);
  if (cell === undefined)
    throw new RangeError(
      `conform: one of the cells ${protocol.cells.map((c) => c.name).join(", ")} is required, got ${name}`,
    );
  const values: number[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const fitting = fit(
      {
        stream: asked.stream(data),
        model: protocol.model,
        strategies: cell.strategies,
        optimizer: cell.optimizer ?? protocol.optimizer,
        schedule: constant(),
        training: training({ ...protocol.training, ...cell.training }),
        evaluation: evaluation({ every: "end", atStart: false }),
      },
      { seed, ...(signal !== undefined && { signal }) },
    );
    const last = new Map<number, number>();
    for await (const event of fitting)
      if (event.type === "evaluated" && event.at === "experience") last.set(event.on, event[asked.told]);
    fitting.dispose();
    values.push((100 * [...last.values()].reduce((a, b) => a + b, 0)) / last.size);
  }
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const [published, spread] = cell.published[scenario] ?? [null];
  const known = data.name === protocol.data && published !== null;
  const band = known ? bandOf(protocol, spread, seeds) : null;
  return {
    cell: `${protocol.id}/${scenario}/${name}`,
    data: data.name,
    values,
    mean,
    published: known ? published : null,
    band,
    verdict: band === null ? "band unknown" : Math.abs(mean - published!) <= band ? "in band" : "out of band",
    conventions: cell.differs === undefined ? protocol.conventions : [...protocol.conventions, cell.differs],
  };
}
