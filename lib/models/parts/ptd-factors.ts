/** HiPPO-LegS, perturbed so that it can be brought to a diagonal. */
import { type ComplexArray, complexInverse, eigen } from "../../engine/eigen.ts";
import { random } from "../../engine/index.ts";
import { hippoMatrices } from "../hippo-matrices.ts";

/** `A + E = V diag(values) V⁻¹`, row after row; real eigenvalues and both of each conjugate pair. */
export interface PtdFactors {
  readonly values: ComplexArray;
  readonly vectors: ComplexArray;
  readonly inverse: ComplexArray;
}

const known = new Map<number, PtdFactors>();

/**
 * LegS with noise of 0.003 of its norm, always the same for an order, and half of it as long as the system would grow; its eigenvectors are far better conditioned than those of LegS,
 * whose grow exponentially with the order. Yu, Nigmetov, Morozov, Mahoney and Erichson 2023, arXiv:2310.01698, section 3.
 */
export function ptdFactors(order: number): PtdFactors {
  const found = known.get(order);
  if (found) return found;
  const { a } = hippoMatrices("legs", order);
  const drawn = random(order)
    .at("perturbation")
    .normals([order * order], 0, 1);
  const noise = drawn.dataSync();
  drawn.dispose();
  const scale = Math.hypot(...a) / Math.hypot(...noise);
  for (let share = 0.003; ; share /= 2) {
    const { values, vectors } = eigen(
      a.map((x, i) => x + share * scale * noise[i]!),
      order,
    );
    if (Math.max(...values.re) > -0.1) continue;
    const made = { values, vectors, inverse: complexInverse(vectors, order) };
    known.set(order, made);
    return made;
  }
}
