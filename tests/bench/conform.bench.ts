/**
 * Published protocols on Fashion-MNIST: what each cell comes to, and which relations hold. PROTOCOLS names some (`DER20/split-mnist
 * HSU18/split-mnist`), SEEDS how many runs; RUNS is a folder in which runs are recorded, so that what was stopped goes on. Files that are
 * named are taken as they are: the output of `npx thalweg conform … --json`.
 */
import { readFileSync } from "node:fs";
import { fashionMnist } from "../../lib/data/fashion-mnist.ts";
import { type Conformance, conform, type Protocol, type Related, relationsMet } from "../../lib/sweeps/conform.ts";
import * as protocols from "../../lib/sweeps/protocols/index.ts";
import { record, reference } from "../support/reference.ts";

const seeds = Number(process.env.SEEDS ?? 1);
const runs = process.env.RUNS;
const wanted = process.env.PROTOCOLS?.split(/\s+/).filter(Boolean);
const files = process.argv.slice(2);

interface Figures {
  readonly data: string;
  readonly cells: Record<string, object>;
  readonly relations: readonly Related[];
}

/** Adds outcomes of a protocol to the committed figures. */
function keep(data: string, outcomes: readonly Conformance[], protocol: Protocol): void {
  const round = (value: number): number => Number(value.toFixed(2));
  const before = (reference().conformance ?? { data, cells: {}, relations: [] }) as Figures;
  const cells = { ...before.cells };
  for (const { cell, strategies, mean, values, verdict, published } of outcomes) {
    console.log(cell.padEnd(48), mean === null ? "" : mean.toFixed(2).padStart(6), verdict);
    const found = Number.isFinite(mean) ? round(mean) : null;
    cells[cell] = { strategies, mean: found, values: values.map(round), verdict, published };
  }
  const found = relationsMet(protocol, outcomes).map((r) => ({ ...r, difference: round(r.difference) }));
  for (const { relation, difference, met } of found) console.log(met ? "met    " : "NOT MET", relation, difference);
  const asked = new Set(found.map(({ relation }) => relation));
  const relations = [...before.relations.filter(({ relation }) => !asked.has(relation)), ...found];
  const sorted = Object.fromEntries(Object.entries(cells).sort(([a], [b]) => (a < b ? -1 : 1)));
  record("conformance", { data, program: "npx tsx tests/bench/conform.bench.ts", cells: sorted, relations });
}

const all = Object.values(protocols) as Protocol[];
if (files.length > 0) {
  const read = files.map((file) => JSON.parse(readFileSync(file, "utf8")) as { data: string; cells: Conformance[] });
  for (const protocol of all) {
    const own = read.flatMap(({ cells }) => cells).filter(({ cell }) => cell.startsWith(`${protocol.id}/`));
    if (own.length > 0) keep(read[0]!.data, own, protocol);
  }
} else {
  const data = await fashionMnist();
  for (const protocol of all) {
    if (wanted === undefined ? protocol.id.startsWith("AVALANCHE/permuted") : !wanted.includes(protocol.id)) continue;
    const outcomes: Conformance[] = [];
    const options = { seeds, ...(runs !== undefined && { record: runs }) };
    for (const { name, published } of protocol.cells)
      for (const scenario of Object.keys(published))
        outcomes.push(await conform(protocol, scenario, name, data, options));
    keep(data.name, outcomes, protocol);
  }
}
