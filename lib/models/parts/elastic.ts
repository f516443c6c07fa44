/** What of a network may be narrower or shallower: units that can be left out from the end, and blocks behind which it can stop. */
import type { Shape } from "../../data/dataset.ts";
import { needWhole } from "../../data/options.ts";
import type { ModelParts } from "../model.ts";
import { parameters } from "../parameters.ts";

/** Units that a kernel writes and that count for nothing where they are 0. */
export interface ElasticSite {
  /** Where its kernel lies: "model/2-dense", "model/block1/up". */
  readonly path: string;
  readonly units: number;
}

/** A network's units and blocks that may be left out. */
export interface Elastic {
  readonly sites: readonly ElasticSite[];
  /** The paths of blocks of attention in a row. */
  readonly blocks: readonly string[];
}

/** A part of a network: of each site the share of the first units, and how many of the first blocks. */
export interface Subnet {
  readonly widths: readonly number[];
  readonly depth: number;
}

/** Functions that leave a 0 where it is. */
const still = ["relu", "leakyRelu", "gelu", "silu", "tanh"];
/** Layers that only move numbers. */
const passing = ["dropout", "pool", "globalPool", "flatten"];

/** The units and blocks of a model that may be left out. Throws where there are none. */
export function elasticOf(where: string, model: ModelParts, input: Shape): Elastic {
  const { stack = [], names = [] } = model;
  const units = new Map(parameters(model, input).map(({ path, shape }) => [path, shape.at(-1)!]));
  const blocks = names.filter((_, i) => stack[i]!.name === "transformer");
  const found = stack.flatMap((layer, i): string[] => {
    if (layer.name === "transformer") return [`${names[i]}/up`];
    const next = stack[i + 1]?.name;
    return ["dense", "conv"].includes(layer.name) && next !== undefined && still.includes(next) && reads(stack, i + 2)
      ? [names[i]!]
      : [];
  });
  if (found.length === 0)
    throw new TypeError(
      `${where}: a model with transformer blocks, or with dense layers and convolutions that a rectifier follows, is required, got ${model.spec.name}`,
    );
  return {
    sites: found.map((path) => ({ path: `model/${path}`, units: units.get(`${path}/kernel`)! })),
    blocks: blocks.map((name) => `model/${name}`),
  };
}

/** Whether what comes next is a kernel that reads the units, with nothing between that mixes them. */
function reads(stack: readonly { readonly name: string }[], from: number): boolean {
  const next = stack.slice(from).find(({ name }) => !passing.includes(name));
  return next === undefined || next.name === "dense" || next.name === "conv";
}

/** How many units a share is. */
export function unitsOf({ units }: ElasticSite, share: number): number {
  return Math.max(1, Math.round(share * units));
}

/** For the units of all sites one after the other: 1 where a part has them. */
export function maskOf({ sites }: Elastic, { widths }: Subnet): Float32Array {
  return Float32Array.from(
    sites.flatMap((site, i) => {
      const kept = unitsOf(site, widths[i]!);
      return Array.from({ length: site.units }, (_, unit) => +(unit < kept));
    }),
  );
}

/** For each block: 1 where a part has it. */
export function gatesOf({ blocks }: Elastic, { depth }: Subnet): Float32Array {
  return Float32Array.from(blocks, (_, i) => +(i < depth));
}

/** The part that is meant by one share for all sites, or one for each, and a depth. Throws where it is none. */
export function subnetOf(
  where: string,
  elastic: Elastic,
  width: number | readonly number[],
  depth: number = elastic.blocks.length,
): Subnet {
  const widths = typeof width === "number" ? elastic.sites.map(() => width) : width;
  if (widths.length !== elastic.sites.length || widths.some((share) => !(share > 0 && share <= 1)))
    throw new RangeError(
      `${where}: a share in (0, 1], or one for each of ${elastic.sites.length} layers, is required, got ${JSON.stringify(width)}`,
    );
  needWhole(where, "depth", depth, elastic.blocks.length === 0 ? 0 : 1);
  if (depth > elastic.blocks.length)
    throw new RangeError(`${where}: a depth of at most ${elastic.blocks.length} blocks is required, got ${depth}`);
  return { widths, depth };
}
