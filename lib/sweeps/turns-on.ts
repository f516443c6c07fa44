/** Clients of a simulation whose turns are trained somewhere else: each is a run of its own. */
import { from } from "../models/from.ts";
import type { Turns } from "../simulate/clients.ts";
import { vectorOf } from "../simulate/parts/vectors.ts";
import { slice } from "../streams/operators/slice.ts";
import type { Stream } from "../streams/stream.ts";
import { evaluation, type RunSpec } from "../train/spec.ts";
import type { Executor } from "./cells.ts";
import { runMany } from "./many.ts";

/** Where turns are recorded. */
export interface TurnsOptions {
  /** The folder of their records, which the machines of a cluster share. */
  readonly record: string;
}

/**
 * Trains each client's turn as a run of its own, by an executor: `turnsOn(slurm({ … }), { record })` makes a job of a Slurm cluster of it. Clients who
 * work at the same simulated time are trained at the same time.
 *
 * A turn is the study on the client's examples, beginning from the server's weights; it is recorded, and a program that is stopped and begun again finds it
 * there. Its order of examples and its noise are those of a run, not those of turns that the simulation trains itself.
 *
 * @throws TypeError for programs that change a client's gradient (`proximal`, SCAFFOLD), which a run does not know of.
 *
 * @example
 * ```ts
 * import { slurm, turnsOn } from "thalweg";
 * const turns = turnsOn(slurm({ partition: "short" }), { record: "/shared/turns" });
 * typeof turns; // "function"
 * ```
 */
export function turnsOn(executor: Executor, { record }: TurnsOptions): Turns {
  return async ({ direction, examples, client, task, turn, from: weights, epochs, steps }, trainer, clients) => {
    if (direction !== undefined)
      throw new TypeError(
        "turnsOn: turns of plain training are required, got one that changes its gradient; take fedAvg()",
      );
    const { spec, root } = trainer;
    const index = task * clients + client;
    const before = trainer.trained(weights);
    try {
      const own: RunSpec = {
        ...spec,
        stream: slice(index, index + 1)(spec.stream as never) as unknown as Stream,
        model: from(before, { head: "keep" }),
        training: { ...spec.training, ...(epochs !== undefined && { epochs }), ...(steps !== undefined && { steps }) },
        evaluation: evaluation({ every: "end", share: 0, atStart: false }),
      };
      const seed = root.at("turn", client, turn).int(2 ** 31);
      const run = await runMany(own, { seeds: [seed], record, executor });
      const ended = await run.network({ seed });
      const vector = vectorOf([ended.weights, ended.statistics]);
      ended.dispose();
      const losses = run.logs[0]!.events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
      const loss = losses.reduce((a, b) => a + b, 0) / Math.max(1, losses.length);
      return { vector, loss, steps: losses.length, examples: examples.length };
    } finally {
      before.dispose();
    }
  };
}
