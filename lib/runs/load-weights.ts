/** Weights of other programs in models of ours. */
import type { Shape } from "../data/dataset.ts";
import { disposeTree, random } from "../engine/index.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Model, Params } from "../models/model.ts";
import { network, type Weights } from "../models/network.ts";
import type { ForeignName } from "../models/parts/foreign-names.ts";
import type { HostArray } from "../models/parts/host.ts";
import { type Placed, placedWeights } from "../models/parts/placed-weights.ts";
import { tensorsAt } from "../models/parts/tensors-at.ts";
import { type TrainedNetwork, trained } from "../models/trained.ts";

/** What `loadWeights` is told. */
export interface WeightsOptions {
  /** The shape of one example. */
  readonly input: Shape;
  /**
   * Which tensor of the file goes where: `gptNames(depth)`, `vitNames(depth)`, `resnetNames(depth)`, or a list of your own. Default: to where its name says,
   * "model.1-conv.kernel".
   */
  readonly names?: readonly ForeignName[];
  /** A name for each column of the head; default "0", "1", … for as many as the file's head has. Required where it has none. */
  readonly classes?: readonly string[];
  /** What bytes are multiplied by before the network sees them. Default 1. */
  readonly scale?: number;
  /** Whether tensors of the model that the file lacks, or has in another shape, are drawn anew. Default false: an error lists them. */
  readonly partial?: boolean;
  /** Draws what the file does not have. Default 0. */
  readonly seed?: number;
}

/** A network with the weights of a file, and what became of each of its tensors. */
export interface LoadedWeights {
  readonly network: TrainedNetwork;
  /**
   * One row per tensor of the network (`matched`, `missing`, `shape differs`), then those of the file that the network has no place for
   * (`unexpected`).
   */
  readonly table: DataFrame;
}

/**
 * A network of a model of ours with the weights in a safetensors or ONNX file, or in a folder with one. Weights of PyTorch are turned as
 * the names say. A head that the file does not have is drawn from `seed`.
 *
 * @throws Error when a tensor of the model is missing in the file or has another shape, unless `partial` is set; when nothing matches; when
 * the file is cut short.
 *
 * @example
 * ```ts
 * import { mkdtempSync, readdirSync } from "node:fs";
 * import { blobs, classes, loadWeights, mlp, saveNetwork } from "thalweg";
 * const run = await classes(blobs()).learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * const network = await run.network();
 * const folder = mkdtempSync("/tmp/weights-");
 * saveNetwork(network, folder);
 * const { network: again, table } = loadWeights(mlp({ hidden: [8] }), folder, { input: network.input });
 * again.checksum === network.checksum; // true
 * table.rows()[0]!.outcome; // "matched"
 * ```
 */
export function loadWeights(model: Model, path: string, options: WeightsOptions): LoadedWeights {
  return weightsFrom(model, tensorsAt(path, "loadWeights"), { ...options, path });
}

/** The same with tensors that were read already; `path` is for the messages. */
export function weightsFrom(
  model: Model,
  file: ReadonlyMap<string, HostArray>,
  { input, names, classes, scale = 1, partial = false, seed = 0, path }: WeightsOptions & { readonly path: string },
): LoadedWeights {
  const structure = network(model, input);
  const count = classes?.length ?? columnsIn(structure.head.init(random(0), lastOf(structure.width), 1), file, names);
  if (count === undefined)
    throw new Error(
      `loadWeights: the names of the classes are required where the file has no head, got none for ${path}; give { classes }`,
    );
  const drawn = { ...(structure.init(random(seed), count) as Weights), statistics: structure.statistics() };
  const { tree, rows } = placedWeights(drawn, file, names);
  disposeTree(drawn);
  try {
    const { statistics, ...weights } = tree as Weights & { readonly statistics: Params };
    requireMatched(rows, partial, path);
    return {
      network: trained({ model, input, weights, statistics, scale, ...(classes && { classes }) }),
      table: tableOf(rows),
    };
  } finally {
    disposeTree(tree);
  }
}

/** What a head gets for each example, or at each place. */
function lastOf(width: Shape): Shape {
  return width.length === 2 ? width.slice(1) : width;
}

/** How many columns the file's head has: the last size of what goes where a tensor of the head with one column lies. */
function columnsIn(
  head: Params,
  file: ReadonlyMap<string, HostArray>,
  names: readonly ForeignName[] | undefined,
): number | undefined {
  const { rows, tree } = placedWeights({ head }, file, names);
  disposeTree([head, tree]);
  return rows.find(({ tensor, got }) => tensor !== null && got !== null)?.got?.at(-1);
}

function requireMatched(rows: readonly Placed[], partial: boolean, path: string): void {
  const matched = rows.filter(({ outcome }) => outcome === "matched");
  const text = (list: readonly Placed[]): string =>
    list
      .slice(0, 6)
      .map(({ tensor, name, wanted, got }) => `${tensor ?? name}${wanted && got ? ` [${wanted}], got [${got}]` : ""}`)
      .join("; ") + (list.length > 6 ? `; and ${list.length - 6} more` : "");
  if (matched.length === 0)
    throw new Error(
      `loadWeights: names of tensors that the network has are required, got ${text(rows.filter(({ tensor }) => tensor === null))} in ${path}; say with { names } where they go`,
    );
  const wrong = rows.filter(
    ({ tensor, outcome }) =>
      outcome === "shape differs" || (outcome === "missing" && tensor !== null && !tensor.startsWith("head/")),
  );
  if (!partial && wrong.length > 0)
    throw new Error(
      `loadWeights: all tensors of the model are required in their shapes, got ${wrong.length} in ${path} that are missing or differ: ${text(wrong)}; give the model its options, or { partial: true } to draw them`,
    );
}

function tableOf(rows: readonly Placed[]): DataFrame {
  return frame(
    rows.map(({ tensor, name, outcome, wanted, got }) => ({
      tensor,
      "name in the file": name,
      outcome,
      wanted: wanted && `[${wanted}]`,
      got: got && `[${got}]`,
    })),
  );
}
