/** Trees of tensors as plain numbers: what outlives the tensors, travels to other processes and is written to files. */
import { createHash } from "node:crypto";
import { isLeaf, tf } from "../../engine/index.ts";

/** A tensor's numbers, in the order of its rows. */
export interface HostArray {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "bool";
}

/** A tree of numbers: objects and lists by name and number. */
export type HostTree = { readonly [name: string]: HostNode };
type HostNode = HostArray | HostTree | readonly HostNode[];

/** The numbers of a tree of tensors, copied. What is undefined is left out. */
export function hostTree(tree: object): HostTree {
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([, node]) => node !== undefined && node !== null)
      .map(([name, node]) => [name, hostNode(node)]),
  );
}

function hostNode(node: object): HostNode {
  if (Array.isArray(node)) return node.map(hostNode);
  if (!isLeaf(node)) return hostTree(node);
  const tensor = node as tf.Tensor;
  return {
    data: tensor.dataSync().slice() as HostArray["data"],
    shape: [...tensor.shape],
    dtype: tensor.dtype as HostArray["dtype"],
  };
}

/** Whether a node of a tree of numbers is one tensor's. */
export function isHostArray(node: unknown): node is HostArray {
  return ArrayBuffer.isView((node as { data?: unknown }).data);
}

/** The same tree with something else for every tensor's numbers; `name` is where they lie, its parts joined with ".". */
export function mapHost<T>(node: HostNode, change: (array: HostArray, name: string) => unknown, at = ""): T {
  if (isHostArray(node)) return change(node, at) as T;
  const inner = (name: string, child: HostNode): unknown => mapHost(child, change, at === "" ? name : `${at}.${name}`);
  if (Array.isArray(node)) return node.map((child, i) => inner(String(i), child)) as T;
  return Object.fromEntries(Object.entries(node).map(([name, child]) => [name, inner(name, child)])) as T;
}

/** New tensors of a tree of numbers. */
export function tensorTree<T>(tree: HostTree): T {
  return mapHost<T>(tree, ({ data, shape, dtype }) => tf.tensor(data.slice(), [...shape], dtype));
}

/** Lists `[name, array]` of a tree of numbers, in its order; a name joins the parts of its path with ".". */
export function hostPaths(tree: HostTree): [name: string, array: HostArray][] {
  const found: [string, HostArray][] = [];
  mapHost(tree, (array, name) => found.push([name, array]));
  return found;
}

/** A short fingerprint of numbers: their places in the tree, shapes and bytes. */
export function fingerprint(tree: HostTree): string {
  const hash = createHash("sha256");
  for (const [name, { data, shape, dtype }] of hostPaths(tree))
    hash
      .update(JSON.stringify([name, shape, dtype]))
      .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex").slice(0, 16);
}
