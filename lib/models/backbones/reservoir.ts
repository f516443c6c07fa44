import { needOneOf } from "../../data/options.ts";
import { echoState, gru, last, lstm, quantumRnn, rnn, through } from "../layers/index.ts";
import type { EchoStateOptions } from "../layers/recurrent/echo-state.ts";
import type { QuantumRnnOptions } from "../layers/recurrent/quantum-rnn.ts";
import type { Model } from "../model.ts";
import { inRow, named } from "../parts/named.ts";

/** Options of `reservoir`. Those of `echoState` are for the cell "echo" alone, `depth` for the quantum ones. */
export interface ReservoirOptions extends EchoStateOptions, Pick<QuantumRnnOptions, "depth"> {
  /** What the reservoir is made of. Default "echo". */
  readonly cell?: keyof typeof cells;
  /** Numbers in the state. Default 100, of a quantum circuit 5. */
  readonly units?: number;
  /** Whether it gives the vector of the last place, or of each. Default "last". */
  readonly gives?: "last" | "places";
}

const cells = {
  echo: (units: number, own: EchoStateOptions) => echoState(units, own),
  rnn: (units: number) => rnn(units),
  gru: (units: number) => gru(units),
  lstm: (units: number) => lstm(units),
  quantum: (units: number, own: QuantumRnnOptions) => quantumRnn(units, own),
  "quantum lstm": (units: number, own: QuantumRnnOptions) => quantumRnn(units, { ...own, cell: "lstm" }),
  "quantum gru": (units: number, own: QuantumRnnOptions) => quantumRnn(units, { ...own, cell: "gru" }),
};

/**
 * A recurrent network that stays as it is drawn, over a sequence of vectors: only what reads its state is trained.
 *
 * By gradients that is the head; in closed form it is `.by(ridge({ of: "features" }))`. Gives `[n, units]`, the state at the last place, or
 * `[n, length, units]`. The cells are an echo state network, the layers `rnn`, `gru` and `lstm` as they begin, and a simulated quantum circuit.
 *
 * Implements: P180 QRNN reservoir
 * Chen, Fry, Deshmukh, Rastunkov and Stefanski 2022, "Reservoir computing via quantum recurrent neural networks", arXiv:2211.02612: the quantum cells, which are
 * `quantumRnn`.
 *
 * @example
 * ```ts
 * import { driftingSeries, reservoir, ridge, sequence } from "thalweg";
 * reservoir({ cell: "quantum", units: 3 }).features([8, 1]); // [3]
 * sequence(driftingSeries({ moments: 500 }), 2).learn(reservoir({ units: 40 })).by(ridge({ of: "features", ridge: 0.01 }));
 * ```
 */
export function reservoir(options: ReservoirOptions = {}): Model<"sequence"> {
  const { cell = "echo", units = cell.startsWith("quantum") ? 5 : 100, gives = "last", ...own } = options;
  needOneOf("reservoir", "cell", cell, Object.keys(cells));
  needOneOf("reservoir", "gives", gives, ["last", "places"]);
  const of =
    cell === "echo" ? ["spectralRadius", "leak", "scale", "density"] : cell.startsWith("quantum") ? ["depth"] : [];
  const unused = Object.keys(own).find((name) => !of.includes(name));
  if (unused !== undefined)
    throw new TypeError(`reservoir: options of the cell "${cell}" are required, got ${unused}; leave it out`);
  return named<"sequence">("reservoir", { cell, units, ...own, gives }, [
    ["reservoir", through(inRow([cells[cell](units, own)]).freeze("*"))],
    ...(gives === "last" ? [["last", last()] as const] : []),
  ]);
}
