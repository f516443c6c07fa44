/** The kernel of a linear head, for strategies that read or change it. */
import type { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";

/** The kernel `[features, columns]` of a network's head; throws for a head that has none. */
export function headKernel(where: string, { head }: Pick<Weights, "head">): tf.Tensor2D {
  if (head.kernel !== undefined) return head.kernel as tf.Tensor2D;
  throw new TypeError(
    `${where}: a linear head is required, got one of ${Object.keys(head).join(" and ")}; take the model without headed()`,
  );
}
