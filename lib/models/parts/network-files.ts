/** A trained network in a folder: `network.json` says what it is and which tensor is where, a safetensors file has the numbers. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprint, type HostArray, type HostTree, mapHost } from "./host.ts";
import type { PackedAbout, PackedNetwork } from "./packed.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

/** What `network.json` says. */
interface NetworkJson extends PackedAbout {
  readonly format: 1;
  /** The file of the numbers, and their fingerprint. */
  readonly file: string;
  readonly checksum: string;
  /** The tree of tensors, with the name that each has in the file and its shape. */
  readonly numbers: Tensors;
}
interface Tensors {
  readonly [name: string]: Tensors | { readonly tensor: string; readonly shape: readonly number[] };
}

/** A file to write: its name and what is in it. */
export interface FileToWrite {
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

/**
 * The files of a network, in the order in which they must be written: whoever is stopped between them leaves the network that was there,
 * since the numbers have another name for every other network.
 */
export function networkFiles({ about, numbers }: PackedNetwork): readonly [numbers: FileToWrite, about: FileToWrite] {
  const tensors = new Map<string, HostArray>();
  const tree = mapHost<Tensors>(numbers, (array, name) => {
    let own = name;
    while (tensors.has(own)) own = `${own}'`;
    tensors.set(own, array);
    return { tensor: own, shape: array.shape };
  });
  const checksum = fingerprint(numbers);
  const file = `weights-${checksum}.safetensors`;
  const json: NetworkJson = { format: 1, ...about, file, checksum, numbers: tree };
  return [
    { name: file, bytes: writeSafetensors(tensors) },
    { name: "network.json", bytes: `${JSON.stringify(json, null, 1)}\n` },
  ];
}

/** The network in a folder, without tensors. Throws a sentence when it is not there, is cut short, or is not what it says. */
export function readNetwork(folder: string, asked = "loadNetwork"): PackedNetwork {
  const path = join(folder, "network.json");
  if (!existsSync(path))
    throw new Error(`${asked}: a folder that saveNetwork wrote is required, got ${folder}, which has no network.json`);
  const { format, file, checksum, numbers: tree, ...about } = parsed(path, asked);
  if (format !== 1)
    throw new Error(
      `${asked}: a network of format 1 is required, got format ${format} in ${path}; read it with a newer version`,
    );
  const weights = join(folder, file);
  if (!existsSync(weights))
    throw new Error(`${asked}: the file ${file} is required beside network.json, got none in ${folder}`);
  const { tensors } = readSafetensors(weights);
  const numbers = found(tree, (name, shape) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`${asked}: the tensor ${name} is required, got none in ${weights}`);
    if (String(tensor.shape) !== String(shape))
      throw new Error(`${asked}: ${name} of shape [${shape}] is required, got [${tensor.shape}] in ${weights}`);
    return tensor;
  });
  if (fingerprint(numbers) !== checksum)
    throw new Error(
      `${asked}: numbers with checksum ${checksum} are required, got ${fingerprint(numbers)} in ${weights}; the file is damaged, save the network again`,
    );
  return { about, numbers };
}

function parsed(path: string, asked: string): NetworkJson {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as NetworkJson;
  } catch (error) {
    throw new Error(`${asked}: a network.json that is JSON is required, got something else in ${path}; it is damaged`, {
      cause: error,
    });
  }
}

/** The tree with the tensor for each name in it. */
function found(tree: Tensors, take: (name: string, shape: readonly number[]) => HostArray): HostTree {
  const visit = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(visit);
    const { tensor, shape } = node as { readonly tensor?: unknown; readonly shape?: readonly number[] };
    if (typeof tensor === "string") return take(tensor, shape!);
    return Object.fromEntries(Object.entries(node as object).map(([name, child]) => [name, visit(child)]));
  };
  return visit(tree) as HostTree;
}
