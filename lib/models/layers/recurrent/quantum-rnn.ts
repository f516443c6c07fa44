import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { type Complex, encoded, layered, measured } from "../../parts/circuit.ts";
import { recur, requireVectors } from "../../parts/recurrence.ts";

/** Options of `quantumRnn`. */
export interface QuantumRnnOptions {
  /** Layers of the circuit. Default 1. */
  readonly depth?: number;
}

/**
 * Recurrent units that are a quantum circuit, simulated, over a sequence: `[length, inputs]` becomes `[length, units]`.
 *
 * There is a qubit for each number of the state and of the input; each is turned by its number, the circuit entangles them and turns them by trained
 * angles, and `h ← tanh(⟨Z⟩)` of the first `units` qubits; h begins as 0. The state vector has 2^(units + inputs) complex numbers: at most 12
 * qubits are simulated.
 *
 * Chen, Fry, Deshmukh, Rastunkov and Stefanski 2022, "Reservoir computing via quantum recurrent neural networks", arXiv:2211.02612, sections 3 and 4.
 * Written from its abstract and from what is known of the circuit, which is that of Chen, Yoo and Fang 2020, arXiv:2009.01783: Hadamard gates, R_y(arctan x)
 * and R_z(arctan x²), then layers of CNOT gates to the next qubit and to the one after it, and a rotation of each.
 * Differs from the paper: the plain recurrent cell alone, not those with gates.
 *
 * @throws RangeError for more than 12 qubits.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().quantumRnn(4).last().features([8, 1]); // [4]
 * ```
 */
export const quantumRnn = layer(
  "quantumRnn",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { depth = 1 }: QuantumRnnOptions = {}) => {
    requireCount("quantumRnn", "units", units);
    requireCount("quantumRnn", "depth", depth);
    return {
      options: { units, depth },
      shape(input) {
        const [length, inputs] = requireVectors("quantumRnn", input);
        if (units + inputs > 12)
          throw new RangeError(
            `quantumRnn: at most 12 qubits are required, got ${units} for the state and ${inputs} for the input; put dense(${Math.max(1, 12 - units)}) before it`,
          );
        return [length, units];
      },
      init: (rng, [, inputs]): Params => ({
        angles: rng.at("angles").uniforms([depth, units + inputs!, 3], 0, 2 * Math.PI),
      }),
      apply(x, params, mode) {
        const qubits = units + x.shape[2]!;
        const next = ([h]: readonly tf.Tensor[], given: tf.Tensor, circuit: Params): tf.Tensor[] => {
          const state = encoded(tf.concat([h!, given], 1));
          return [tf.tanh(measured(state, circuit as unknown as Complex, qubits, units))];
        };
        return recur(next, [tf.zeros([x.shape[0]!, units])], x, layered(params.angles as tf.Tensor) as never, mode);
      },
    };
  },
);
