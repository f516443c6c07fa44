import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { type Complex, encoded, layered, measured } from "../../parts/circuit.ts";
import { recur, requireVectors } from "../../parts/recurrence.ts";

/** Options of `quantumRnn`. */
export interface QuantumRnnOptions {
  /** Which classical network the circuits stand in: a plain one, or one with gates, which has a circuit for each. Default "rnn". */
  readonly cell?: "rnn" | "lstm" | "gru";
  /** Layers of a circuit. Default 1. */
  readonly depth?: number;
}

/**
 * Recurrent units that are a quantum circuit, simulated, over a sequence: `[length, inputs]` becomes `[length, units]`.
 *
 * There is a qubit for each number of the state and of the input; each is turned by its number, the circuit entangles them and turns them by trained
 * angles, and `h ← tanh(⟨Z⟩)` of the first `units` qubits; h begins as 0. With gates, V being ⟨Z⟩ of circuits of their own: `c ← σ(V₁) c + σ(V₂) tanh(V₃)`, `h ← V₅(σ(V₄) tanh(c))` as an lstm, or
 * `r = σ(V₁)`, `z = σ(V₂)`, `h ← z h + (1 − z) tanh(V₃(r h, x))` as a gru. The state vector has 2^(units + inputs) complex numbers: at most 12
 * qubits are simulated.
 *
 * Chen, Fry, Deshmukh, Rastunkov and Stefanski 2022, "Reservoir computing via quantum recurrent neural networks", arXiv:2211.02612, sections 3 and 4.
 * Written from its abstract and from what is known of the circuit, which is that of Chen, Yoo and Fang 2020, arXiv:2009.01783: Hadamard gates, R_y(arctan x)
 * and R_z(arctan x²), then layers of CNOT gates to the next qubit and to the one after it, and a rotation of each.
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
  (units: number, { cell = "rnn", depth = 1 }: QuantumRnnOptions = {}) => {
    requireCount("quantumRnn", "units", units);
    requireCount("quantumRnn", "depth", depth);
    needOneOf("quantumRnn", "cell", cell, ["rnn", "lstm", "gru"]);
    const count = { rnn: 1, lstm: 4, gru: 3 }[cell];
    return {
      options: { units, ...(cell !== "rnn" && { cell }), depth },
      shape(input) {
        const [length, inputs] = requireVectors("quantumRnn", input);
        if (units + inputs > 12)
          throw new RangeError(
            `quantumRnn: at most 12 qubits are required, got ${units} for the state and ${inputs} for the input; put dense(${Math.max(1, 12 - units)}) before it`,
          );
        return [length, units];
      },
      init(rng, [, inputs]): Params {
        const angles = (at: typeof rng, qubits: number): tf.Tensor => at.uniforms([depth, qubits, 3], 0, 2 * Math.PI);
        const circuits = Array.from({ length: count }, (_, i) => [
          `circuit${i + 1}`,
          angles(rng.at("circuit", i), units + inputs!),
        ]);
        return {
          ...Object.fromEntries(circuits),
          ...(cell === "lstm" && { circuit5: angles(rng.at("circuit", 4), units) }),
        };
      },
      apply(x, params, mode) {
        const through = (given: tf.Tensor, own: Params, i: number): tf.Tensor =>
          measured(encoded(given), own[`circuit${i}`] as unknown as Complex, given.shape[1]!, units);
        const zeros = tf.zeros([x.shape[0]!, units]);
        const next = (states: readonly tf.Tensor[], given: tf.Tensor, own: Params): tf.Tensor[] => {
          const [h, c] = states as [tf.Tensor, tf.Tensor];
          const both = tf.concat([h, given], 1);
          const V = (i: number): tf.Tensor => through(both, own, i);
          if (cell === "rnn") return [tf.tanh(V(1))];
          if (cell === "gru") {
            const [reset, keep] = [tf.sigmoid(V(1)), tf.sigmoid(V(2))];
            const fresh = tf.tanh(through(tf.concat([tf.mul(reset, h), given], 1), own, 3));
            return [tf.add(fresh, tf.mul(keep, tf.sub(h, fresh)))];
          }
          const memory = tf.add(tf.mul(tf.sigmoid(V(1)), c), tf.mul(tf.sigmoid(V(2)), tf.tanh(V(3))));
          return [through(tf.mul(tf.sigmoid(V(4)), tf.tanh(memory)), own, 5), memory];
        };
        const circuits = Object.fromEntries(
          Object.entries(params).map(([name, angles]) => [name, layered(angles as tf.Tensor) as unknown as Params]),
        );
        return recur(next, cell === "lstm" ? [zeros, zeros] : [zeros], x, circuits, mode);
      },
    };
  },
);
