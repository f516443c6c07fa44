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
