/** Trees of tensors as plain numbers: what outlives the tensors, travels to other processes and is written to files. */
import { createHash } from "node:crypto";
import { isLeaf, type Tree, tf } from "../../engine/index.ts";

/** A tensor's numbers, in the order of its rows. */
export interface HostArray {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "bool";
}

/** A tree of numbers. */
export type HostTree = { readonly [name: string]: HostArray | HostTree };

/** The numbers of a tree of tensors, copied. Nodes that are undefined are left out. */
export function hostTree(tree: object): HostTree {
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([, node]) => node !== undefined && node !== null)
      .map(([name, node]) => [name, isLeaf(node) ? hostArray(node as tf.Tensor) : hostTree(node as object)]),
  );
}

function hostArray(tensor: tf.Tensor): HostArray {
  return {
    data: tensor.dataSync().slice() as HostArray["data"],
    shape: [...tensor.shape],
    dtype: tensor.dtype as HostArray["dtype"],
  };
}

/** Whether a node of a tree of numbers is one tensor's. */
export function isHostArray(node: HostArray | HostTree): node is HostArray {
  return ArrayBuffer.isView(node.data);
}

/** New tensors of a tree of numbers. Lists become objects by number, which a tree of parameters is anyway. */
export function tensorTree<T = Tree>(tree: HostTree): T {
  return Object.fromEntries(
    Object.entries(tree).map(([name, node]) => [
      name,
      isHostArray(node) ? tf.tensor(node.data.slice(), [...node.shape], node.dtype) : tensorTree(node),
    ]),
  ) as T;
}

/** Lists `[path, array]` of a tree of numbers, in its order; a path joins names with "/". */
export function hostPaths(tree: HostTree, prefix = ""): [path: string, array: HostArray][] {
  return Object.entries(tree).flatMap(([name, node]) =>
    isHostArray(node) ? [[prefix + name, node] as [string, HostArray]] : hostPaths(node, `${prefix}${name}/`),
  );
}

/** A short fingerprint of numbers: their places in the tree, shapes and bytes. */
export function fingerprint(tree: HostTree): string {
  const hash = createHash("sha256");
  for (const [path, { data, shape, dtype }] of hostPaths(tree))
    hash
      .update(JSON.stringify([path, shape, dtype]))
      .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex").slice(0, 16);
}
