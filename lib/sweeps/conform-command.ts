/** The words of `thalweg conform`: which cells there are, running them, and what came out. */
import { parseArgs } from "node:util";
import { cifar100 } from "../data/cifar100.ts";
import type { Dataset, Kind } from "../data/dataset.ts";
import { digits } from "../data/digits.ts";
import { fashionMnist } from "../data/fashion-mnist.ts";
import { fractals } from "../data/fractals.ts";
import { fromFolder } from "../data/from-folder.ts";
import { mnist } from "../data/mnist.ts";
import type { Progress } from "../runs/progress.ts";
import { bandOf, type Conformance, conform, generated, type Protocol, type Related, relationsMet } from "./conform.ts";
import * as all from "./protocols/index.ts";

/** A cell of a protocol under one of its scenarios. */
interface Listed {
  readonly id: string;
  readonly protocol: Protocol;
  readonly scenario: string;
  readonly name: string;
  readonly strategies: readonly string[];
}

const sets: Record<string, (folder?: string) => Promise<Dataset<Kind>>> = {
  "fashion-mnist": (folder) => fashionMnist(folder === undefined ? {} : { folder }),
  mnist: (folder) => mnist(folder === undefined ? {} : { folder }),
  digits: async () => digits(),
  fractals: async () => fractals({ testPerClass: 20, sizePixels: 28, seed: 1 }),
  cifar100: (folder) => cifar100(folder === undefined ? { download: false } : { folder }),
  "imagenet-r": (folder) => fromImages("imagenet-r", folder),
  cub: (folder) => fromImages("cub", folder),
};

/** Images in folders by class, as photographs of 224×224. */
async function fromImages(name: string, folder: string | undefined): Promise<Dataset<Kind>> {
  if (folder === undefined)
    throw new Error(
      `conform: the folder of the images of ${name} is required, got none; give --folder, with a folder for each class`,
    );
  return fromFolder(folder, { name, shape: [224, 224, 3] });
}

/** What most published numbers are of, where it is at hand; else what has its form. */
const atHand = (): Promise<Dataset<Kind>> => mnist({ download: false }).catch(() => fashionMnist());

/** How the command is called. */
export const conformUsage = `thalweg conform [cell] [--strategy name] [--seeds n] [--data ${Object.keys(sets).join(" | ")}] [--folder path] [--record folder] [--json]
  Runs published protocols and says whether the outcome is in the published band: on MNIST where its files are found, else on
  Fashion-MNIST, where relations between methods are told and bands are unknown. Without a cell lists them; "DER20/split-mnist" is all below it.
  Runs are recorded (default: runs/conform), so that what was stopped goes on. Exit code 1 when a number is out of band or a relation not met.`;

/** Every cell of every protocol; those without a published number under all scenarios of theirs, for the relations between them. */
export function conformCells(): Listed[] {
  return (Object.values(all) as Protocol[]).flatMap((protocol) =>
    protocol.cells.flatMap(({ name, strategies, published }) =>
      Object.keys(Object.keys(published).length === 0 ? protocol.scenarios : published).map((scenario) => ({
        id: `${protocol.id}/${scenario}/${name}`,
        protocol,
        scenario,
        name,
        strategies: strategies.map((s) => s.spec.name),
      })),
    ),
  );
}

/** Where the command says what it does. */
export interface Voice {
  /** Results: standard output. */
  out(line: string): void;
  /** What is going on: standard error. */
  note(line: string): void;
  readonly signal: AbortSignal;
}

/** Runs the command; resolves to its exit code. Throws an error whose name is UsageError when it is called wrongly. */
export async function conformCommand(argv: readonly string[], { out, note, signal }: Voice): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      strategy: { type: "string" },
      seeds: { type: "string", default: "1" },
      data: { type: "string" },
      folder: { type: "string" },
      record: { type: "string", default: "runs/conform" },
      json: { type: "boolean", default: false },
    },
  });
  const seeds = Number(values.seeds);
  if (!Number.isSafeInteger(seeds) || seeds < 1)
    throw usage(`--seeds: a whole number of at least 1 is required, got ${values.seeds}`);
  if (values.data !== undefined && sets[values.data] === undefined)
    throw usage(`--data: one of ${Object.keys(sets).join(", ")} is required, got ${values.data}`);
  if (positionals.length > 1) throw usage(conformUsage);
  const [wanted] = positionals;
  const chosen = conformCells().filter(
    ({ id, strategies }) =>
      (wanted === undefined || id === wanted || id.startsWith(`${wanted.replace(/\/$/, "")}/`)) &&
      (values.strategy === undefined || strategies.includes(values.strategy)),
  );
  if (chosen.length === 0)
    throw usage(
      `conform: a cell that exists is required, got ${[wanted, values.strategy].filter(Boolean).join(" with ")}; \`thalweg conform\` lists them`,
    );
  if (wanted === undefined && values.strategy === undefined) {
    out(values.json ? JSON.stringify(chosen.map(asJson), null, 2) : listing(chosen));
    return 0;
  }

  const protocols = [...new Set(chosen.map(({ protocol }) => protocol))];
  const read = await dataOf(protocols, values.data ?? (values.folder && "mnist"), values.folder, note);
  const outcomes: Conformance[] = [];
  for (const [at, { id, protocol, scenario, name }] of chosen.entries()) {
    const data = read.get(protocol);
    if (signal.aborted) break;
    if (data === undefined) continue;
    const progress = following(`${at + 1} of ${chosen.length}: ${id}`, note);
    try {
      outcomes.push(await conform(protocol, scenario, name, data, { seeds, signal, progress, record: values.record }));
    } catch (error) {
      if (signal.aborted) break;
      throw error;
    }
    if (!values.json) out(sentence(outcomes.at(-1)!));
  }
  const relations = protocols.flatMap((p) => relationsMet(p, outcomes));
  if (values.json)
    out(
      JSON.stringify(
        { data: [...read.values()].map(({ name: of }) => of).join(), seeds, cells: outcomes, relations },
        null,
        2,
      ),
    );
  else for (const relation of relations) out(said(relation));
  if (signal.aborted) {
    note("Stopped. The same command goes on from here.");
    return 130;
  }
  return outcomes.some(({ verdict }) => verdict === "out of band") || relations.some(({ met }) => !met) ? 1 : 0;
}

