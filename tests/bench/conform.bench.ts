/**
 * Published protocols on Fashion-MNIST: what each cell comes to, and which relations hold. PROTOCOLS names some (`DER20/split-mnist
 * HSU18/split-mnist`), SEEDS how many runs; RUNS is a folder in which runs are recorded, so that what was stopped goes on.
 */
import { fashionMnist } from "../../lib/data/fashion-mnist.ts";
import { type Conformance, conform, type Protocol, type Related, relationsMet } from "../../lib/sweeps/conform.ts";
import * as protocols from "../../lib/sweeps/protocols/index.ts";
import { record, reference } from "../support/reference.ts";

const seeds = Number(process.env.SEEDS ?? 1);
const runs = process.env.RUNS;
const wanted = process.env.PROTOCOLS?.split(/\s+/).filter(Boolean);
const data = await fashionMnist();
const round = (value: number): number => Number(value.toFixed(2));

interface Figures {
  readonly cells: Record<string, object>;
  readonly relations: readonly (Related & { relation: string })[];
}
const before = (reference().conformance ?? { cells: {}, relations: [] }) as Figures;
const cells: Record<string, object> = { ...before.cells };
let relations: readonly object[] = before.relations;
for (const protocol of Object.values(protocols) as Protocol[]) {
  if (wanted === undefined ? protocol.id.startsWith("AVALANCHE/permuted") : !wanted.includes(protocol.id)) continue;
  const outcomes: Conformance[] = [];
  for (const { name, published } of protocol.cells)
    for (const scenario of Object.keys(published)) {
      const outcome = await conform(protocol, scenario, name, data, {
        seeds,
        ...(runs !== undefined && { record: runs }),
      });
      outcomes.push(outcome);
      console.log(outcome.cell.padEnd(48), outcome.mean.toFixed(2).padStart(6), outcome.verdict);
      cells[outcome.cell] = {
        strategies: outcome.strategies,
        mean: Number.isFinite(outcome.mean) ? round(outcome.mean) : null,
        values: outcome.values.map(round),
        verdict: outcome.verdict,
        published: outcome.published,
      };
    }
  const found = relationsMet(protocol, outcomes).map((r) => ({ ...r, difference: round(r.difference) }));
  for (const { relation, difference, met } of found) console.log(met ? "met    " : "NOT MET", relation, difference);
  const own = `${protocol.id}: `;
  relations = [...relations.filter((r) => !(r as Related).relation.startsWith(own)), ...found];
  const sorted = Object.fromEntries(Object.entries(cells).sort(([a], [b]) => (a < b ? -1 : 1)));
  record("conformance", { data: data.name, program: "npx tsx tests/bench/conform.bench.ts", cells: sorted, relations });
}
