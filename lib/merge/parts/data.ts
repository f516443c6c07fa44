/** What networks say of examples, for rules that look at data. */
import { type Examples, gather } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { type Params, type Tap, tape } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";

/** Throws unless there is a table for each network. */
export function requireTables(name: string, networks: readonly unknown[], tables: readonly Examples[]): void {
  if (tables.length !== networks.length || tables.some(({ length }) => length === 0))
    throw new RangeError(
      `merge.${name}: a table with examples for each of the ${networks.length} networks is required, got tables of ${tables.map(({ length }) => length).join(", ") || "none"}`,
    );
}

/** Some examples of a table, evenly spaced: as many as are asked for, at most all. */
export function someOf(table: Examples, count: number): Uint32Array {
  const n = Math.min(count, table.length);
  return Uint32Array.from({ length: n }, (_, i) => Math.floor((i * table.length) / n));
}

/** Rows of a table as the network sees them. The caller owns the tensor. */
export function rowsOf(table: Examples, at: Uint32Array): tf.Tensor {
  return tf.tensor(gather(table, at), [at.length, ...table.shape]);
}

/** Logits of all columns in evaluation mode. */
export function logitsOf(structure: Network, weights: Weights, statistics: Params, x: tf.Tensor, tap?: Tap): tf.Tensor {
  const features = structure.features(weights, x, tape(false, null, statistics, tap).mode);
  return structure.logits(weights, features, tap);
}