/** The data for each protocol: what was asked for, else its own. Those whose data is not there are left out, if others are. */
async function dataOf(
  protocols: readonly Protocol[],
  asked: string | undefined,
  folder: string | undefined,
  note: (line: string) => void,
): Promise<Map<Protocol, Dataset<Kind>>> {
  const read = new Map<string, Promise<Dataset<Kind>>>();
  const found = new Map<Protocol, Dataset<Kind>>();
  for (const protocol of protocols) {
    const set = asked ?? (protocol.data === "mnist" ? "" : (protocol.data ?? ""));
    if (!read.has(set)) read.set(set, (sets[set] ?? atHand)(folder));
    try {
      found.set(protocol, await read.get(set)!);
    } catch (error) {
      if (protocols.length === 1) throw error;
      note(`${protocol.id} is left out: ${(error as Error).message}`);
    }
  }
  if (found.size === 0) throw new Error(`conform: none of the data sets that are required was found`);
  return found;
}

function usage(message: string): Error {
  return Object.assign(new Error(message), { name: "UsageError" });
}

function asJson({ id, protocol, scenario, name, strategies }: Listed): object {
  const [mean, spread] = protocol.cells.find((cell) => cell.name === name)!.published[scenario] ?? [];
  return {
    cell: id,
    strategies,
    data: protocol.data ?? generated,
    ...(mean !== undefined && { published: mean }),
    ...(spread !== undefined && { spread }),
    source: protocol.source,
  };
}

function listing(cells: readonly Listed[]): string {
  let source = "";
  const width = Math.max(...cells.map(({ id }) => id.length));
  return cells
    .flatMap(({ id, protocol, scenario, name }) => {
      const [mean, spread] = protocol.cells.find((cell) => cell.name === name)!.published[scenario] ?? [];
      const band = bandOf(protocol, spread, 3);
      const room = protocol.spread.kind === "floor" ? "at least" : `± ${band.toFixed(1)}`;
      const number = mean === undefined ? "nothing published" : `${mean.toFixed(2).padStart(6)} ${room}`;
      const row = `  ${id.padEnd(width)}  ${number}`;
      const head =
        protocol.source === source
          ? []
          : [`${source === "" ? "" : "\n"}${protocol.source} (${protocol.data ?? generated})`];
      source = protocol.source;
      return [...head, row];
    })
    .join("\n");
}

function sentence({ cell, data, values, diverged, mean, published, band, verdict, conventions }: Conformance): string {
  const here =
    verdict === "diverged"
      ? "the loss became infinite"
      : `${mean.toFixed(2)} (${[...values.map((v) => v.toFixed(2)), ...Array(diverged).fill("infinite")].join(", ")})`;
  const there =
    published === null
      ? ""
      : `; published ${published.mean} on ${published.of}${band === null ? "" : `, band ${band.toFixed(2)}`}`;
  return `${cell} on ${data}: ${here}${there}: ${verdict}\n${conventions.map((c) => `    ${c}`).join("\n")}`;
}

function said({ relation, difference, asked, met }: Related): string {
  return `${met ? "met    " : "NOT MET"}  ${relation} (${asked}; here ${difference.toFixed(2)})`;
}

/** Says once in a while how far a cell is. */
function following(title: string, note: (line: string) => void): Progress {
  let last = performance.now();
  return {
    begin: (seed) => note(`${title}, seed ${seed}`),
    event(event) {
      if (event.type !== "learned" || performance.now() - last < 5000) return;
      last = performance.now();
      note(`${title}: experience ${event.experience + 1} learnt, ${event.step} steps`);
    },
    end() {},
  };
}
