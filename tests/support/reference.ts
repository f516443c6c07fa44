/** The committed figures: what the benchmarks measured and the accuracies that programs are expected to reach. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Conformance, Related } from "../../lib/sweeps/conform.ts";

/** What published protocols came to on a data set: their cells by name, and the relations between them. */
export interface Conformed {
  readonly cells: Readonly<
    Record<
      string,
      {
        readonly strategies: readonly string[];
        /** Null where the loss became infinite. */
        readonly mean: number | null;
        /** One for each seed whose loss stayed finite, and how many did not. */
        readonly values: readonly number[];
        readonly diverged?: number;
        readonly verdict: Conformance["verdict"];
        readonly band: number | null;
        readonly published: Conformance["published"];
      }
    >
  >;
  readonly relations: readonly Related[];
}

/** What the study of a row of the systems catalogue may come to: the direction of its headline is there, is not, or lies within the noise. */
export const studyOutcomes = ["holds", "does not hold here", "undecided"] as const;

/** A small experiment that shows the direction of the headline of a row of the systems catalogue, on data we have. */
export interface Study {
  /** What the source says, in one sentence of ours. */
  readonly headline: string;
  readonly outcome: (typeof studyOutcomes)[number];
  /** The numbers that decide it, by what they measure; with several seeds the mean and its 95% interval. */
  readonly figures: Readonly<
    Record<string, number | { readonly mean: number; readonly interval: readonly [low: number, high: number] }>
  >;
  readonly seeds: number;
}

const file = new URL("../bench/reference.json", import.meta.url);

/** All committed figures, by the name of the benchmark. */
export function reference(): Record<string, unknown> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>) : {};
}

/** Writes the figures of one benchmark; those of the others stay. */
export function record(name: string, figures: unknown): void {
  const all = { ...reference(), [name]: figures };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`);
}

/** Writes what the study of one row came to; those of the others stay. */
export function recordStudy(id: string, study: Study): void {
  const all = { ...(reference().studies as Record<string, Study> | undefined), [id]: study };
  record("studies", Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))));
}
