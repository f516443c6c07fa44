import type { Initial } from "../initial.ts";
import { dense, flatten, relu } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { sequential } from "../sequential.ts";

/** Options of `mlp`. */
export interface MlpOptions {
  /** Units of each hidden layer. Default [100, 100]. */
  readonly hidden?: readonly number[];
  /** How the weights of hidden layers begin; a head of the same rule is `headed(mlp(…), linear("xavier"))`. Default "torch". */
  readonly initial?: Initial;
}

/**
 * A multilayer perceptron: flatten, then dense layers with rectifiers. The features are the last hidden layer's.
 *
 * @example
 * ```ts
 * import { mlp } from "thalweg";
 * mlp({ hidden: [256, 256] }).features([28, 28, 1]); // [256]
 * ```
 */
export function mlp({ hidden = [100, 100], initial = "torch" }: MlpOptions = {}): Model {
  return Object.freeze(
    sequential("mlp", { hidden, initial }, [
      flatten(),
      ...hidden.flatMap((units) => [dense(units, { initial }), relu()]),
    ]),
  );
}
