/** What published tables come to here, as a part of the catalogue: one table for each protocol. */
import { deviation } from "../../lib/metrics/parts/summaries.ts";
import { generated, type Protocol } from "../../lib/sweeps/conform.ts";
import * as protocols from "../../lib/sweeps/protocols/index.ts";
import { type Conformed, reference } from "./reference.ts";

type Cell = Conformed["cells"][string];

/** By name: the order of a namespace is the loader's. */
const all = (Object.values(protocols) as Protocol[]).sort((a, b) => (a.id < b.id ? -1 : 1));

/** The mean over seeds and, for several, their standard deviation. */
function here({ mean, values }: Cell): string {
  if (mean === null) return "the loss became infinite";
  return values.length > 1 ? `${mean.toFixed(2)} ± ${deviation(values).toFixed(2)}` : mean.toFixed(2);
}

/** The cells of a protocol that were run on the data of its source, as the rows of a table. */
function rows({ id, cells }: Protocol, recorded: Conformed): string[] {
  return Object.entries(recorded.cells).flatMap(([name, cell]) => {
    if (!name.startsWith(`${id}/`)) return [];
    const [scenario, ...rest] = name.slice(id.length + 1).split("/");
    const row = cells.find((c) => c.name === rest.join("/"));
    const [mean, spread] = row?.published[scenario!] ?? [];
    if (mean === undefined) return [];
    const known = cell.verdict === "out of band" && row?.differs !== undefined ? `: ${row.differs}` : "";
    const there = spread === undefined ? `${mean}` : `${mean} ± ${spread}`;
    return [
      `| ${scenario}/${rest.join("/")} | ${there} | ${here(cell)} | ${cell.values.length}${cell.diverged === undefined ? "" : `, and ${cell.diverged} diverged`} | ${cell.band ?? ""} | ${cell.verdict}${known} |`,
    ];
  });
}

/** "3 of 4 relations met on mnist", and those that are not. */
function relations({ id }: Protocol, data: string, recorded: Conformed): string[] {
  const own = recorded.relations.filter(({ relation }) => relation.startsWith(`${id}:`));
  if (own.length === 0) return [];
  const missed = own.filter(({ met }) => !met);
  const not = missed.map(
    ({ relation, asked, difference }) => `${relation.slice(id.length + 2)} (${asked}; here ${difference})`,
  );
  const all = own.length === 1 ? "The one relation is" : `${own.length - missed.length} of ${own.length} relations are`;
  return [
    `${all}${own.length === 1 && missed.length === 1 ? " not" : ""} met on ${data}${not.length > 0 ? `; not: ${not.join("; ")}` : ""}.`,
  ];
}

/** The part of the catalogue. */
export function published(): string {
  const recorded = (reference().conformance ?? {}) as Record<string, Conformed>;
  const nothing: Conformed = { cells: {}, relations: [] };
  const tables = all.flatMap((protocol) => {
    const table = rows(protocol, recorded[protocol.data ?? generated] ?? nothing);
    const told = Object.entries(recorded).flatMap(([data, of]) => relations(protocol, data, of));
    if (table.length + told.length === 0) return [];
    const spread = protocol.spread.kind === "floor" ? "bound from below" : `published, ± ${protocol.spread.kind}`;
    const head = `| cell | ${spread} | here, ± deviation | seeds | band | |\n|---|---|---|---|---|---|`;
    return [
      `### ${protocol.id}\n\n${protocol.source}.${table.length === 0 ? "" : `\n\n${head}\n${table.join("\n")}`}${told.length === 0 ? "" : `\n\n${told.join(" ")}`}\n`,
    ];
  });
  const cells = Object.values(recorded).flatMap(({ cells }) => Object.values(cells));
  const own = cells.filter(({ published, verdict }) => published !== null && verdict !== "band unknown");
  const unknown = Object.entries(recorded).flatMap(([data, { cells }]) =>
    Object.values(cells).filter(({ published, verdict }) => verdict === "band unknown" && published?.of === data),
  );
  const met = (of: readonly Cell[]): string =>
    `${of.filter(({ verdict }) => verdict === "in band").length} of ${of.length}`;
  const seeds = (from: number, to = from): Cell[] => own.filter(({ values: v }) => v.length >= from && v.length <= to);
  return `## Published numbers\n\nOf three seeds and more ${met(seeds(3, Infinity))} are in band, of two ${met(seeds(2))}; of one seed, whose bands are wide and which count for no method, ${met(seeds(1))}. Of ${unknown.length} more the band is unknown: their numbers were never read in the source, or their settings were not found. A bound from below is met from above, or where the 95 % interval of the seeds reaches it. Percent, or what the protocol says; \`npx thalweg conform\` runs them.\n\n${tables.join("\n")}`;
}
