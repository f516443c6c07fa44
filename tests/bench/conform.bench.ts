/**
 * Published protocols: what each cell comes to, whether that is in the published band, and which relations hold. Runs on MNIST where its
 * files are found and on Fashion-MNIST, or on the one that DATA names. PROTOCOLS names some (`DER20/split-mnist HSU18/split-mnist`), SEEDS
 * how many runs; RUNS is a folder in which runs are recorded, so that what was stopped goes on. Files that are named are taken as they
 * are: the output of `npx thalweg conform … --json`.
 */
import { readFileSync } from "node:fs";
import type { Dataset, Kind } from "../../lib/data/dataset.ts";
import { fashionMnist } from "../../lib/data/fashion-mnist.ts";
import { mnist } from "../../lib/data/mnist.ts";
import { type Conformance, conform, type Protocol, relationsMet } from "../../lib/sweeps/conform.ts";
import * as protocols from "../../lib/sweeps/protocols/index.ts";
import { type Conformed, record, reference } from "../support/reference.ts";

const seeds = Number(process.env.SEEDS ?? 1);
const wanted = process.env.PROTOCOLS?.split(/\s+/).filter(Boolean);
const files = process.argv.slice(2);
const all = Object.values(protocols) as Protocol[];
const round = (value: number): number => Number(value.toFixed(2));

/** Adds outcomes of a protocol to the committed figures of a data set. */
function keep(data: string, outcomes: readonly Conformance[], protocol: Protocol): void {
  const before = (reference().conformance ?? {}) as Record<string, Conformed>;
  const cells = { ...before[data]?.cells };
  for (const { cell, strategies, mean, values, diverged, verdict, band, published } of outcomes) {
    const known = mean !== null && Number.isFinite(mean);
    console.log(data, cell.padEnd(48), known ? mean.toFixed(2).padStart(6) : "", verdict);
    cells[cell] = {
      strategies,
      mean: known ? round(mean) : null,
      values: values.map(round),
      ...(diverged > 0 && { diverged }),
      verdict,
      band: band === null ? null : round(band),
      published,
    };
  }
  // Of all cells so far: a relation may be between one that was run now and one that was run before.
  const known = Object.entries(cells).flatMap(([cell, of]) =>
    of.mean === null ? [] : [{ ...of, cell, mean: of.mean }],
  );
  const found = relationsMet(protocol, known).map((r) => ({ ...r, difference: round(r.difference) }));
  for (const { relation, difference, met } of found) console.log(met ? "met    " : "NOT MET", relation, difference);
  const others = (before[data]?.relations ?? []).filter(({ relation }) => !relation.startsWith(`${protocol.id}:`));
  const relations = [...others, ...found];
  const sorted = Object.fromEntries(Object.entries(cells).sort(([a], [b]) => (a < b ? -1 : 1)));
  record("conformance", { ...before, [data]: { cells: sorted, relations } });
}

const read = files.flatMap((file) => (JSON.parse(readFileSync(file, "utf8")) as { cells: Conformance[] }).cells);
for (const data of new Set(read.map((outcome) => outcome.data)))
  for (const protocol of all) {
    const own = read.filter((outcome) => outcome.data === data && outcome.cell.startsWith(`${protocol.id}/`));
    if (own.length > 0) keep(data, own, protocol);
  }
if (files.length === 0) {
  const found: Dataset<Kind>[] = [await fashionMnist()];
  await mnist({ download: false }).then(
    (data) => found.unshift(data),
    ({ message }: Error) => console.error(message),
  );
  for (const data of found.filter(({ name }) => name === (process.env.DATA ?? name)))
    for (const protocol of all) {
      if (protocol.data === null && data !== found[0]) continue;
      if (wanted === undefined ? protocol.id !== "DER20/split-mnist" : !wanted.includes(protocol.id)) continue;
      const options = { seeds, ...(process.env.RUNS !== undefined && { record: process.env.RUNS }) };
      const outcomes: Conformance[] = [];
      for (const { name, published } of protocol.cells)
        for (const scenario of Object.keys(published))
          outcomes.push(await conform(protocol, scenario, name, data, options));
      keep(outcomes[0]!.data, outcomes, protocol);
    }
}
