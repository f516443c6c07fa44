/** A cell in a form that another process can take: its experiment as JSON, its data as numbers. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Dataset,
  type Examples,
  type Json,
  type Kind,
  makeDataset,
  sizeOf,
  type Target,
  table,
  targetTable,
} from "../../data/dataset.ts";
import { decode, encode } from "../../engine/index.ts";
import type { PackedNetwork } from "../../models/parts/packed.ts";
import { networksIn } from "../../models/parts/registry.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import type { Recording } from "../../runs/recorded.ts";
import { dataOf } from "../../streams/stream.ts";
import { networkFromPacked, specFromJson } from "../../train/from-json.ts";
import { specHash, specJson } from "../../train/spec.ts";
import type { Place } from "../../train/state.ts";
import type { Cell } from "../cells.ts";

/** A cell to be sent. */
export interface Parcel {
  readonly spec: Json;
  readonly seed: number;
  readonly hash: string;
  /** The files that hold its data sets. */
  readonly data: readonly string[];
  /** The files that hold the networks it begins from or is taught by. */
  readonly networks?: readonly string[];
  readonly recording?: Omit<Recording, "past">;
  readonly until?: Place;
}

/**
 * Makes a cell ready to be sent; its data sets and networks are written into a folder, each once.
 *
 * @throws TypeError when it has a part that is not the library's own.
 */
export function parcel({ spec, seed, recording, until }: Cell, folder: string): Parcel {
  const sets = dataOf(spec.stream.spec);
  const networks = networksIn(specJson(spec));
  const json = JSON.parse(JSON.stringify(specJson(spec))) as Json;
  if (withNetworks([...networks.values()], (made) => specHash(specFromJson(json, sets, made))) !== specHash(spec))
    throw new TypeError(
      "specFromJson: an experiment whose JSON says all of it is required, got one that says something else again",
    );
  const data = sets.map((set) => {
    const file = join(folder, `${set.checksum}.data`);
    if (!existsSync(file)) writeFileSync(file, packedData(set));
    return file;
  });
  const trained = [...networks].map(([checksum, packed]) => {
    const file = join(folder, `${checksum}.network`);
    if (!existsSync(file)) writeFileSync(file, encode(packed));
    return file;
  });
  const { past: _, ...kept } = recording ?? {};
  return {
    spec: json,
    seed,
    hash: specHash(spec),
    data,
    ...(trained.length > 0 ? { networks: trained } : {}),
    ...(recording === undefined ? {} : { recording: kept as Recording }),
    ...(until === undefined ? {} : { until }),
  };
}

/** The cell that a parcel holds. */
export function unpacked(parcel: Parcel): Cell {
  const sets = parcel.data.map((file) => unpackedData(readFileSync(file)));
  const networks = (parcel.networks ?? []).map((file) => decode(readFileSync(file)) as PackedNetwork);
  const spec = withNetworks(networks, (made) => specFromJson(parcel.spec, sets, made));
  const { seed, recording, until } = parcel;
  return { spec, seed, ...(recording === undefined ? {} : { recording }), ...(until === undefined ? {} : { until }) };
}

/** Does something with packed networks, and frees their tensors: what begins from one keeps its numbers. */
function withNetworks<T>(packed: readonly PackedNetwork[], use: (networks: readonly TrainedNetwork[]) => T): T {
  const made = packed.map((each) => networkFromPacked(each));
  try {
    return use(made);
  } finally {
    for (const each of made) each.dispose();
  }
}

/** A data set as bytes: both tables in full. */
export function packedData(set: Dataset): Uint8Array {
  const { name, kind, classes, source, target } = set;
  return encode({
    name,
    kind,
    ...(target && { target }),
    classes: [...classes],
    source,
    train: packedTable(set.train),
    test: packedTable(set.test),
  });
}

/** The data set that bytes hold. */
export function unpackedData(bytes: Uint8Array): Dataset {
  const { train, test, ...about } = decode(bytes) as {
    name: string;
    kind: Kind;
    classes: string[];
    source: string;
    target?: Target;
  } & Record<"train" | "test", ReturnType<typeof packedTable>>;
  return makeDataset({ ...about, train: unpackedTable(train), test: unpackedTable(test) });
}

function packedTable(examples: Examples) {
  const all = Uint32Array.from({ length: examples.length }, (_, i) => i);
  const size = examples.length * sizeOf(examples.shape);
  const x = examples.bytes ? new Uint8Array(size) : new Float32Array(size);
  examples.read(all, x);
  const width = examples.targets?.width ?? 0;
  const targets = new Float32Array(examples.length * width);
  examples.targets?.read(all, targets);
  const { labels, shape, scale } = examples;
  return { x, labels: Int32Array.from(labels), shape: [...shape], scale, width, targets };
}

function unpackedTable({ x, labels, shape, scale, width, targets }: ReturnType<typeof packedTable>): Examples {
  return table(x, labels, shape, scale, width === 0 ? undefined : targetTable(targets, width));
}
